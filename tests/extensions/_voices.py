"""Callers' voices for tests of hearing, made by the tts.espeak extension.

Each sentence is the first that a process says: espeak-ng keeps a state that no call of its library resets, so
that the same sentence sounds a little different each time, and a test on an edge would pass by luck.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import numpy as np
import pytest

from voice_agent import registry
from voice_agent.errors import MissingExtra
from voice_agent.message import Clause, Message, Samples, Speech, SpeechEnded, SpeechStarted
from voice_agent.testing import collect, frames_of, run, silence

ROOM_LEVEL = 10.0
"""RMS of the noise under a recording, as no microphone is silent."""


@cache
def say(text: str, voice: str = "en-us", rate_wpm: int = 165) -> Samples:
    """A sentence in one of espeak's voices, 16 kHz, shape (n,). Skips the test when espeak is missing."""
    try:
        registry.find("tts.espeak")
    except MissingExtra as error:
        pytest.skip(str(error))
    return _speakers().submit(_spoken, text, voice, rate_wpm).result()


@cache
def _speakers() -> ProcessPoolExecutor:
    """Processes that say one sentence and end; they come from one that has loaded all and said nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1)


def _spoken(text: str, voice: str, rate_wpm: int) -> Samples:
    tts = registry.find("tts.espeak")
    spoken = run(collect(tts(voices={"en": voice}, rate_wpm=rate_wpm), Clause(text, turn=1)))  # type: ignore[call-arg]
    return np.concatenate([speech.samples for speech in spoken.of(Speech)])


def in_a_room(samples: Samples) -> Samples:
    """With a little noise under it."""
    noise = np.random.default_rng(1).standard_normal(len(samples)) * ROOM_LEVEL
    return np.clip(samples + noise, -32768, 32767).astype(np.int16)


def heard(
    speech: Samples,
    before_s: float = 0.6,
    after_s: float = 0.14,
    start_s: float = 0.0,
    vad_delay_s: float = 0.1,
) -> list[Message]:
    """What a recogniser receives of a stretch of speech: frames, and a VAD's messages, late as they are."""
    whole = in_a_room(np.concatenate((silence(before_s), speech, silence(after_s))))
    begin_s = start_s + before_s
    end_s = begin_s + len(speech) / 16_000
    messages: list[Message] = []
    started = False
    for frame in frames_of(whole, start_s):
        messages.append(frame)
        if not started and frame.time_s >= begin_s + vad_delay_s:
            messages.append(SpeechStarted(begin_s))
            started = True
    return [*messages, SpeechEnded(end_s)]
