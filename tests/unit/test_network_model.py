"""The simulated link: laws that hold for any settings, and figures that fit the settings asked for."""

import math
from collections.abc import Iterator
from itertools import groupby, pairwise
from statistics import NormalDist, mean, median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_agent.network import profile as profiles
from voice_agent.network.model import Counts, Delivery, Link, Path, simulate
from voice_agent.network.profile import Gaps, Handover, LinkSettings, Profile

HOUR = 50 * 3600
"""Packets of voice."""


def voice(count: int, size: int = 130) -> Iterator[tuple[float, int]]:
    return ((n * 0.02, size) for n in range(count))


def link(seed: int = 1, **values: object) -> Link:
    return Link(LinkSettings.model_validate(values), "down", str(seed), None)


def delays_ms(arrived: list[Delivery]) -> list[float]:
    return [(item.arrived_s - item.sent_s) * 1000 for item in arrived]


@st.composite
def gap_kinds(draw: st.DrawFn) -> Gaps:
    least, middle, most = sorted(draw(st.tuples(*[st.floats(0, 900)] * 3)))
    lost, both = draw(st.booleans()), draw(st.booleans())
    return Gaps(
        every_s=draw(st.floats(1, 20)), min_ms=least, mean_ms=middle, max_ms=most,
        regular=draw(st.booleans()), lost=lost, both_ways=both,
    )  # fmt: skip


@st.composite
def any_settings(draw: st.DrawFn) -> LinkSettings:
    return LinkSettings(
        delay_ms=draw(st.floats(1, 300)),
        jitter_ms=draw(st.floats(0, 300)),
        jitter_memory_ms=draw(st.sampled_from([0, 50, 1000])),
        loss=draw(st.floats(0, 0.5)),
        loss_burst=draw(st.none() | st.floats(1, 20)),
        gaps=tuple(draw(st.lists(gap_kinds(), max_size=3))),
        reorder=draw(st.sampled_from([0.0, 0.1, 1.0])),
        reorder_ms=30,
        duplicate=draw(st.sampled_from([0.0, 0.2, 1.0])),
        rate_mbit_s=draw(st.none() | st.floats(0.01, 10)),
        queue_bytes=draw(st.integers(1, 20_000)),
    )


packets = st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 1500)), max_size=300).map(
    lambda steps: [(sum(gap for gap, _ in steps[: n + 1]), size) for n, (_, size) in enumerate(steps)]
)


@settings(deadline=None, max_examples=150)
@given(any_settings(), packets, st.integers())
def test_every_packet_is_accounted_for_and_none_arrives_early(
    chosen: LinkSettings, sent: list[tuple[float, int]], seed: int
) -> None:
    one = Link(chosen, "down", str(seed), None)
    arrived = simulate(one, sent)
    counts = one.counts
    assert counts.sent == len(sent)
    assert counts.sent == counts.delivered + counts.lost + counts.lost_in_gaps + counts.overflowed
    assert len(arrived) == counts.delivered + counts.duplicated
    assert len({item.number for item in arrived}) == counts.delivered
    assert all(item.arrived_s >= item.sent_s == sent[item.number][0] for item in arrived)
    if chosen.reorder == 0:
        assert all(before.number <= after.number for before, after in pairwise(arrived))


@settings(deadline=None, max_examples=30)
@given(any_settings(), packets, st.integers())
def test_the_same_seed_does_the_same(chosen: LinkSettings, sent: list[tuple[float, int]], seed: int) -> None:
    first, second = (simulate(Link(chosen, "up", str(seed), None), sent) for _ in range(2))
    assert first == second


def test_another_seed_and_another_direction_do_something_else() -> None:
    chosen = LinkSettings(delay_ms=30, jitter_ms=10)
    way = [("down", "1"), ("down", "2"), ("up", "1")]
    results = [simulate(Link(chosen, d, seed, None), voice(50)) for d, seed in way]  # type: ignore[arg-type]
    assert len({tuple(item.arrived_s for item in arrived) for arrived in results}) == 3


