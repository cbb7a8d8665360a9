"""The benchmark of VADs: its reference is Silero's authors' function, and its figures are what they say."""

import numpy as np
import pytest
from faster_whisper.vad import VadOptions, get_speech_timestamps

from benchmarks.labelled import Clip, loud_spans
from benchmarks.sounds import white
from benchmarks.vad import NEAR_S, PAD_S, Heard, Stretch, measure, reference
from tests.extensions._voices import in_a_room, say
from voice_agent import audio
from voice_agent.message import Samples
from voice_agent.testing import run, silence, tone

SPANS = [(0.5, 1.5), (2.0, 3.0)]


@pytest.mark.parametrize("cut", [0, 100, 300])
@pytest.mark.parametrize("noise_db", [-90, -35])
def test_the_reference_is_what_its_authors_publish(cut: int, noise_db: int) -> None:
    pieces = [silence(0.5), say("where is my order"), silence(0.4), say("she has four"), silence(0.6)]
    sound = in_a_room(np.concatenate(pieces))[cut:]
    sound = (sound // 2 + white(len(sound), noise_db)).astype(np.int16)
    options = VadOptions(
        threshold=0.5,
        min_speech_duration_ms=250,
        min_silence_duration_ms=100,
        speech_pad_ms=round(1000 * PAD_S),
    )
    theirs = get_speech_timestamps(audio.to_float(sound), options)
    ours = run(reference(sound)).speech
    assert len(theirs) >= 2
    assert [(one["start"], one["end"]) for one in theirs] == [
        (round(one.start_s * audio.SAMPLE_RATE), round(one.end_s * audio.SAMPLE_RATE)) for one in ours
    ]


def figures(heard: Heard) -> dict[str, float]:
    async def vad(sound: Samples) -> Heard:
        return heard.later((len(sound) - len(clip.sound)) / audio.SAMPLE_RATE)

    clip = Clip(silence(4.0), 1.0, SPANS, 4.0)
    return run(measure(vad, [clip], None))


def test_who_hears_everything_as_it_is_labelled_is_faultless() -> None:
    found = figures(Heard([Stretch(start, end, end + 0.2) for start, end in SPANS], [1.54, 3.06]))
    assert found["false_alarms"] == found["misses"] == found["untrue_hints_per_s"] == found["early_ends"] == 0
    assert (found["hint_p50_ms"], found["end_p50_ms"], found["hints_of_ends"]) == (50, 200, 1)


def test_every_fault_is_counted() -> None:
    speech = [Stretch(0.5, 0.9, 1.1), Stretch(1.0, 1.5, 1.7), Stretch(2.0, 3.4, 3.6)]
    found = figures(Heard(speech, [1.0, 1.5 - NEAR_S / 2, 1.54, 3.5]))
    assert found["misses"] == pytest.approx(0.1 / 2)
    assert found["false_alarms"] == pytest.approx(0.4 / 2)
    assert found["early_ends"] == 0.5
    assert found["untrue_hints_per_s"] == 0.5
    assert (found["hint_p50_ms"], found["hints_of_ends"]) == (40, 0.5)


def test_levels_tell_where_a_voice_is() -> None:
    sound = np.concatenate(
        (silence(0.5), tone(1.0), silence(0.1), tone(0.5), silence(0.6), tone(0.4), silence(0.4))
    )
    spans = loud_spans((sound + white(len(sound), -60)).astype(np.int16))
    assert np.allclose(spans, [(0.5, 2.1), (2.7, 3.1)], atol=0.021)
