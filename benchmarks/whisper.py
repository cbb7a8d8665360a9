"""stt.faster_whisper as callers meet it: the time from the end that the VAD tells to the final text.

    python -m benchmarks.whisper [--model tiny] [--at-once 2]

Models of Whisper's real shapes with random weights, made here: their cost does not depend on the weights, but
such a model never ends a text by itself. It is held to 12 tokens, which is what 3 s of English come to.
A voice of espeak-ng comes in real time, 20 ms by 20 ms, in a quiet room, through vad.silero, whose events
come when they come in a call, with interim texts. The stock `transcribe` is timed in the same run on the same
sound with the same limit.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from faster_whisper import WhisperModel

from benchmarks import sounds
from extensions.stt._whisper import load
from extensions.stt.faster_whisper import FasterWhisperStt
from extensions.vad.silero import SileroVad
from tests.extensions import _tiny_whisper
from voice_agent import audio
from voice_agent.message import Message, Samples, SpeechEnded, SpeechPaused, SpeechStarted, Transcript
from voice_agent.testing import attach, frames_of, silence

SENTENCE = "I want to change the address of my last order please"
LEAD_S, TAIL_S = 1.0, 0.6
"""Of the room, before and after the sentence."""
ROOM_DB = -65.0
LOUD_DB = -40.0
"""The voice begins and ends with 10 ms above this level."""
TURN_S = 0.35
"""Silence after which a turn may end: a text that is there by then has cost nothing."""
TOKENS = 12
FREE_TOKENS = 5
"""The node allows so many more than the length of the sound."""
BESIDE_S = 0.6
"""Of the room at most so much is transcribed with the voice."""
ROUNDS = 6
CALLS = 4
SHAPES = {"tiny": _tiny_whisper.TINY, "base": _tiny_whisper.BASE}


class Moments(NamedTuple):
    """Of one utterance, in seconds after the last sound of the voice."""

    paused_s: float
    """The VAD told of the silence."""
    ended_s: float
    """It told of the end."""
    final_s: float
    """The final text was there."""


@cache
def voice() -> Samples:
    """The sentence from its first to its last loud moment, shape (n,)."""
    said = asyncio.run(sounds.say(SENTENCE))
    step = audio.SAMPLE_RATE // 100
    loud = [at for at in range(0, len(said), step) if audio.level_db(said[at : at + step]) > LOUD_DB]
    return said[loud[0] : loud[-1] + step]


def voice_s() -> float:
    return len(voice()) / audio.SAMPLE_RATE


class Listener:
    """One call's recogniser behind its VAD, fed in real time."""

    def __init__(self, folder: str, at_once: int, hint: bool) -> None:
        tokens_per_s = (TOKENS - FREE_TOKENS) / (voice_s() + BESIDE_S)
        self.stt = FasterWhisperStt(folder, tokens_per_s=tokens_per_s, at_once=at_once)
        self._vad = SileroVad()
        attach(self.stt)
        attach(self._vad)
        if not hint:
            self._vad.connected -= {"speech_paused"}
        self._told_s: dict[type[Message], float] = {}
        """When a message of each class came last, by the clock."""
        self._final = asyncio.Event()
        self.moments: list[Moments] = []

    async def start(self) -> None:
        await self.stt.start()
        await self._vad.start()

    async def emit(self, port: str, message: Message) -> None:
        """For both extensions."""
        if isinstance(message, Transcript) and not message.final:
            return
        self._told_s[type(message)] = asyncio.get_running_loop().time()
        match message:
            case Transcript():
                self._final.set()
            case SpeechStarted() | SpeechPaused() | SpeechEnded() if port in self._vad.connected:
                self._final.clear()
                await self.stt.handle(message, self.emit)

    async def utterance(self, start_s: float) -> None:
        """Speak once, from that audio time on."""
        loop = asyncio.get_running_loop()
        sound = np.concatenate((silence(LEAD_S), voice(), silence(TAIL_S)))
        sound = sounds.mix(sound, sounds.white(len(sound), ROOM_DB))
        began_s = loop.time()
        for frame in frames_of(sound, start_s):
            await asyncio.sleep(max(0.0, began_s + frame.time_s - start_s + audio.FRAME_S - loop.time()))
            await self._vad.handle(frame, self.emit)
            await self.stt.handle(frame, self.emit)
        await self._final.wait()
        silent_s = began_s + LEAD_S + voice_s()
        told_s = (self._told_s.get(kind, silent_s) for kind in (SpeechPaused, SpeechEnded, Transcript))
        self.moments.append(Moments(*(moment_s - silent_s for moment_s in told_s)))


async def calls(folder: str, count: int, at_once: int, hint: bool = True) -> dict[str, Any]:
    """So many calls at once, all ending at the same moment, which is the worst for the last of them."""
    listeners = [Listener(folder, at_once, hint) for _ in range(count)]
    for listener in listeners:
        await listener.start()
    interims = listeners[0].stt._whisper.worker.interim
    before = interims.begun
    running = [asyncio.create_task(listener.stt.run(listener.emit)) for listener in listeners]
    for number in range(ROUNDS):
        await asyncio.gather(*(listener.utterance(number * 10.0) for listener in listeners))
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    told = [moments for listener in listeners for moments in listener.moments]
    return {
        "calls": count,
        "told_of_the_pause": hint,
        "paused_ms": milliseconds(moments.paused_s for moments in told),
        "ended_ms": milliseconds(moments.ended_s for moments in told),
        "final_ms": milliseconds(moments.final_s for moments in told),
        "final_after_ended_ms": milliseconds(moments.final_s - moments.ended_s for moments in told),
        "within_the_turns_silence": f"{sum(moments.final_s <= TURN_S for moments in told)}/{len(told)}",
        "interim_decodes_per_utterance": (interims.begun - before) / len(told),
    }


def stock(folder: str) -> dict[str, int]:
    """faster-whisper's own way, on the same sound: milliseconds."""
    model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
    sound = audio.to_float(voice())

    def transcribe() -> float:
        began_s = time.perf_counter()
        segments, _ = model.transcribe(
            sound, "en", beam_size=1, temperature=0.0, without_timestamps=True, max_new_tokens=TOKENS
        )
        list(segments)
        return time.perf_counter() - began_s

    transcribe()
    return milliseconds(transcribe() for _ in range(ROUNDS))


def milliseconds(seconds: Iterable[float]) -> dict[str, int]:
    found = [round(second * 1000) for second in seconds]
    return {"p50": round(statistics.median(found)), "min": min(found), "max": max(found)}


def measure(name: str, folder: Path, at_once: int) -> dict[str, Any]:
    path = str(_tiny_whisper.write(folder / name, shape=SHAPES[name]))
    load(path, "auto", "", 1, at_once)
    return {
        "model": name,
        "at_once": at_once,
        "voice_s": voice_s(),
        "one": asyncio.run(calls(path, 1, at_once)),
        "one, without the hint": asyncio.run(calls(path, 1, at_once, hint=False)),
        "four": asyncio.run(calls(path, CALLS, at_once)),
        "stock_ms": stock(path),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure how soon after its end speech is understood.")
    parser.add_argument("--model", choices=SHAPES, action="append", help="only this one")
    parser.add_argument("--at-once", type=int, default=2, help="decodes at the same time (default 2)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        for name in given.model or SHAPES:
            print(json.dumps(measure(name, Path(folder), given.at_once), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
