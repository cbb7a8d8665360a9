"""What callers sound like: how loud their noise is, and when they begin."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from voice_agent import audio
from voice_agent.audio import SAMPLE_RATE
from voice_agent.calls.ear import voiced
from voice_agent.calls.script import Line
from voice_agent.errors import InputError
from voice_agent.stress import sounds
from voice_agent.stress.plan import Turn
from voice_agent.stress.sounds import LEAD_S, TAIL_S, Sounds
from voice_agent.testing import silence, tone

SPOKEN = Line("hello", np.concatenate((tone(0.5), silence(0.2), tone(0.5))))
ALL = Sounds([SPOKEN], [[0]], [sounds.pink_noise(3)])


def test_silence_comes_before_the_voice() -> None:
    line = ALL.line(Turn(0, silence_s=1.5))
    assert not line.samples[: round(1.5 * SAMPLE_RATE)].any()
    assert np.array_equal(line.samples[round(1.5 * SAMPLE_RATE) :], SPOKEN.samples)
    assert line.clean is None


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_noise_is_as_far_below_the_voice_as_it_should_be(snr_db: float) -> None:
    line = ALL.line(Turn(0, snr_db=snr_db))
    assert line.clean is not None and len(line.clean) == len(line.samples)
    seconds = len(SPOKEN.samples) / SAMPLE_RATE + LEAD_S + TAIL_S
    assert len(line.samples) == pytest.approx(seconds * SAMPLE_RATE, abs=2)
    noise = line.samples.astype(np.float64) - line.clean
    middle = noise[SAMPLE_RATE // 10 : -SAMPLE_RATE // 10]  # without the fades
    level_db = 10 * np.log10(np.mean(np.square(middle / audio.FULL_SCALE)))
    assert audio.level_db(SPOKEN.samples) - level_db == pytest.approx(snr_db, abs=0.7)
    assert abs(noise[0]) <= 1 and abs(noise[-1]) <= 1, "no click"


def test_the_voice_in_noise_is_found_where_it_is() -> None:
    line = ALL.line(Turn(0, snr_db=10.0))
    assert line.clean is not None
    span, alone = voiced(line.clean), voiced(SPOKEN.samples)
    assert span is not None and alone is not None
    lead = round(LEAD_S * SAMPLE_RATE)
    assert (span.first - lead, span.last - lead) == (alone.first, alone.last)


def test_an_interruption_begins_with_the_voice_not_with_noise() -> None:
    line = ALL.line(Turn(0, barge_in_s=0.5, snr_db=10.0))
    assert line.barge_in_s == 0.5
    assert line.clean is not None
    assert np.array_equal(line.clean[: len(SPOKEN.samples)], SPOKEN.samples)


def test_pink_noise_is_the_same_for_the_same_seed_and_falls_with_frequency() -> None:
    assert np.array_equal(sounds.pink_noise(1), sounds.pink_noise(1))
    assert not np.array_equal(sounds.pink_noise(1), sounds.pink_noise(2))
    power = np.square(np.abs(np.fft.rfft(sounds.pink_noise(1) / 1.0)))
    octaves = [power[low * 10 : low * 20].mean() for low in (100, 200, 400, 800, 1600)]  # 10 s: 0.1 Hz a bin
    falls = 10 * np.log10(np.array(octaves[:-1]) / octaves[1:])
    assert falls == pytest.approx([3.0] * 4, abs=0.6)
    assert audio.level_db(sounds.pink_noise(1)) == pytest.approx(-30, abs=0.1)


def test_each_text_is_said_in_each_voice() -> None:
    made = asyncio.run(sounds.synthetic(["Yes.", "No."], "en-GB", ["en-us+f2", "en-us+m3"]))
    assert [line.said for line in made.speech] == ["Yes.", "No.", "Yes.", "No."]
    assert [list(pool) for pool in made.pools] == [[0, 1], [2, 3]]
    assert not np.array_equal(made.speech[0].samples, made.speech[2].samples)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_questions_of_a_vertical_do_not_ask_it_to_wait(language: str) -> None:
    found = sounds.questions("customer_service", language)
    assert len(found) >= 3
    assert not {"Hold on a second.", "等一下。"} & set(found)


def test_recordings_are_found_in_subfolders_if_they_are_lines(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    audio.write_wav(tmp_path / "in" / "line.wav", tone(1.0))
    audio.write_wav(tmp_path / "long.wav", tone(20.0))
    audio.write_wav(tmp_path / "nothing.wav", silence(1.0))
    found = sounds.recorded_speech(tmp_path)
    assert [line.said for line in found.speech] == ["line.wav"]
    assert [len(noise) / SAMPLE_RATE for noise in sounds.recorded_noises(tmp_path)] == [1.0, 20.0]


def test_a_folder_without_any_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder with sound files"):
        sounds.recorded_speech(tmp_path / "nowhere")
    audio.write_wav(tmp_path / "nothing.wav", silence(1.0))
    with pytest.raises(
        InputError, match=r"expected a recording of 0\.3 to 15 s in it, found none in 1 sound"
    ):
        sounds.recorded_speech(tmp_path)
    with pytest.raises(InputError, match="expected a recording with some sound"):
        sounds.recorded_noises(tmp_path)
