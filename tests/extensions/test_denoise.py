"""The denoisers: what is taken away, what stays, and the time of each frame."""

from dataclasses import replace

import numpy as np
import pytest

from extensions.denoise import noisereduce, spectral
from extensions.denoise._quiet import Quiet
from extensions.denoise.noisereduce import NoisereduceDenoise
from extensions.denoise.spectral import SpectralDenoise
from extensions.denoise.webrtc import WebrtcDenoise
from tests.extensions._voices import say
from voice_agent import audio
from voice_agent.extension import Extension
from voice_agent.message import AudioFrame, Message, Samples
from voice_agent.testing import collect, frames_of, run, silence, tone

WEBRTC_DELAY = 96
"""Samples by which the sound of a frame is late."""
GATES = [(SpectralDenoise(), spectral.LOOK_AHEAD), (NoisereduceDenoise(), noisereduce.LOOK_AHEAD)]
ALL = [(WebrtcDenoise(), WEBRTC_DELAY), *GATES]


def clean(denoiser: Extension, messages: list[Message]) -> list[AudioFrame]:
    return run(collect(denoiser, *messages)).of(AudioFrame)


def joined(frames: list[AudioFrame]) -> Samples:
    return np.concatenate([frame.samples for frame in frames])


def noise(seconds: float, level_db: float, seed: int = 0) -> Samples:
    white = np.random.default_rng(seed).standard_normal(round(seconds * audio.SAMPLE_RATE))
    return audio.to_int16(white * 10 ** (level_db / 20))