@settings(deadline=None, max_examples=100)
@given(st.floats(0.01, 20), packets)
def test_no_stretch_of_time_carries_more_than_the_rate(mbit_s: float, sent: list[tuple[float, int]]) -> None:
    arrived = simulate(link(rate_mbit_s=mbit_s, queue_bytes=10_000_000), sent)
    assert len(arrived) == len(sent)
    for start in range(0, len(arrived), 7):
        carried = 0
        for item in arrived[start:]:
            carried += sent[item.number][1]
            took_s = (
                item.arrived_s - arrived[start].arrived_s + sent[arrived[start].number][1] / mbit_s / 125e3
            )
            assert carried <= took_s * mbit_s * 125e3 * (1 + 1e-9) + 1e-3


def test_a_perfect_link_does_nothing() -> None:
    assert delays_ms(simulate(link(), voice(100))) == [0.0] * 100


@pytest.mark.parametrize(("loss", "burst", "in_burst"), [(0.01, 3, 1), (0.09, 3, 1), (0.05, 8, 0.5)])
def test_losses_come_as_often_and_in_such_runs_as_asked(loss: float, burst: float, in_burst: float) -> None:
    one = link(loss=loss, loss_burst=burst, loss_in_burst=in_burst)
    arrived = {item.number for item in simulate(one, voice(2 * HOUR))}
    assert one.counts.lost / one.counts.sent == pytest.approx(loss, rel=0.1)
    runs = [len(list(run)) for there, run in groupby(n in arrived for n in range(2 * HOUR)) if not there]
    if in_burst == 1:
        assert mean(runs) == pytest.approx(burst, rel=0.05)
    else:  # a run goes on if the bad stretch does (1 - 1/burst) and loses the next packet too
        assert mean(runs) == pytest.approx(1 / (1 - (1 - 1 / burst) * in_burst), rel=0.05)


def test_independent_losses_do_not_come_in_bursts() -> None:
    one = link(loss=0.1)
    arrived = {item.number for item in simulate(one, voice(HOUR))}
    runs = [len(list(run)) for there, run in groupby(n in arrived for n in range(HOUR)) if not there]
    assert one.counts.lost / HOUR == pytest.approx(0.1, rel=0.05)
    assert mean(runs) == pytest.approx(1 / 0.9, rel=0.02)


@pytest.mark.parametrize(("mean_ms", "jitter_ms", "memory_ms"), [(27, 12, 150), (150, 60, 500), (20, 3, 0)])
def test_the_delay_is_log_normal_with_the_mean_and_deviation_asked_for(
    mean_ms: float, jitter_ms: float, memory_ms: float
) -> None:
    arrived = simulate(link(delay_ms=mean_ms, jitter_ms=jitter_ms, jitter_memory_ms=memory_ms), voice(HOUR))
    ordered = sorted(delays_ms(arrived))
    assert mean(ordered) == pytest.approx(mean_ms, rel=0.03)
    deviation = math.sqrt(math.log(1 + (jitter_ms / mean_ms) ** 2))
    for share in (0.05, 0.5, 0.95, 0.99):
        expected = mean_ms * math.exp(NormalDist(-(deviation**2) / 2, deviation).inv_cdf(share))
        assert ordered[int(share * len(ordered))] == pytest.approx(expected, rel=0.06)


def test_jitter_with_a_memory_changes_slowly() -> None:
    def correlation(memory_ms: float) -> float:
        arrived = simulate(link(delay_ms=100, jitter_ms=5, jitter_memory_ms=memory_ms), voice(HOUR))
        delays = [delay - 100 for delay in delays_ms(arrived)]
        return sum(a * b for a, b in pairwise(delays)) / sum(delay**2 for delay in delays)

    assert correlation(0) == pytest.approx(0, abs=0.02)
    assert correlation(200) == pytest.approx(math.exp(-20 / 200), abs=0.03)


GAPS = {"every_s": 1.875, "min_ms": 100, "mean_ms": 236, "max_ms": 1100}


def test_gaps_come_as_often_and_last_as_long_as_asked() -> None:
    one = link(gaps=[GAPS])
    arrived = simulate(one, ((n * 0.005, 100) for n in range(1800 * 200)))
    held = (item for item in arrived if item.arrived_s > item.sent_s)
    gaps = groupby(held, key=lambda item: item.arrived_s)
    lengths_ms = [max(delays_ms(list(in_gap))) for _, in_gap in gaps]
    assert len(lengths_ms) == pytest.approx(32 * 30, rel=0.08)
    assert mean(lengths_ms) == pytest.approx(236, rel=0.08)
    assert min(lengths_ms) > 95 and 900 < max(lengths_ms) <= 1100
    assert one.counts.held / one.counts.sent == pytest.approx(0.126, abs=0.015)
    assert one.counts.lost_in_gaps == 0


