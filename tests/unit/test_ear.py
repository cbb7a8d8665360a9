"""The measuring itself, on sounds whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_agent import audio
from voice_agent.audio import FRAME, FRAME_S, SAMPLE_RATE
from voice_agent.calls.ear import BargeIn, Tape, barge_in, late_frames, sounding, voiced
from voice_agent.message import Samples
from voice_agent.testing import silence, tone

MS = 0.001
SAMPLE_S = 1 / SAMPLE_RATE
RNG = np.random.default_rng(1)


def square(seconds: float, level_db: float = -20.0) -> Samples:
    """A sound whose first and last samples are as loud as all others."""
    amplitude = 10 ** (level_db / 20) * audio.FULL_SCALE
    phase = np.arange(1, round(seconds * SAMPLE_RATE) + 1) * 0.2
    return np.where(np.sin(phase) >= 0, amplitude, -amplitude).astype(np.int16)


def noise(seconds: float, level_db: float) -> Samples:
    return audio.to_int16(RNG.normal(0, 10 ** (level_db / 20), round(seconds * SAMPLE_RATE)))


def tape(*parts: Samples, start_s: float = 100.0, jitter_s: float = 0.0) -> Tape:
    """Sound as it comes, a frame every 20 ms, each late by up to `jitter_s`."""
    made = Tape()
    for number, frame in enumerate(audio.frames(np.concatenate(parts))):
        late = float(RNG.uniform(0, jitter_s)) if jitter_s else 0.0
        made.add(frame, start_s + number * FRAME_S + late)
    return made


# --- which samples sound ---


@given(st.integers(0, 3000), st.integers(100, 3000), st.integers(0, 3000), st.floats(-45, -3))
def test_a_sound_is_found_to_the_sample(before: int, length: int, after: int, level: float) -> None:
    sound = square(length / SAMPLE_RATE, level)
    found = sounding(np.concatenate((np.zeros(before, np.int16), sound, np.zeros(after, np.int16))), -50)
    assert (found[0], found[-1]) == (before, before + length - 1)


@given(st.integers(0, 400), st.floats(-90, -52))
def test_what_is_below_the_level_is_not_there(length: int, level: float) -> None:
    assert len(sounding(square(length / SAMPLE_RATE, level), -50)) == 0


def test_a_click_is_no_sound_but_does_not_hide_one() -> None:
    click = np.zeros(1600, np.int16)
    click[800] = 800  # -32 dB of full scale for one sample: -51 dB over 5 ms
    assert len(sounding(click, -50)) == 0
    found = sounding(np.concatenate((click, square(0.1), click)), -50)
    assert (found[0], found[-1]) == (1600, 3199)


def test_shorter_than_a_window() -> None:
    assert sounding(square(0.001, -20), -40).tolist() == list(range(16))
    assert len(sounding(silence(0), -50)) == 0


# --- the caller's own voice ---


@given(st.integers(0, 5000), st.integers(800, 8000), st.integers(0, 5000), st.floats(-55, -1))
def test_a_clean_utterance_is_trimmed_whatever_its_level(
    before: int, length: int, after: int, level: float
) -> None:
    utterance = np.concatenate(
        (np.zeros(before, np.int16), square(length / SAMPLE_RATE, level), np.zeros(after, np.int16))
    )
    assert voiced(utterance) == (before, before + length - 1)


def test_the_soft_end_of_a_word_is_voiced() -> None:
    """A decay of 60 dB in 600 ms is voiced for 400 ms of them."""
    fade = 10 ** (-np.arange(9600) / 9600 * 60 / 20)
    word = np.concatenate((square(0.3, -10), (square(0.6, -10) * fade).astype(np.int16), silence(0.5)))
    found = voiced(word)
    assert found is not None
    assert found.last == pytest.approx(4800 + 6400, abs=20)


@pytest.mark.parametrize("noise_db", [-75.0, -55.0, -45.0])
def test_the_noise_of_a_room_is_not_voiced(noise_db: float) -> None:
    recording = np.concatenate((silence(0.4), tone(0.8, level_db=-20), silence(0.6)))
    found = voiced(recording + noise(1.8, noise_db))
    assert found is not None
    assert found.first == pytest.approx(0.4 * SAMPLE_RATE, abs=80)  # a window
    assert found.last == pytest.approx(1.2 * SAMPLE_RATE, abs=80)


def test_silence_has_no_voice() -> None:
    assert voiced(silence(1)) is None
    assert voiced(silence(0)) is None
    assert voiced(square(0.002)) is None


# --- when it was heard ---


@settings(deadline=None)
@given(st.floats(0, 2), st.floats(0.02, 1))
def test_the_first_and_last_audible_sample_are_found_in_time(before: float, length: float) -> None:
    heard = tape(silence(before), square(length), silence(1))
    first, last = heard.first_audible(100, 200), heard.last_audible(100, 200)
    assert first == pytest.approx(100 + before, abs=1.5 * SAMPLE_S)
    assert last == pytest.approx(100 + before + length, abs=2.5 * SAMPLE_S)


def test_only_the_stretch_asked_for_counts() -> None:
    heard = tape(square(1), silence(1), square(1), silence(1))
    assert heard.first_audible(100.5, 200) == pytest.approx(100.5, abs=2 * SAMPLE_S)
    assert heard.first_audible(101, 200) == pytest.approx(102, abs=2 * SAMPLE_S)
    assert heard.first_audible(101, 101.9) is None
    assert heard.first_audible(103, 200) is None
    assert heard.last_audible(100, 102.5) == pytest.approx(102.5, abs=2 * SAMPLE_S)
    assert Tape().first_audible(0, 200) is None
    assert Tape().loudest_db(0, 200) == audio.SILENCE_DB


def test_a_frame_that_came_late_is_heard_late() -> None:
    heard = Tape()
    for number, frame in enumerate(audio.frames(np.concatenate((silence(0.1), square(0.1))))):
        heard.add(frame, number * FRAME_S + (0.25 if number >= 5 else 0))
    assert heard.first_audible(0, 10) == pytest.approx(0.35, abs=SAMPLE_S)


def test_the_loudest_stretch_gives_the_level() -> None:
    heard = tape(square(0.5, -40), square(0.5, -20), silence(1))
    assert heard.loudest_db(100, 102) == pytest.approx(-20, abs=0.1)
    assert heard.loudest_db(100, 100.4) == pytest.approx(-40, abs=0.1)
    assert heard.loudest_db(101.1, 102) == audio.SILENCE_DB


# --- barge-in ---


def approx(duck_ms: float, stop_ms: float, tolerance_ms: float = 1.0) -> BargeIn:
    return BargeIn(
        pytest.approx(duck_ms, abs=tolerance_ms),  # type: ignore[arg-type]
        pytest.approx(stop_ms, abs=tolerance_ms),  # type: ignore[arg-type]
    )


@settings(deadline=None)
@given(st.floats(0.01, 0.5), st.floats(0, 0.5), st.floats(13, 28), st.booleans())
def test_duck_and_stop_are_found(duck_s: float, then_s: float, duck_db: float, told: bool) -> None:
    speech = square(2, -20), square(duck_s, -20), square(then_s, -20 - duck_db), silence(2)
    stop_s = duck_s + then_s
    result = barge_in(tape(*speech), 102, 102 + stop_s if told else None, 104)
    assert result == approx(duck_s * 1000, stop_s * 1000)


def test_without_ducking_both_are_the_stop() -> None:
    assert barge_in(tape(square(2), square(0.3), silence(2)), 102, None, 104) == approx(300, 300)


def test_a_little_softer_is_not_ducked() -> None:
    assert barge_in(tape(square(2), square(0.3, -30), silence(2)), 102, None, 104) == approx(300, 300)


def test_a_pause_between_words_is_not_the_end() -> None:
    heard = tape(square(2), square(0.1), silence(0.25), square(0.2), silence(2))
    assert barge_in(heard, 102, None, 104) == approx(550, 550)


def test_the_end_that_the_server_tells_bridges_a_longer_pause() -> None:
    heard = tape(square(2), square(0.1), silence(0.5), square(0.2), silence(2))
    assert barge_in(heard, 102, 102.8, 104) == approx(800, 800)


@pytest.mark.parametrize("level_db", [audio.SILENCE_DB, -35.0])
def test_a_stop_that_was_taken_back_is_none(level_db: float) -> None:
    """Paused, or ducked, for half a second; then the same reply goes on."""
    heard = tape(square(2), square(0.1), square(0.5, level_db), square(1), silence(2))
    duck_ms, stop_ms, taken_back = barge_in(heard, 102, None, 103.4)
    assert duck_ms == pytest.approx(100, abs=1) and stop_ms is None and taken_back
    assert barge_in(heard, 102, 103.6, 104) == approx(1600, 1600), "a cut is none that is taken back"


def test_where_the_next_reply_begins_the_stop_was_none_that_was_taken_back() -> None:
    heard = tape(square(2), square(0.1), silence(0.5), square(1))
    assert barge_in(heard, 102, None, 102.55) == approx(100, 100)


def test_the_next_reply_is_not_taken_for_the_old_one() -> None:
    heard = tape(square(2), square(0.1), silence(0.2), square(1), silence(1))
    assert barge_in(heard, 102, 102.1, 106) == approx(100, 100)


def test_an_agent_that_speaks_on_has_not_stopped() -> None:
    assert barge_in(tape(square(5)), 102, None, 105) == BargeIn(None, None)


def test_an_agent_that_was_silent_cannot_be_interrupted() -> None:
    assert barge_in(tape(silence(5)), 102, None, 105) == BargeIn(None, None)


def test_a_pause_of_the_agent_when_the_caller_begins() -> None:
    heard = tape(square(1.8), silence(3))
    assert barge_in(heard, 102, 102.3, 104) == BargeIn(None, 0)


def test_a_soft_syllable_tells_nothing_of_ducking() -> None:
    heard = tape(square(1.9, -20), square(0.3, -35), silence(2))
    duck_ms, stop_ms, _ = barge_in(heard, 102, 102.2, 104)
    assert duck_ms is None
    assert stop_ms == pytest.approx(200, abs=1)


@settings(deadline=None, max_examples=40)
@given(st.floats(0.05, 0.6), st.integers(0, 1000))
def test_a_voice_is_measured_within_a_frame_of_jitter(stop_s: float, seed: int) -> None:
    """Noise in syllables, as a voice is, cut at any moment; frames up to 10 ms late."""
    random = np.random.default_rng(seed)
    syllables = np.repeat(random.uniform(0.3, 1, 40), SAMPLE_RATE // 8)  # 8 a second, 10 dB between them
    voice = audio.to_int16(0.05 * random.normal(0, 1, len(syllables)) * syllables)
    cut = voice[: round((2 + stop_s) * SAMPLE_RATE)]
    result = barge_in(tape(cut, silence(2), jitter_s=0.01), 102, None, 105)
    assert result.stop_ms is not None
    assert result.stop_ms == pytest.approx(stop_s * 1000, abs=12)
    assert result.duck_ms is None or 0 <= result.duck_ms <= result.stop_ms + 1


# --- frames that come late ---


def arrivals(count: int, delays: dict[int, float]) -> list[float]:
    return [number * FRAME_S + delays.get(number, 0.0) for number in range(count)]


def late(times: list[float]) -> int:
    return late_frames(times, range(len(times)))


def test_frames_on_time_are_not_late() -> None:
    assert late([]) == 0
    assert late(arrivals(500, {})) == 0
    assert late(arrivals(500, dict.fromkeys(range(0, 500, 3), 0.019))) == 0


def test_a_stall_makes_those_late_that_came_in_its_burst() -> None:
    stall = {100 + number: 0.19 - number * FRAME_S for number in range(10)}
    assert late(arrivals(500, stall)) == 9  # the last of them is 10 ms late, which is allowed


def test_a_clock_that_starts_anew_is_late_for_a_second() -> None:
    assert late(arrivals(500, dict.fromkeys(range(200, 500), 0.5))) == 49


def test_a_pause_of_the_sender_is_not_late() -> None:
    slots = [*range(100), *range(150, 200)]
    assert late_frames([slot * FRAME_S for slot in slots], slots) == 0


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=120), st.floats(-1e6, 1e6))
def test_late_frames_against_the_definition(delays: list[float], start_s: float) -> None:
    times = [start_s + number * FRAME_S + delay for number, delay in enumerate(delays)]
    offsets = [time - number * FRAME_S for number, time in enumerate(times)]
    expected = sum(
        offset - min(offsets[max(0, number - 49) : number + 1]) > FRAME_S
        for number, offset in enumerate(offsets)
    )
    assert late(times) == expected


def test_a_tape_counts_what_was_filled_in() -> None:
    heard = Tape()
    for filled in (False, True, True, False):
        heard.add(np.zeros(FRAME, np.int16), 0.0, filled)
    assert (len(heard), heard.filled) == (4, 2)
