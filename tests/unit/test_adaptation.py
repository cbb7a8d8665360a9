"""Bitrate, in-band FEC and copies follow what the far end reports, and give way on a link that is full."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.media.adaptation import (
    COPIES_PAUSE_S,
    LEAST_BITRATE,
    MOST_BITRATE,
    Adaptation,
    Redundancy,
)


def told(redundancy: Redundancy, loss: float, rtt_s: float | None, start_s: int, seconds: int) -> list[bool]:
    return [redundancy.report(loss, rtt_s, now) for now in range(start_s, start_s + seconds)]


def test_a_clean_line_needs_no_copies() -> None:
    assert not any(told(Redundancy(), 0.0, 0.05, 0, 60))


def test_one_bad_report_is_not_yet_a_bad_line() -> None:
    redundancy = Redundancy()
    told(redundancy, 0.0, 0.05, 0, 10)
    assert not redundancy.report(0.05, 0.05, 10)


def test_lasting_loss_brings_copies_and_its_end_ends_them() -> None:
    redundancy = Redundancy()
    assert told(redundancy, 0.05, 0.05, 0, 5)[-1]
    assert all(told(redundancy, 0.02, 0.05, 5, 20)), "not on and off at the same loss"
    assert not told(redundancy, 0.0, 0.05, 25, 20)[-1]


def test_copies_that_fill_the_link_are_given_up_for_a_while() -> None:
    redundancy = Redundancy()
    told(redundancy, 0.05, 0.05, 0, 5)
    assert not redundancy.report(0.05, 0.25, 5), "a longer round trip is a queue"
    assert not any(told(redundancy, 0.05, 0.05, 6, int(COPIES_PAUSE_S) - 2))
    assert told(redundancy, 0.05, 0.05, 5 + int(COPIES_PAUSE_S), 2)[-1]


def test_copies_that_make_it_worse_are_given_up() -> None:
    redundancy = Redundancy()
    told(redundancy, 0.05, None, 0, 5)
    assert not told(redundancy, 0.3, None, 5, 5)[-1]


def test_loss_on_a_full_link_brings_no_copies() -> None:
    redundancy = Redundancy()
    told(redundancy, 0.0, 0.05, 0, 3)
    assert not any(told(redundancy, 0.1, 0.4, 3, 20))


def test_the_bitrate_falls_with_much_loss_and_rises_again() -> None:
    adaptation = Adaptation()
    for now in range(3):
        adaptation.report(0.2, 0.05, now)
    assert adaptation.bitrate == pytest.approx(MOST_BITRATE * 0.9**3, rel=0.01)
    low = adaptation.bitrate
    adaptation.report(0.05, 0.05, 3)
    assert adaptation.bitrate == low, "some loss changes nothing"
    for now in range(4, 20):
        adaptation.report(0.0, 0.05, now)
    assert adaptation.bitrate == MOST_BITRATE


def test_a_queue_lowers_the_bitrate_before_anything_is_lost() -> None:
    adaptation = Adaptation()
    adaptation.report(0.0, 0.05, 0)
    adaptation.report(0.0, 0.30, 1)
    assert adaptation.bitrate < MOST_BITRATE


def test_fec_follows_the_loss() -> None:
    adaptation = Adaptation()
    assert adaptation.loss_percent == 5
    for now in range(20):
        adaptation.report(0.15, None, now)
    assert adaptation.loss_percent == pytest.approx(15, abs=1)


@given(st.lists(st.tuples(st.floats(0, 1), st.none() | st.floats(0, 30), st.floats(0, 100))))
def test_the_settings_stay_in_their_bounds(reports: list[tuple[float, float | None, float]]) -> None:
    adaptation, now = Adaptation(), 0.0
    for loss, rtt_s, passed_s in reports:
        now += passed_s
        adaptation.report(loss, rtt_s, now)
        assert LEAST_BITRATE <= adaptation.bitrate <= MOST_BITRATE
        assert 5 <= adaptation.loss_percent <= 30
        assert 0 <= adaptation.redundancy.loss <= 1
