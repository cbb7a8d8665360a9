"""Profiles and traces as files: what comes along, what is measured against it, and what is refused how."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.errors import InputError
from voice_agent.network import profile, trace
from voice_agent.network.trace import OPPORTUNITY_BYTES, Opportunities, Rates

NAMES = [
    "4g_congested", "4g_driving", "4g_edge", "4g_good", "4g_typical",
    "high_speed_rail", "loopback", "wifi_home", "wifi_to_4g",
]  # fmt: skip
GOOD: dict[str, Any] = {"description": "d", "source": ["s"]}


def test_the_profiles_that_come_along() -> None:
    assert profile.shipped() == NAMES
    for name in NAMES:
        loaded = profile.load(name)
        assert loaded.name == name and loaded.description and all(loaded.source)


def test_both_holds_what_the_directions_share() -> None:
    loaded = profile.load("4g_congested")
    assert (loaded.down.rate_mbit_s, loaded.up.rate_mbit_s) == (1.35, 0.75)
    assert loaded.down.delay_ms == loaded.up.delay_ms == 75


def test_a_handover_names_the_network_after_it() -> None:
    loaded = profile.load("wifi_to_4g")
    assert loaded.after is not None and loaded.after.name == "4g_typical"


def write(folder: Path, content: Any) -> Path:
    path = folder / "mine.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD | {"both": {"delay_ms": 40}, "up": {"delay_ms": 60}})
    loaded = profile.load(str(path))
    assert (loaded.down.delay_ms, loaded.up.delay_ms) == (40, 60)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "expected JSON"),
        ([], "expected a JSON object"),
        (GOOD | {"both": 3}, "expected a JSON object whose fields both, down and up are objects"),
        ({"description": "d"}, "source: Field required"),
        (GOOD | {"both": {"dely_ms": 1}}, "both.dely_ms: Extra inputs are not permitted, got 1"),
        (GOOD | {"up": {"loss": 2}}, "up.loss: Input should be less than or equal to 1, got 2"),
        (GOOD | {"both": {"jitter_ms": 2}}, "expected a delay_ms above 0"),
        (
            GOOD | {"both": {"loss": 0.6, "loss_burst": 1}},
            "more than bursts of this length can make up",
        ),
        (GOOD | {"both": {"reorder": 0.1}}, "reorder_ms: expected more than 0"),
        (GOOD | {"both": {"delay_ms": float("nan")}}, "both.delay_ms: "),
        (
            GOOD | {"both": {"gaps": [{"every_s": 9, "min_ms": 5, "mean_ms": 4, "max_ms": 6}]}},
            "both.gaps.0: Value error, expected min_ms <= mean_ms <= max_ms",
        ),
        (
            GOOD | {"both": {"gaps": [{"every_s": 1, "min_ms": 5, "mean_ms": 1000, "max_ms": 2000}]}},
            "expected every_s to be longer than the gaps",
        ),
        (GOOD | {"handover": {"at_s": 1, "hole_ms": 0, "to": "x"}}, "handover.to: expected one of 4g_cong"),
        (GOOD | {"handover": {"at_s": 1, "hole_ms": 0, "to": "wifi_to_4g"}}, "without a handover of its own"),
    ],
)
def test_a_mistake_in_a_profile_names_file_field_and_expectation(
    content: Any, told: str, tmp_path: Path
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError) as error:
        profile.load(str(path))
    assert str(error.value).startswith(f"{path}: ") and told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_mistake_in_what_is_shared_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        profile.load(str(write(tmp_path, GOOD | {"both": {"loss": -1}})))
    assert str(error.value).count("loss") == 1


@pytest.mark.parametrize("name", ["nosuch", "", "../profiles/4g_good", "/nosuch/x.json", "trace:/nosuch"])
def test_a_profile_that_is_not_there(name: str) -> None:
    with pytest.raises(InputError, match=r"there is no network profile|cannot be read"):
        profile.load(name)


# --- traces ---


def load_trace(folder: Path, text: str) -> trace.Trace:
    path = folder / "trace"
    path.write_text(text)
    return trace.load(path)


def test_a_mahimahi_trace_lets_1500_bytes_leave_at_each_line_and_begins_again(tmp_path: Path) -> None:
    loaded = load_trace(tmp_path, "10\n10\n50\n100\n")
    capacity = loaded.capacity()
    left_s = [capacity.sent(0.0, OPPORTUNITY_BYTES) for _ in range(6)]
    assert left_s == pytest.approx([0.01, 0.01, 0.05, 0.1, 0.11, 0.11])
    assert loaded.mean_mbit_s == pytest.approx(4 * 1500 * 8 / 0.1 / 1e6)


def test_small_packets_share_a_moment_and_large_ones_take_several() -> None:
    capacity = Opportunities((0.01, 0.02, 0.03), 0.03)
    assert [capacity.sent(0, 700), capacity.sent(0, 700), capacity.sent(0, 700)] == [0.01, 0.01, 0.02]
    assert capacity.sent(0.02, 3000) == pytest.approx(0.04)
    assert capacity.sent(0.055, 100) == pytest.approx(0.06)


def test_a_trace_of_rates_is_followed_and_begins_again(tmp_path: Path) -> None:
    loaded = load_trace(tmp_path, "time,mbit\n# a bus\n5.0, 0.8\n6.0, 0\n\n7.0, 1.6\n")
    assert loaded.period_s == 3.0 and loaded.mean_mbit_s == pytest.approx(0.8)
    capacity = loaded.capacity()
    assert capacity.sent(0.5, 50_000) == pytest.approx(1.0)
    assert capacity.sent(1.2, 1000) == pytest.approx(2.005)  # the hole first, then 200 kB/s
    assert capacity.sent(2.005, 199_000) == pytest.approx(3.0)
    assert capacity.sent(3.0, 10_000) == pytest.approx(3.1)


def test_columns_may_be_parted_by_tabs(tmp_path: Path) -> None:
    assert load_trace(tmp_path, "0.0\t0.163811\n0.446\t0.32172\n").bytes_per_s[0] == pytest.approx(20476.375)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a trace with at least one line, got none"),
        ("1\nx\n", "line 2: expected one whole number (ms) or two numbers"),
        ("1\n2.5\n", "line 2: expected a whole number of ms, not less than 1, got 2.5"),
        ("5\n4\n", "line 2: expected a whole number of ms, not less than 5, got 4"),
        ("0\n0\n", "line 2: expected the last time"),
        ("0,1\n2\n", "line 2: expected 2 numbers as before, got 1"),
        ("0,1,2\n", "line 1: expected one whole number (ms) or two numbers"),
        ("0 1\n0 1\n", "line 2: expected a time after 0 s, got 0"),
        ("0 1\n1 -1\n", "line 2: expected a rate of 0 Mbit/s or more, got -1"),
        ("0 0\n1 0\n", "expected at least 0.001 Mbit/s on average, got 0"),
        ("0 inf\n", "line 1: expected one whole number (ms) or two numbers"),
    ],
)
def test_a_mistake_in_a_trace_names_file_line_and_expectation(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load_trace(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'trace'}: ") and told in str(error.value)


def test_a_trace_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="expected a trace as text"):
        trace.load(path)


sizes = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 3000)), min_size=1, max_size=60)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8).filter(lambda r: sum(r) > 1e3), sizes)
def test_rates_carry_exactly_what_they_can(rates: list[float], sent: list[tuple[float, int]]) -> None:
    """What leaves between two moments is the integral of the rate, worked out here step by step."""
    capacity = Rates(tuple(map(float, range(len(rates)))), tuple(rates), float(len(rates)))
    free_s = 0.0
    for wait_s, size in sent:
        begin_s = free_s + wait_s
        free_s = capacity.sent(begin_s, size)
        assert free_s >= begin_s
        assert integral(rates, begin_s, free_s) == pytest.approx(size, rel=1e-3, abs=0.5)


def integral(rates: list[float], begin_s: float, end_s: float) -> float:
    total, at_s = 0.0, begin_s
    while at_s < end_s:
        until_s = min(float(int(at_s) + 1), end_s)
        total += (until_s - at_s) * rates[int(at_s) % len(rates)]
        at_s = until_s
    return total


moments = st.lists(st.integers(0, 500), min_size=1, max_size=20).map(sorted).filter(lambda at: at[-1] > 0)


@given(moments, sizes)
def test_opportunities_never_carry_more_than_their_lines(
    at_ms: list[int], sent: list[tuple[float, int]]
) -> None:
    """Between two packets' ends there are lines enough for what left, the first end's own line included."""
    capacity = Opportunities(tuple(moment / 1000 for moment in at_ms), at_ms[-1] / 1000)
    ends_s = [0.0]
    for wait_s, size in sent:
        ends_s.append(capacity.sent(ends_s[-1] + wait_s, size))
        assert ends_s[-1] >= ends_s[-2] + wait_s
    cycles = int(ends_s[-1] * 1000 // at_ms[-1]) + 2
    lines_ms = [cycle * at_ms[-1] + moment for cycle in range(cycles) for moment in at_ms]
    for first in range(len(sent)):
        carried = 0
        for last in range(first, len(sent)):
            carried += sent[last][1]
            low, high = ends_s[first] * 1000 - 1e-6, ends_s[last + 1] * 1000 + 1e-6
            room = sum(low <= line <= high for line in lines_ms)
            assert carried <= room * OPPORTUNITY_BYTES
            if room > 20:
                break


def test_recorded_traces_are_read(data_folder: Path) -> None:
    paths = [path for path in (data_folder / "network").rglob("*") if path.is_file()]
    assert paths
    for path in paths:
        loaded = profile.load(f"trace:{path}")
        assert loaded.trace is not None and 0.01 < loaded.trace.mean_mbit_s < 1000
