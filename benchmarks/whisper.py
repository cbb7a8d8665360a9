"""stt.faster_whisper as callers meet it: the time from the first hint of an end to the final text.

    python -m benchmarks.whisper

Models of Whisper's real shapes with random weights, made here: their cost does not depend on the weights, but
such a model never ends a text by itself. It is held to 12 tokens, which is what 3 s of English come to.
Sound comes in real time, 20 ms by 20 ms, with interim texts; the stock `transcribe` is timed in the same run
on the same sound with the same limit. The clock's time is what callers wait; the processor's stays comparable
on a machine that is busy with other things.
"""

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel

from extensions.stt._whisper import load
from extensions.stt.faster_whisper import FasterWhisperStt
from tests.extensions import _tiny_whisper
from voice_agent import audio
from voice_agent.message import Message, SpeechEnded, SpeechPaused, SpeechStarted, Transcript
from voice_agent.testing import attach, frames_of, silence, tone

SPEECH_S = 3.0
PAUSED_S, HANGOVER_S = 0.04, 0.1
"""What the VAD waits before it tells of the first silence, and of the end."""
TURN_S = 0.35
"""`silence_ms` of turn.silence: a text that is there by then has cost nothing."""
TOKENS = 12
ROUNDS = 5
CALLS = 4
SHAPES = {"tiny": _tiny_whisper.TINY, "base": _tiny_whisper.BASE}


class Listener:
    """One call's recogniser, fed in real time."""

    def __init__(self, folder: str, hint: bool) -> None:
        self.hint = hint
        """Whether the VAD tells of the first silence."""
        # 3 s of speech, the hangover and the onset that the VAD hears late, 5 tokens being free.
        self.stt = FasterWhisperStt(folder, tokens_per_s=0.99 * (TOKENS - 5) / (SPEECH_S + HANGOVER_S))
        self.outbox = attach(self.stt)
        self.final = asyncio.Event()
        self.cpu_s: list[float] = []
        """The process's time for each final text; of use while there is one call."""

    async def emit(self, port: str, message: Message) -> None:
        await self.outbox(port, message)
        assert isinstance(message, Transcript)
        if message.final:
            self.final.set()

    async def utterance(self) -> float:
        """Speak once; seconds from SpeechEnded to the final text."""
        self.final.clear()
        self.stt._ended_s = 0.0
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await self.stt.handle(SpeechStarted(0.0), self.emit)
        for frame in frames_of(np.concatenate((tone(SPEECH_S), silence(HANGOVER_S)))):
            await asyncio.sleep(max(0.0, began_s + frame.time_s + audio.FRAME_S - loop.time()))
            await self.stt.handle(frame, self.emit)
            if self.hint and abs(frame.time_s + audio.FRAME_S - SPEECH_S - PAUSED_S) < audio.FRAME_S / 2:
                await self.stt.handle(SpeechPaused(SPEECH_S), self.emit)
        ended_s, cpu_s = loop.time(), time.process_time()
        await self.stt.handle(SpeechEnded(SPEECH_S), self.emit)
        await self.final.wait()
        self.cpu_s.append(time.process_time() - cpu_s)
        return loop.time() - ended_s


async def calls(folder: str, count: int, hint: bool) -> dict[str, Any]:
    """So many calls at once, all ending at the same moment, which is the worst for the last of them."""
    listeners = [Listener(folder, hint) for _ in range(count)]
    for listener in listeners:
        await listener.stt.start()
    interims = listeners[0].stt._whisper.worker.interim
    before = interims.begun
    running = [asyncio.create_task(listener.stt.run(listener.emit)) for listener in listeners]
    took_s = [
        took_s
        for _ in range(ROUNDS)
        for took_s in await asyncio.gather(*(listener.utterance() for listener in listeners))
    ]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return {
        "calls": count,
        "told_of_the_first_silence": hint,
        "final_ms": milliseconds(took_s),
        "cpu_ms": milliseconds([cpu_s for listener in listeners for cpu_s in listener.cpu_s]),
        "hidden_behind_the_turn": f"{sum(took + HANGOVER_S <= TURN_S for took in took_s)}/{len(took_s)}",
        "interim_decodes_per_utterance": (interims.begun - before) / len(took_s),
    }


def stock(folder: str) -> dict[str, Any]:
    """faster-whisper's own way, on the same sound."""
    model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
    sound = audio.to_float(tone(SPEECH_S + HANGOVER_S))

    def transcribe() -> None:
        segments, _ = model.transcribe(
            sound, "en", beam_size=1, temperature=0.0, without_timestamps=True, max_new_tokens=TOKENS
        )
        list(segments)

    transcribe()
    took_s, cpu_s = [], []
    for _ in range(ROUNDS):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        transcribe()
        took_s.append(time.perf_counter() - began_s)
        cpu_s.append(time.process_time() - began_cpu_s)
    return {"ms": milliseconds(took_s), "cpu_ms": milliseconds(cpu_s)}


def milliseconds(seconds: list[float]) -> dict[str, int]:
    return {
        "p50": round(statistics.median(seconds) * 1000),
        "min": round(min(seconds) * 1000),
        "max": round(max(seconds) * 1000),
    }


def measure(name: str, folder: Path) -> dict[str, Any]:
    path = str(_tiny_whisper.write(folder / name, shape=SHAPES[name]))
    load(path, "auto", "", 1)
    late, one = asyncio.run(calls(path, 1, hint=False)), asyncio.run(calls(path, 1, hint=True))
    four = asyncio.run(calls(path, CALLS, hint=True))
    usual = stock(path)
    return {
        "model": name,
        "one": one,
        "one, without the hint": late,
        "four": four,
        "stock": usual,
        "times_faster": round(usual["cpu_ms"]["p50"] / late["cpu_ms"]["p50"], 1),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in SHAPES:
            print(json.dumps(measure(name, Path(folder)), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
