"""Windows with their audio time, cut out of frames."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from extensions.vad._windows import Windows
from voice_agent import audio
from voice_agent.message import AudioFrame
from voice_agent.testing import frames_of


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


@given(st.lists(st.tuples(st.sampled_from(["next", "lost", "jump"])), max_size=30))
def test_the_newest_sound_follows_a_window_in_which_nothing_was_lost(steps: list[tuple[str]]) -> None:
    """Numbered samples: with the window before it the newest sound is one run, up to the latest sample."""
    windows, time_s, last = Windows(512), 0.0, None
    for (step,) in steps:
        time_s += 5.0 if step == "jump" else 0.0
        first = round(time_s * audio.SAMPLE_RATE) % 20_000
        samples = np.arange(first, first + audio.FRAME, dtype=np.int16)
        for window in windows.push(AudioFrame(samples, time_s, gap=step == "lost")):
            last = window
        newest = windows.newest
        assert len(newest) < 512
        if len(newest):
            assert last is not None and not last.gap and step != "lost"
            assert newest[-1] == samples[-1]
            assert np.all(np.diff(newest) == 1)
            assert (
                windows._end_s - len(newest) / audio.SAMPLE_RATE - (last.start_s + 512 / audio.SAMPLE_RATE)
                < 1e-6
            )
        time_s += audio.FRAME_S