def si_sdr_db(clean_sound: Samples, sound: Samples) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019)."""
    reference, estimate = (x.astype(np.float64) - x.mean() for x in (clean_sound, sound))
    target = reference * (np.dot(reference, estimate) / np.dot(reference, reference))
    return float(10 * np.log10(np.sum(target**2) / np.sum((estimate - target) ** 2)))


@pytest.mark.parametrize(("denoiser", "delay"), ALL)
def test_one_frame_out_for_each_frame_in(denoiser: Extension, delay: int) -> None:
    frames = [replace(frame, gap=index == 7) for index, frame in enumerate(frames_of(tone(1.0), 3.0))]
    out = clean(denoiser, list(frames))
    assert len(out) == len(frames)
    assert all(frame.samples.shape == (audio.FRAME,) and frame.samples.dtype == np.int16 for frame in out)
    assert [frame.gap for frame in out] == [frame.gap for frame in frames]


@pytest.mark.parametrize(("denoiser", "delay"), GATES)
def test_a_gate_says_which_sound_its_frames_carry(denoiser: Extension, delay: int) -> None:
    """Before the noise is known the sound passes unchanged, at the time that the frame tells."""
    samples = noise(0.2, -30)
    out = clean(denoiser, list(frames_of(samples, 3.0)))
    start = 3.0 - delay / audio.SAMPLE_RATE
    assert [frame.time_s for frame in out] == [
        pytest.approx(start + i * audio.FRAME_S) for i in range(len(out))
    ]
    assert np.array_equal(joined(out)[delay:], samples[:-delay])


def test_webrtc_keeps_the_time() -> None:
    frames = frames_of(tone(0.2), 3.0)
    assert [frame.time_s for frame in clean(WebrtcDenoise(), list(frames))] == [f.time_s for f in frames]


@pytest.mark.parametrize(("denoiser", "delay"), ALL)
def test_noise_alone_becomes_quieter(denoiser: Extension, delay: int) -> None:
    hiss = noise(4.0, -40)
    out = joined(clean(denoiser, list(frames_of(hiss))))
    settled = slice(2 * audio.SAMPLE_RATE, None)
    assert audio.level_db(out[settled]) < audio.level_db(hiss[settled]) - 6


@pytest.mark.parametrize(("denoiser", "delay"), ALL)
def test_a_voice_keeps_its_level(denoiser: Extension, delay: int) -> None:
    voice = np.concatenate((silence(0.5), say("where is my order my order number is one two three four")))
    out = joined(clean(denoiser, list(frames_of(voice))))
    assert abs(audio.level_db(out) - audio.level_db(voice)) < 3


@pytest.mark.parametrize(("denoiser", "delay"), GATES)
@pytest.mark.parametrize("snr_db", [5, 0])
def test_a_gate_brings_the_voice_out_of_the_noise(denoiser: Extension, delay: int, snr_db: int) -> None:
    voice = np.concatenate((silence(1.0), say("where is my order my order number is one two three four")))
    hiss = noise(len(voice) / audio.SAMPLE_RATE, audio.level_db(voice) - snr_db)
    noisy = (voice.astype(np.int32) + hiss).clip(-32768, 32767).astype(np.int16)
    out = joined(clean(denoiser, list(frames_of(noisy))))[audio.SAMPLE_RATE + delay :]
    out = out[: len(voice) - audio.SAMPLE_RATE]
    spoken, before = (x[audio.SAMPLE_RATE : audio.SAMPLE_RATE + len(out)] for x in (voice, noisy))
    assert si_sdr_db(spoken, out) > si_sdr_db(spoken, before) + 4


@pytest.mark.parametrize(("denoiser", "delay"), GATES)
def test_speech_is_not_learned_as_noise(denoiser: Extension, delay: int) -> None:
    """A caller who begins to talk at once, in silence, is passed on as he is."""
    voice = say("where is my order my order number is one two three four")
    out = joined(clean(denoiser, list(frames_of(voice))))
    removed = out[delay : len(voice)] - voice[:-delay]
    assert audio.level_db(removed) < audio.level_db(voice) - 15


def test_what_is_taken_for_noise_follows_the_room_and_stays_small() -> None:
    quiet = Quiet()

    def level_after(seconds: float, level_db: float) -> float:
        for frame in audio.frames(noise(seconds, level_db)):
            quiet.push(frame)
        return audio.level_db(np.concatenate(quiet.blocks))

    assert level_after(2, -40) == pytest.approx(-40, abs=1)
    assert level_after(2, -60) == pytest.approx(-60, abs=1)
    assert level_after(8, -40) == pytest.approx(-60, abs=1)
    assert level_after(6, -40) == pytest.approx(-40, abs=1)
    assert sum(map(len, quiet.blocks)) < audio.SAMPLE_RATE


@pytest.mark.parametrize(("denoiser", "delay"), GATES)
def test_digital_silence_and_lost_sound_teach_nothing(denoiser: Extension, delay: int) -> None:
    muted = [replace(frame, gap=True) for frame in frames_of(noise(2.0, -50))]
    later = list(frames_of(silence(2.0), 2.0))
    last = tone(0.1)
    out = clean(denoiser, [*muted, *later, *frames_of(last, 4.0)])
    assert np.array_equal(joined(out)[-len(last) + delay :], last[:-delay])


def test_a_quiet_call_passes_as_it_is() -> None:
    voice = np.concatenate((silence(2.0), say("where is my order")))
    quiet = (voice + noise(len(voice) / audio.SAMPLE_RATE, -70)[: len(voice)]).astype(np.int16)
    quiet = quiet[: len(quiet) // audio.FRAME * audio.FRAME]
    out = joined(clean(SpectralDenoise(), list(frames_of(quiet))))
    assert np.array_equal(out[spectral.LOOK_AHEAD :], quiet[: -spectral.LOOK_AHEAD])


def test_where_the_bands_are_left_as_they_are_nothing_changes() -> None:
    """Also where a room becomes loud, quiet, and loud again: there the work begins and ends."""
    rooms = [(2, -40), (10, -70), (11, -45)]
    sound = np.concatenate([noise(seconds, level_db) for seconds, level_db in rooms])
    works = []
    out = []

    async def emit(port: str, message: Message) -> None:
        assert isinstance(message, AudioFrame)
        out.append(message.samples)

    async def call() -> None:
        denoiser = SpectralDenoise(strength=0.0)
        await denoiser.start()
        for frame in frames_of(sound):
            await denoiser.handle(frame, emit)
            works.append(not denoiser._mask.is_open)

    run(call())
    at_the_ends = [works[round(ends_s / audio.FRAME_S) - 1] for ends_s in (0.1, 2, 12, 23)]
    assert at_the_ends == [False, True, False, True]
    heard = np.concatenate(out)[spectral.LOOK_AHEAD :]
    assert np.abs(heard - sound[: len(heard)].astype(np.int32)).max() <= 1


@pytest.mark.parametrize("sound", [np.full(audio.FRAME * 20, 32767, np.int16), silence(0.4)])
@pytest.mark.parametrize(("denoiser", "delay"), ALL)
def test_extremes_neither_fail_nor_wrap_around(denoiser: Extension, delay: int, sound: Samples) -> None:
    out = joined(clean(denoiser, list(frames_of(sound))))
    assert len(out) == len(sound) and out.min() > -32000