def test_what_is_held_in_a_gap_arrives_at_its_end_all_at_once() -> None:
    fixed = {"every_s": 1, "min_ms": 200, "mean_ms": 200, "max_ms": 200, "regular": True}
    arrived = simulate(link(gaps=[fixed], delay_ms=30, jitter_ms=10, jitter_memory_ms=100), voice(500))
    together = [len(list(run)) for _, run in groupby(arrived, key=lambda item: item.arrived_s)]
    assert sorted(set(together) - {1}) == [10] or sorted(set(together) - {1}) == [10, 11]
    assert len([size for size in together if size > 1]) == 10


def test_what_is_lost_in_a_gap_stays_lost() -> None:
    fixed = {"every_s": 1, "min_ms": 200, "mean_ms": 200, "max_ms": 200, "regular": True, "lost": True}
    one = link(gaps=[fixed])
    assert set(delays_ms(simulate(one, voice(5000)))) == {0.0}
    assert one.counts.lost_in_gaps == 1000


def test_a_gap_of_both_ways_is_at_the_same_time_in_both() -> None:
    fixed = {"every_s": 5, "min_ms": 500, "mean_ms": 500, "max_ms": 500, "lost": True}

    def lost(direction: str, both_ways: bool) -> set[int]:
        chosen = LinkSettings.model_validate({"gaps": [fixed | {"both_ways": both_ways}]})
        arrived = simulate(Link(chosen, direction, "1", None), voice(5000))  # type: ignore[arg-type]
        return set(range(5000)) - {item.number for item in arrived}

    assert lost("up", True) == lost("down", True) != set()
    assert lost("up", False) != lost("down", False)


def test_a_full_queue_drops_what_comes_last() -> None:
    one = link(rate_mbit_s=0.08, queue_bytes=1000)  # 10 bytes a ms
    arrived = simulate(one, [(0.0, 100)] * 15)
    assert [item.number for item in arrived] == list(range(10))
    assert delays_ms(arrived) == pytest.approx([10.0 * n for n in range(1, 11)])
    assert one.counts == Counts(sent=15, delivered=10, overflowed=5)
    assert one.push(100, 0.0301) != ()  # three have left


def test_a_reordered_packet_is_overtaken_and_no_other() -> None:
    one = link(reorder=0.1, reorder_ms=50)
    arrived = simulate(one, voice(5000))
    late = {item.number for item in arrived if item.arrived_s > item.sent_s}
    assert len(late) == one.counts.reordered == pytest.approx(500, rel=0.15)
    rest = [item.number for item in arrived if item.number not in late]
    assert rest == sorted(rest)
    assert [item.number for item in arrived] != sorted(item.number for item in arrived)


def test_a_handover_changes_the_network_after_a_hole() -> None:
    before, after = LinkSettings(delay_ms=20), LinkSettings(delay_ms=50)
    second = Profile("second", "", (), after, after)
    hole = Handover(at_s=10, hole_ms=1000, to="second")
    path = Path(Profile("first", "", (), before, before, hole, second), "up")
    arrived = simulate(path, voice(1000))
    assert {round(delay) for delay in delays_ms([i for i in arrived if i.sent_s < 10])} == {20}
    assert {round(delay) for delay in delays_ms([i for i in arrived if i.sent_s >= 11])} == {50}
    assert path.counts == Counts(sent=1000, delivered=950, lost_in_gaps=50)


@pytest.mark.parametrize("name", [name for name in profiles.shipped() if not profiles.load(name).handover])
def test_a_shipped_profile_does_what_its_figures_say(name: str) -> None:
    profile, count = profiles.load(name), HOUR // 3
    for direction in ("down", "up"):
        path = Path(profile, direction, 7)
        arrived = simulate(path, voice(count))
        chosen = getattr(profile, direction)
        four_sigma = 4 * math.sqrt(2 * (chosen.loss_burst or 1) * chosen.loss / count)
        assert path.counts.lost / count == pytest.approx(chosen.loss, abs=four_sigma)
        assert median(delays_ms(arrived)) == pytest.approx(chosen.delay_ms, rel=0.15, abs=0.001)
        assert path.counts.overflowed == 0
