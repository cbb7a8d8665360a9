"""Loudness of voices, and that neither pieces, cuts nor conversions click."""

from itertools import pairwise

import numpy as np
import pytest
import soxr

from extensions.tts._level import CEILING, RunningGain, amplified, levelled
from extensions.tts.espeak import EspeakTts
from voice_agent import audio
from voice_agent.audio import FRAME, Resampler
from voice_agent.media.playout import Playout
from voice_agent.message import Clause, Samples, Speech
from voice_agent.testing import collect, run, tone


def active_db(samples: Samples) -> float:
    """RMS level of the frames that are within 20 dB of the loudest."""
    levels = np.array([audio.level_db(frame) for frame in audio.frames(samples)])
    loud = levels[levels >= levels.max() - 20]
    return float(10 * np.log10(np.mean(10 ** (loud / 10))))


def steps(samples: Samples) -> int:
    """The largest step from one sample to the next: a click is a larger one than the voice makes."""
    return int(np.abs(np.diff(samples.astype(int), prepend=0, append=0)).max())


def say(text: str, language: str, voice: str) -> Samples:
    emitted = run(collect(EspeakTts(voices={language: voice}), Clause(text, language, True, turn=1)))
    return np.concatenate([speech.samples for speech in emitted.of(Speech)])


@pytest.mark.parametrize(
    ("text", "language", "voice"),
    [
        ("Your order has been shipped.", "en", "en-us+f2"),
        ("Yes.", "en", "en-us+f2"),
        ("Your order has been shipped.", "en", "en-us+m3"),
        ("Your order has been shipped.", "en", "en-us+whisper"),
        ("您的订单已经发货了。", "zh", "cmn+f2"),
        ("Votre commande est partie.", "fr", "fr"),
    ],
)
def test_voices_are_equally_loud_and_keep_clear_of_clipping(text: str, language: str, voice: str) -> None:
    """Within 1 dB; a voice of sharp peaks comes as near as they allow."""
    samples = say(text, language, voice)
    level_db, peak = active_db(samples), np.abs(samples.astype(int)).max()
    assert peak <= CEILING
    assert level_db == pytest.approx(-20, abs=1) or (peak > 0.98 * CEILING and -23 < level_db < -20)


def test_a_running_gain_brings_a_voice_to_its_level_from_its_second_clause_on() -> None:
    gain, quiet = RunningGain(-20), tone(0.5, level_db=-35)
    assert np.array_equal(amplified(quiet, gain.gain), quiet)
    for _ in range(2):
        gain.learn(quiet)
        assert active_db(amplified(quiet, gain.gain)) == pytest.approx(-20, abs=0.1)


def test_a_peak_that_is_too_loud_is_bent_not_cut() -> None:
    loud = amplified(tone(0.2, level_db=-20), 20)
    assert np.abs(loud.astype(int)).max() <= CEILING
    assert np.count_nonzero(loud == loud.max()) < 0.1 * len(loud), "no flat top"
    assert not len(levelled(np.zeros(0, np.int16), -20))


@pytest.mark.parametrize("rate", [8000, 22_050, 24_000, 48_000])
def test_a_stream_is_resampled_without_a_seam(rate: int) -> None:
    """In pieces of odd lengths as in one: the filter keeps its state."""
    t = np.arange(rate) / rate
    voice = audio.to_int16(0.3 * np.sin(2 * np.pi * 300 * t) + 0.1 * np.sin(2 * np.pi * 1100 * t))
    stream = Resampler(rate, 16_000)
    cuts = [0, 1, 480, 1111, 4000, 4001, 9000, rate]
    pieces = [voice[start:end] for start, end in pairwise(cuts)]
    joined = np.concatenate([stream.push(p, last=i == len(pieces) - 1) for i, p in enumerate(pieces)])
    whole = soxr.resample(voice, rate, 16_000, quality="MQ")
    count = min(len(joined), len(whole))
    assert abs(len(joined) - len(whole)) <= 1
    assert np.abs(joined[:count].astype(int) - whole[:count]).max() <= 2


def played(speech: list[Speech], cut_after: int | None = None) -> Samples:
    """What the caller's loudspeaker gets, cut off after so many frames."""
    playout = Playout()
    for each in speech:
        playout.push(each)
    heard: list[Samples] = []
    while playout.pending_s or not heard:
        heard.append(playout.pull())
        if len(heard) == cut_after:
            playout.cut()
    return np.concatenate([*heard, playout.pull(), playout.pull()])


def test_no_click_between_clauses_and_pieces() -> None:
    clauses = [Clause(text, final=text == "Bye.", turn=1) for text in ("Sure.", "One, two, three.", "Bye.")]
    speech = run(collect(EspeakTts(), *clauses)).of(Speech)
    voice = np.concatenate([each.samples for each in speech])
    pieces = [Speech(piece, turn=1) for piece in np.array_split(voice, 37)]
    assert np.array_equal(played(pieces)[: len(voice)], voice), "nothing lost or changed at the borders"
    assert steps(played(speech)) <= steps(voice)


def test_a_cut_makes_no_larger_step_than_the_voice_at_any_place() -> None:
    speech = run(collect(EspeakTts(), Clause("Your order has been shipped.", final=True, turn=1))).of(Speech)
    voice = speech[0].samples
    for frames in range(1, len(voice) // FRAME):
        cut = played(speech, frames)
        assert steps(cut) <= steps(voice)
        assert not cut[(frames + 1) * FRAME :].any(), "silent after the fade"
