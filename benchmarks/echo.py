"""denoise.echo: how much of the agent's own voice is left, whether a caller comes through, and whether the
agent is interrupted by itself. On files, faster than real time. `python -m benchmarks.echo [--minutes 10]`

The agent's voice (tts.espeak) goes through a room to a microphone that has noise of its own, later and 12 dB
quieter than it was played. Rooms are recorded ones where VOICE_AGENT_DATA has them, else a computed one.
"""

import argparse
import asyncio
import itertools
import json
import random
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import sounds
from extensions.denoise.echo import EchoDenoise
from extensions.stt.pocketsphinx import PocketsphinxStt
from extensions.vad.silero import SileroVad
from voice_agent import audio
from voice_agent.bench.metrics import ErrorRate, words
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.message import (
    AudioFrame,
    Message,
    PlayedFrame,
    Samples,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)
from voice_agent.testing import collect, frames_of

DELAYS_MS = (20, 120, 300, 500, 800)
ECHO_DB = -12.0
MICROPHONE_DB = -70.0
"""The microphone's own noise."""
DOUBLE_TALK_DB = (-24.0, -12.0, -6.0)
"""The echo, against the agent's voice as it was played."""
SENTENCES = 20
VAD_DELAY_S = 0.1
CALLER_LINES = ("Stop, I have another question.", "Where is my order?", "I want to talk to a person, please.")


def call(heard: Samples, played: Samples) -> list[Message]:
    """The two streams as a client emits them."""
    pairs = zip(audio.frames(heard), audio.frames(played), strict=True)
    messages = ((PlayedFrame(p, i * 0.02), AudioFrame(h, i * 0.02)) for i, (h, p) in enumerate(pairs))
    return list(itertools.chain.from_iterable(messages))


async def cancel(heard: Samples, played: Samples) -> Samples:
    """What denoise.echo makes of it, as long as `heard` but for the last frame's filling."""
    out = await collect(EchoDenoise(), *call(heard, played))
    return np.concatenate([frame.samples for frame in out.of(AudioFrame)])[: len(heard)]


async def speech_in(sound: Samples) -> list[tuple[float, float]]:
    """Where vad.silero hears a voice, in s."""
    out = await collect(SileroVad(), *frames_of(sound))
    ends = [*(end.time_s for end in out.of(SpeechEnded)), len(sound) / audio.SAMPLE_RATE]
    return [(start.time_s, end) for start, end in zip(out.of(SpeechStarted), ends, strict=False)]


def microphone(played: Samples, room: sounds.Response, delay_ms: float, echo_db: float = ECHO_DB) -> Samples:
    """What the microphone hears while nobody speaks but the agent."""
    return sounds.mix(
        sounds.in_room(played, room, delay_ms, echo_db), sounds.white(len(played), MICROPHONE_DB)
    )


def echo_return_loss_db(heard: Samples, cleaned: Samples, since_s: float = 2.0) -> float:
    """Echo return loss enhancement: by how much the echo's power has fallen, from `since_s` on."""
    since = round(since_s * audio.SAMPLE_RATE)
    return audio.level_db(heard[since:]) - audio.level_db(cleaned[since:])


async def loss(room: sounds.Response, delay_ms: float) -> dict[str, float]:
    """After 2 s and, where the delay is long and has to be found first, after 10 s."""
    played = await sounds.agent_voice(30.0)
    heard = microphone(played, room, delay_ms)
    cleaned = await cancel(heard, played)
    return {f"after_{s}_s_db": round(echo_return_loss_db(heard, cleaned, s), 1) for s in (2, 10)}


async def double_talk(room: sounds.Response, echo_db: float) -> dict[str, float]:
    """A caller who speaks over the agent: the share of the voice that a VAD hears, and what else it hears."""
    played = await sounds.agent_voice(40.0)
    caller = np.zeros_like(played)
    spans = []
    for number, line in enumerate(CALLER_LINES * 3):
        voice = await sounds.say(line, "en-gb-x-rp")
        start = round((6.0 + 3.6 * number) * audio.SAMPLE_RATE)
        caller[start : start + len(voice)] = voice
        spans.append((start / audio.SAMPLE_RATE, (start + len(voice)) / audio.SAMPLE_RATE))
    level_db = audio.level_db(caller[caller != 0])
    echo = audio.level_db(played[played != 0]) + echo_db
    cleaned = await cancel(sounds.mix(microphone(played, room, 120, echo_db), caller), played)
    found = await speech_in(cleaned)
    heard_s = sum(max(0.0, min(b, d) - max(a, c)) for a, b in spans for c, d in found)
    false = [span for span in found if not any(span[0] < b + 0.3 and span[1] > a - 0.3 for a, b in spans)]
    noticed = sum(any(c < b and d > a for c, d in found) for a, b in spans)
    return {
        "caller_above_echo_db": round(level_db - echo, 1),
        "caller_heard": round(heard_s / sum(b - a for a, b in spans), 3),
        "lines_noticed": noticed / len(spans),
        "false_starts": len(false),
    }


