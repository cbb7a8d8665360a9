"""The pre-roll and a real VAD together: no recogniser misses the first sound of what is said."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from benchmarks.labelled import by_level, by_people
from benchmarks.sounds import clip, rms, white
from extensions.stt._utterance import VAD_DELAY_S, PreRoll
from extensions.vad.silero import SileroVad
from extensions.vad.webrtc import WebrtcVad
from tests.extensions._voices import in_a_room, say
from voice_agent import audio, registry
from voice_agent.errors import VoiceAgentError
from voice_agent.extension import Extension
from voice_agent.message import AudioFrame, Samples, SpeechEnded, SpeechStarted
from voice_agent.testing import attach, frames_of, run, silence

NODES = ("stt.pocketsphinx", "stt.faster_whisper", "stt.openai")
SOFT_ONSETS = ("she has four", "fifty", "how is it", "so far", "thank you", "what is in the shop", "hello")


def pre_roll_s(node: str) -> float:
    """What a recogniser keeps unless it is told otherwise."""
    try:
        return float(next(item.default for item in fields(registry.find(node)) if item.name == "pre_roll_s"))  # type: ignore[arg-type]
    except VoiceAgentError as error:
        pytest.skip(str(error))


async def heard(vad: Extension, sound: Samples, kept_s: float) -> list[list[AudioFrame]]:
    """What a recogniser is handed at each start of speech, as the STT nodes do it."""
    pre_roll, outbox, ended_s, speaking = PreRoll(kept_s), attach(vad), 0.0, False
    taken: list[list[AudioFrame]] = []
    vad.prepare()
    await vad.start()
    for frame in frames_of(sound):
        if speaking:
            taken[-1].append(frame)
        else:
            pre_roll.push(frame)
        await vad.handle(frame, outbox)
        for _, message in outbox:
            if isinstance(message, SpeechStarted):
                assert frame.time_s + audio.FRAME_S - message.time_s < VAD_DELAY_S
                taken.append(pre_roll.take(message.time_s, ended_s))
                speaking = True
            elif isinstance(message, SpeechEnded):
                ended_s, speaking = message.time_s, False
        outbox.clear()
    return taken


def cut_s(taken: list[list[AudioFrame]], start_s: float) -> float:
    """How much of speech that begins at a time is missing in what was handed over; none if 0 or less."""
    whole = [frames[0].time_s for frames in taken if frames[-1].time_s > start_s]
    assert whole, f"nothing was heard at {start_s:.2f} s"
    return min(whole) - start_s


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("text", SOFT_ONSETS)
def test_the_first_sound_of_a_synthetic_voice_is_not_cut(text: str, node: str) -> None:
    voice = say(text)
    first_s = 1.0 + int(np.flatnonzero(np.abs(voice) > 8)[0]) / audio.SAMPLE_RATE
    sound = in_a_room(np.concatenate((silence(1.0), voice, silence(0.4))))
    for vad in (SileroVad(), WebrtcVad()):
        taken = run(heard(vad, sound, pre_roll_s(node)))
        assert cut_s(taken, first_s) <= 0
        for frames in taken:
            times = [frame.time_s for frame in frames]
            assert np.allclose(np.diff(times), audio.FRAME_S)


@pytest.mark.parametrize("pause_s", [0.2, 0.3, 0.5])
def test_speech_soon_after_speech_loses_nothing_and_repeats_nothing(pause_s: float) -> None:
    """The pre-roll reaches back to the end of the speech before, no further."""
    first, second = say("where is my order"), say("she has four")
    sound = in_a_room(np.concatenate((silence(0.6), first, silence(pause_s), second, silence(0.5))))
    second_s = 0.6 + pause_s + (len(first) + int(np.flatnonzero(np.abs(second) > 8)[0])) / audio.SAMPLE_RATE
    taken = run(heard(SileroVad(), sound, 0.4))
    assert cut_s(taken, second_s) <= 0
    last_word_s = 0.6 + int(np.flatnonzero(np.abs(first) > 300)[-1]) / audio.SAMPLE_RATE
    for frames in taken[1:]:
        assert frames[0].time_s >= last_word_s


def test_the_first_sound_of_recorded_voices_is_not_cut(data_folder: Path) -> None:
    """Onsets as people and as levels tell them, clean and in white noise at 5 dB."""
    clips = [*by_people(data_folder), *by_level(data_folder)]
    assert len(clips) > 20
    for one in clips:
        noise = white(len(one.sound), -20)
        noisy = clip(one.sound + noise * (one.voice_rms / rms(noise)) * 10 ** (-5 / 20))
        for sound in (one.sound, noisy):
            taken = run(heard(SileroVad(), sound, pre_roll_s("stt.pocketsphinx")))
            assert cut_s(taken, one.spans[0][0]) <= 0
