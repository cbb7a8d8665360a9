"""The formulas of the benchmark, against values worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent import audio
from voice_agent.bench.metrics import (
    Confusion,
    ErrorRate,
    Found,
    Span,
    characters,
    delay_samples,
    edit_distance,
    end_delays_s,
    erle_db,
    joined,
    mask,
    onset_delays_s,
    pause_delays_s,
    percentile,
    si_sdr_db,
    words,
)
from voice_agent.testing import silence, tone

TEXT = st.text("ab c", max_size=8)


# --- words ----------------------------------------------------------------------------------------


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert words("Don't - PANIC, it\u2019s 4 o'clock!") == ["don't", "panic", "it's", "4", "o'clock"]
    assert words("我的订单 A1 呢？") == ["我", "的", "订", "单", "a1", "呢"]
    assert characters("A b，好") == ["a", "b", "好"]
    assert words(" ...! ") == []


@pytest.mark.parametrize(
    ("reference", "found", "distance"),
    [
        ("", "", 0),
        ("abc", "", 3),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
        ("ab", "ba", 2),
    ],
)
def test_edit_distance(reference: str, found: str, distance: int) -> None:
    assert edit_distance(reference, found) == distance


@given(TEXT, TEXT, TEXT)
def test_edit_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))


@given(TEXT, TEXT)
def test_one_edit_changes_the_distance_by_one_at_most(a: str, b: str) -> None:
    assert abs(edit_distance(a, b + "x") - edit_distance(a, b)) <= 1


def test_an_error_rate_weighs_utterances_by_their_length() -> None:
    score = ErrorRate()
    assert score.rate == 0
    score.add(words("where is my order"), words("where is the order please"))  # 1 substituted, 1 inserted
    score.add(words("yes"), words(""))  # 1 deleted
    assert (score.errors, score.length, score.rate) == (3, 5, 0.6)


# --- speech and silence ---------------------------------------------------------------------------


def found(start_s: float, start_known_s: float, end_s: float, end_known_s: float) -> Found:
    return Found(Span(start_s, end_s), start_known_s, end_known_s)


def test_spans_that_touch_are_one() -> None:
    assert joined([Span(2, 3), Span(0, 1), Span(1, 1.5), Span(2.5, 2.6)]) == [Span(0, 1.5), Span(2, 3)]


def test_a_confusion_counts_steps_of_10_ms() -> None:
    confusion = Confusion()
    truth = mask([Span(0.1, 0.3)], 50)  # steps 10-29
    heard = mask([Span(0.15, 0.4)], 50)  # steps 15-39
    confusion.add(truth, heard)
    assert (confusion.hits, confusion.misses, confusion.false_alarms, confusion.rejections) == (15, 5, 10, 20)
    assert confusion.miss_rate == 5 / 20
    assert confusion.false_alarm_rate == 10 / 30
    assert confusion.f1 == 30 / 45


SPANS = st.lists(
    st.tuples(st.floats(0, 5), st.floats(0, 2)).map(lambda pair: Span(pair[0], pair[0] + pair[1])), max_size=5
)


@given(SPANS, SPANS)
def test_every_step_is_counted_once(truth: list[Span], heard: list[Span]) -> None:
    confusion = Confusion()
    confusion.add(mask(truth, 400), mask(heard, 400))
    counted = confusion.hits + confusion.misses + confusion.false_alarms + confusion.rejections
    assert counted == 400
    assert 0 <= confusion.miss_rate <= 1 and 0 <= confusion.f1 <= 1
    right = Confusion()
    right.add(mask(truth, 400), mask(joined(truth), 400))
    assert (right.misses, right.false_alarms) == (0, 0), "joining changes nothing"


def test_delays_are_counted_from_the_truth_to_when_it_was_told() -> None:
    truth = [Span(1, 2), Span(4, 5), Span(8, 9)]
    told = [found(1.1, 1.2, 2.1, 2.3), found(4.0, 4.1, 4.8, 4.9)]  # the last was missed
    assert onset_delays_s(truth, told) == pytest.approx([0.2, 0.1])
    assert end_delays_s(truth, told) == pytest.approx([0.3, -0.1])
    assert pause_delays_s(truth, told) == []
    hinted = [told[0]._replace(pause_known_s=2.05), told[1]]
    assert pause_delays_s(truth, hinted) == pytest.approx([0.05])


def test_what_cannot_be_told_apart_has_no_delay() -> None:
    truth = [Span(1, 2), Span(2.2, 3)]
    bridged = [found(0.5, 0.6, 3.1, 3.2)]  # began too early, went on over the pause
    assert onset_delays_s(truth, bridged) == []
    assert end_delays_s(truth, bridged) == pytest.approx([0.2])
    halves = [found(1, 1.1, 1.4, 1.5), found(1.6, 1.7, 2, 2.1)]  # a pause within the speech
    assert onset_delays_s(truth[:1], halves) == pytest.approx([0.1])
    assert end_delays_s(truth[:1], halves) == pytest.approx([0.1])


# --- sound ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [0.25, 1.0, 2.0, -1.0])
def test_si_sdr_is_that_of_the_noise_whatever_the_level(gain: float) -> None:
    """Tones of different whole frequencies are orthogonal: 20 dB apart is 20 dB."""
    wanted, other = tone(1.0, 440, -30), tone(1.0, 1000, -50)
    mixed = np.rint((wanted.astype(np.float64) + other) * gain).astype(np.int16)
    assert si_sdr_db(wanted, mixed) == pytest.approx(20, abs=0.1)


@given(st.integers(0, 1600))
def test_a_delay_is_found_to_the_sample(late: int) -> None:
    noise = audio.to_int16(np.random.default_rng(late).standard_normal(8000) * 0.1)
    moved = np.concatenate((np.zeros(late, np.int16), -noise))
    assert delay_samples(noise, moved, 1600) == late


def test_erle_is_the_echo_taken_away() -> None:
    assert erle_db(tone(1.0, level_db=-30), tone(1.0, level_db=-55)) == pytest.approx(25, abs=0.1)
    assert erle_db(tone(1.0), tone(1.0)) == 0
    assert 60 < erle_db(tone(1.0), silence(1.0)) < math.inf


def test_percentiles() -> None:
    assert percentile([4, 1, 3, 2, 5], 50) == 3
    assert percentile([0, 10], 95) == pytest.approx(9.5)
    assert math.isnan(percentile([], 50))
