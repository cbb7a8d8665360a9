"""One model tried for two seconds of sound, in a process of its own, so that its memory is its own.

    python -m voice_agent.doctor.probe stt.faster_whisper '{"model": "base"}' en

The extension runs in a Session as on a call, on the real clock. Prints one JSON object.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voice_agent import audio, registry
from voice_agent.errors import ModelError, VoiceAgentError
from voice_agent.extension import Emit, Extension
from voice_agent.message import (
    AudioFrame,
    Clause,
    Failed,
    Message,
    Samples,
    Speech,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)
from voice_agent.session import FAILED, Session
from voice_agent.testing import Wiring, collect, frames_of

SECONDS = 2.0
ANSWER_S = 20.0
"""For the first result; a model that takes longer is of no use on a call."""
SENTENCES = {
    "en": "Your order is on its way, and should arrive on Monday.",
    "zh": "您的订单已经发出，预计星期一送到。",
}


@dataclass
class Source(Extension):
    """Hands the node what it takes, frames at the pace of a call."""

    messages: Sequence[Message] = ()

    outputs = {kind.__name__: kind for kind in (AudioFrame, SpeechStarted, SpeechEnded, Clause)}

    async def start(self) -> None:
        self.last_s = 0.0

    async def run(self, emit: Emit) -> None:
        start_s = time.perf_counter()
        for message in self.messages:
            if isinstance(message, AudioFrame):
                await asyncio.sleep(start_s + message.time_s + audio.FRAME_S - time.perf_counter())
            self.last_s = time.perf_counter()
            await emit(type(message).__name__, message)


@dataclass
class Sink(Extension):
    """Ends the session at the first result that counts."""

    inputs = (Message,)

    async def start(self) -> None:
        self.first_s = 0.0
        self.result: Message | None = None

    async def handle(self, message: Message, emit: Emit) -> None:
        if not isinstance(message, Transcript) or message.final:
            self.first_s, self.result = time.perf_counter(), message
            self.session.close("probed")


def probe(addon: str, properties: dict[str, Any], language: str) -> dict[str, float]:
    """Seconds to load, ms from the last input to the first result, real-time factor (processor seconds for a
    second of sound), and resident memory. Raises VoiceAgentError."""
    extension = registry.find(addon)(**properties)
    before_s = time.perf_counter()
    extension.prepare()
    load_s = time.perf_counter() - before_s
    messages = _said(language) if addon.startswith("tts.") else _heard()
    first_s, audio_s, busy_s = asyncio.run(_once(extension, messages, language))
    return {
        "load_s": round(load_s, 2),
        "first_result_ms": round(first_s * 1000, 1),
        "real_time_factor": round(busy_s / audio_s, 4),
        "memory_mb": _memory_mb(),
    }


def _said(language: str) -> list[Message]:
    return [Clause(SENTENCES[language], language, final=True, turn=1)]


def _heard() -> list[Message]:
    """Two seconds of speech between a VAD's messages."""
    frames = frames_of(_speech())
    return [frames[0], SpeechStarted(0.0), *frames[1:], SpeechEnded(SECONDS)]


def _speech() -> Samples:
    """A sentence by espeak-ng; without it a buzz of four syllables a second, which costs Whisper the same."""
    size = round(SECONDS * audio.SAMPLE_RATE)
    try:
        voice = registry.find("tts.espeak")()
        said = asyncio.run(collect(voice, Clause(SENTENCES["en"], "en", turn=1))).of(Speech)
        return np.resize(np.concatenate([speech.samples for speech in said]), size)
    except VoiceAgentError:
        t = np.arange(size) / audio.SAMPLE_RATE
        buzz = np.sum([np.sin(2 * np.pi * 120 * number * t) / number for number in range(1, 30)], axis=0)
        return audio.to_int16((0.1 * buzz * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * t))).astype(np.float32))


async def _once(
    extension: Extension, messages: Sequence[Message], language: str
) -> tuple[float, float, float]:
    """First result after the last input in s, the length of the sound in s, and processor seconds for it."""
    source, sink = Source(messages), Sink()
    ports = [port for port, kind in source.outputs.items() if issubclass(kind, extension.inputs)]
    lines = [("source", port, "node") for port in ports]
    lines += [("node", port, "sink") for port in (*extension.outputs, FAILED)]
    session = Session(Wiring({"source": source, "node": extension, "sink": sink}, lines), language=language)
    busy_s = time.process_time()
    await session.start()
    try:
        async with asyncio.timeout(ANSWER_S):
            await session.run()
    except TimeoutError:
        raise ModelError(f"nothing came within {ANSWER_S:g} s") from None
    busy_s = time.process_time() - busy_s
    result = sink.result
    if isinstance(result, Failed):
        raise ModelError("it could not do it; the log says why")
    seconds = len(result.samples) / audio.SAMPLE_RATE if isinstance(result, Speech) else SECONDS
    return sink.first_s - source.last_s, max(seconds, audio.FRAME_S), busy_s


def _memory_mb() -> float:
    """The most that was resident up to now, in units of 10^6 bytes; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0.0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def main() -> int:
    """As the arguments say; 2 and one line for a model that does not run."""
    addon, properties, language = sys.argv[1:]
    try:
        found = probe(addon, json.loads(properties), language)
    except VoiceAgentError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    print(json.dumps(found))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
