"""The logic that all VADs share: windows with their audio time, starts and ends."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from extensions.vad._floor import LEAST, MEMORY_S, NoiseFloor
from extensions.vad._hysteresis import Hysteresis, Windows, windows_in
from voice_agent import audio
from voice_agent.message import AudioFrame, SpeechEnded, SpeechStarted
from voice_agent.testing import frames_of

STEP_S = 0.032
PROBABILITIES = st.lists(st.floats(0, 1), max_size=200)


def judge(
    probabilities: list[float], start: int = 2, end: int = 3, gaps: frozenset[int] = frozenset()
) -> list[tuple[int, SpeechStarted | SpeechEnded]]:
    """The events, each with the index of the window that made it known."""
    hysteresis = Hysteresis(0.5, 0.35, start, end)
    events = []
    for index, probability in enumerate(probabilities):
        event = hysteresis.push(probability, index * STEP_S, (index + 1) * STEP_S, index in gaps)
        if event:
            events.append((index, event))
    return events


@given(PROBABILITIES, st.integers(1, 5), st.integers(1, 5))
def test_starts_and_ends_alternate_and_time_goes_on(probabilities: list[float], start: int, end: int) -> None:
    events = judge(probabilities, start, end)
    kinds = [type(event) for _, event in events]
    assert kinds == [SpeechStarted, SpeechEnded] * (len(kinds) // 2) + [SpeechStarted] * (len(kinds) % 2)
    times = [event.time_s for _, event in events]
    assert times == sorted(times)
    for index, event in events:
        assert event.time_s <= (index + 1) * STEP_S


@given(PROBABILITIES, st.integers(1, 5), st.integers(1, 5))
def test_what_a_start_and_an_end_are_made_of(probabilities: list[float], start: int, end: int) -> None:
    for index, event in judge(probabilities, start, end):
        if isinstance(event, SpeechStarted):
            voiced = probabilities[index - start + 1 : index + 1]
            assert voiced[0] >= 0.5 and min(voiced) >= 0.35
            assert event.time_s == (index - start + 1) * STEP_S
            assert min(voiced) <= event.confidence + 1e-9 and event.confidence <= max(voiced) + 1e-9
        else:
            assert max(probabilities[index - end + 1 : index + 1]) < 0.35
            assert event.time_s == (index - end + 1) * STEP_S


@given(st.integers(1, 30), st.integers(1, 6))
def test_a_lasting_voice_always_starts_and_silence_always_ends(voiced: int, start: int) -> None:
    events = judge([0.9] * voiced + [0.1] * 3, start, 3)
    assert len(events) == (2 if voiced >= start else 0)


@given(PROBABILITIES, st.frozensets(st.integers(0, 199)))
def test_lost_sound_is_no_silence(probabilities: list[float], gaps: frozenset[int]) -> None:
    """Speech never ends for lost windows: what is left without them ends no sooner."""
    quiet = [0.0 if index in gaps else probability for index, probability in enumerate(probabilities)]
    heard = [probability for index, probability in enumerate(probabilities) if index not in gaps]
    with_gaps = [type(event) for _, event in judge(quiet, gaps=gaps)]
    assert with_gaps == [type(event) for _, event in judge(heard)]


@given(st.sampled_from([160, 320, 512]), st.integers(0, 40))
def test_windows_hold_the_sound_in_order_with_its_time(size: int, count: int) -> None:
    samples = np.arange(count * audio.FRAME, dtype=np.int16)
    windows = Windows(size)
    cut = [window for frame in frames_of(samples, 5.0) for window in windows.push(frame)]
    assert len(cut) == len(samples) // size
    for index, window in enumerate(cut):
        assert np.array_equal(window.samples, samples[index * size : (index + 1) * size])
        assert abs(window.start_s - (5.0 + index * size / audio.SAMPLE_RATE)) < 1e-6
        assert not window.gap


def test_a_jump_in_time_drops_the_unfinished_window() -> None:
    windows = Windows(512)
    early, late = np.full(audio.FRAME, 1, np.int16), np.full(audio.FRAME, 2, np.int16)
    assert not list(windows.push(AudioFrame(early, 0.0)))
    assert not list(windows.push(AudioFrame(late, 3.0)))
    [window] = windows.push(AudioFrame(late, 3.02))
    assert window.start_s == 3.0 and set(window.samples) == {2}


def test_a_gap_marks_every_window_it_reaches_into() -> None:
    windows = Windows(512)
    marks = []
    for index in range(8):
        frame = AudioFrame(np.zeros(audio.FRAME, np.int16), index * 0.02, gap=index == 2)
        marks += [window.gap for window in windows.push(frame)]
    # frame 2 lies at 640..960: in the windows 512..1024 and no other
    assert marks == [False, True, False, False, False]


def test_a_gap_that_fills_no_window_is_remembered() -> None:
    windows = Windows(1000)
    marks = []
    for index in range(8):
        frame = AudioFrame(np.zeros(audio.FRAME, np.int16), index * 0.02, gap=index == 0)
        marks += [window.gap for window in windows.push(frame)]
    assert marks == [True, False]


def test_durations_are_rounded_to_windows() -> None:
    assert [windows_in(duration, 32) for duration in (0, 64, 96, 100, 120)] == [1, 2, 3, 3, 4]


def test_a_start_tells_its_level() -> None:
    hysteresis = Hysteresis(0.5, 0.35, 2, 3)
    assert hysteresis.push(0.9, 0.0, STEP_S, level_db=-20.0) is None
    started = hysteresis.push(0.9, STEP_S, 2 * STEP_S, level_db=-200.0)
    assert isinstance(started, SpeechStarted)
    assert abs(started.level_db + 23.0) < 0.02  # half of the power


def test_the_floor_is_the_quiet_of_the_last_seconds() -> None:
    floor = NoiseFloor(STEP_S)
    assert [floor.nearness(-50.0) for _ in range(LEAST - 1)] == [0.0] * (LEAST - 1)
    assert floor.nearness(-50.0) == 1.0
    assert floor.nearness(-47.0) == 0.5
    assert floor.nearness(-30.0) == 0.0
    for _ in range(round(MEMORY_S / STEP_S)):  # the room has become louder
        louder = floor.nearness(-30.0)
    assert louder == 1.0
    assert floor.nearness(-50.0) == 1.0


@given(st.lists(st.floats(-100, 0), min_size=1, max_size=300))
def test_the_floor_forgets_what_it_should(levels: list[float]) -> None:
    """However it got there, it judges by the last seconds alone."""
    floor, fresh = NoiseFloor(STEP_S), NoiseFloor(STEP_S)
    memory = round(MEMORY_S / STEP_S)
    for level in levels:
        floor.nearness(level)
    for level in levels[-memory:]:
        fresh.nearness(level)
    if len(levels) >= LEAST:
        assert floor.nearness(-40.0) == fresh.nearness(-40.0)