async def words_wrong(room: sounds.Response, echo_db: float) -> dict[str, float]:
    """Of sentences of the vertical that a caller says over the agent, by stt.pocketsphinx, which is told
    where they begin and end: of the caller alone, with the echo, and behind the canceller."""
    played = await sounds.agent_voice(6.0 + 4.0 * SENTENCES)
    known = load_vertical("customer_service").sentences("en")
    usable = [text for text in known if 4 <= len(text.split()) <= 7 and not any(c.isdigit() for c in text)]
    said = random.Random(2).sample(usable, SENTENCES)
    caller = np.zeros_like(played)
    spans = []
    for number, line in enumerate(said):
        voice = await sounds.say(line, "en-gb-x-rp")
        start = round((6.0 + 4.0 * number) * audio.SAMPLE_RATE)
        caller[start : start + len(voice)] = voice[: len(caller) - start]
        spans.append((start / audio.SAMPLE_RATE, (start + len(voice)) / audio.SAMPLE_RATE))
    quiet = sounds.mix(caller, sounds.white(len(caller), MICROPHONE_DB))
    heard = sounds.mix(microphone(played, room, 120, echo_db), caller)
    ways = {"caller_alone": quiet, "with_echo": heard, "cancelled": await cancel(heard, played)}
    return {name: round(await _errors(sound, spans, said), 3) for name, sound in ways.items()}


async def _errors(sound: Samples, spans: Sequence[tuple[float, float]], said: Sequence[str]) -> float:
    """The share of words wrong in those stretches of one call."""
    messages: list[tuple[float, Message]] = [(frame.time_s, frame) for frame in frames_of(sound)]
    for start_s, end_s in spans:
        messages.append((start_s + VAD_DELAY_S, SpeechStarted(start_s)))
        messages.append((end_s + VAD_DELAY_S, SpeechEnded(end_s)))
    ordered = [message for _, message in sorted(messages, key=lambda pair: pair[0])]
    out = await collect(PocketsphinxStt(), *ordered)
    texts = [transcript.text for transcript in out.of(Transcript) if transcript.final]
    rate = ErrorRate()
    for wanted, text in zip(said, texts, strict=True):
        rate.add(words(wanted), words(text))
    return rate.rate


async def self_interruptions(room: sounds.Response, minutes: float) -> dict[str, Any]:
    """An agent that talks all the time, to nobody: how often a VAD hears a caller."""
    played = await sounds.agent_voice(minutes * 60)
    heard = microphone(played, room, 120)
    began = time.process_time()
    cleaned = await cancel(heard, played)
    cost_ms = 1000 * (time.process_time() - began) / (len(played) / audio.FRAME)
    found = await speech_in(cleaned)
    without = await speech_in(heard[: 60 * audio.SAMPLE_RATE])
    return {
        "minutes": minutes,
        "starts": len(found),
        "at_s": [round(start_s, 2) for start_s, _ in found][:10],
        "starts_a_minute_without_cancelling": len(without),
        "ms_a_frame": round(cost_ms, 3),
    }


async def run(minutes: float) -> dict[str, Any]:
    rooms = sounds.recorded_rooms() or {"computed": sounds.synthetic_room()}
    return {
        name: {
            "loss": {delay: await loss(room, delay) for delay in DELAYS_MS},
            "double_talk": [await double_talk(room, echo_db) for echo_db in DOUBLE_TALK_DB],
            "words_wrong": {echo_db: await words_wrong(room, echo_db) for echo_db in DOUBLE_TALK_DB},
            "self_interruptions": await self_interruptions(room, minutes),
        }
        for name, room in rooms.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure denoise.echo on files.")
    parser.add_argument("--minutes", type=float, default=10.0, help="of agent's speech (default 10)")
    result = asyncio.run(run(parser.parse_args(arguments).minutes))
    print(json.dumps(result, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
