"""stt.pocketsphinx on synthetic callers: phrases of the vertical, and numbers asked for and not.

    python -m benchmarks.embedded_recogniser

Each utterance is the first of its call, in white noise 20 dB under the voice. *Sentences* counts those
without a wrong word, *slots* the order numbers that the dialogue reads out of them.
"""

import asyncio
import json
import random
import time
from typing import Any, Literal

import numpy as np

from extensions.stt._language_model import DIGITS
from extensions.stt.pocketsphinx import PocketsphinxStt
from extensions.tts.espeak import EspeakTts
from voice_agent import audio
from voice_agent.bench.metrics import edit_distance
from voice_agent.dialogue import slots
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.message import (
    Clause,
    Expecting,
    Message,
    Samples,
    Speech,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)
from voice_agent.testing import attach, collect, frames_of, silence

VOICES = ("en-us", "en-us+f2", "en-us+f3", "en-us+m3")
NOISE_DB = -20.0
"""Against the voice."""
PHRASES = 12
NUMBERS = 8
BEFORE_S = 0.6
HANGOVER_S = 0.1


async def spoken(text: str, voice: str) -> Samples:
    """A caller's line with noise under it, shape (n,)."""
    said = await collect(EspeakTts(voices={"en": voice}), Clause(text, turn=1))
    voiced = np.concatenate([speech.samples for speech in said.of(Speech)])
    whole = np.concatenate((silence(BEFORE_S), voiced, silence(HANGOVER_S))).astype(np.float32)
    rms = 32768 * 10 ** ((audio.level_db(voiced) + NOISE_DB) / 20)
    noise = np.random.default_rng(len(whole)).standard_normal(len(whole)) * rms
    return np.clip(whole + noise, -32768, 32767).astype(np.int16)


async def understand(samples: Samples, answer: Literal["free", "digits"]) -> tuple[str, float]:
    """The final text, and the seconds it took after the end."""
    stt = PocketsphinxStt()
    outbox = attach(stt)
    await stt.start()
    frames = frames_of(samples)
    started = round((BEFORE_S + HANGOVER_S) / audio.FRAME_S)
    messages: list[Message] = [
        Expecting(answer),
        *frames[:started],
        SpeechStarted(BEFORE_S),
        *frames[started:],
    ]
    for message in messages:
        await stt.handle(message, outbox)
    began_s = time.perf_counter()
    await stt.handle(SpeechEnded(len(samples) / audio.SAMPLE_RATE - HANGOVER_S), outbox)
    took_s = time.perf_counter() - began_s
    await stt.stop()
    return outbox.of(Transcript)[-1].text, took_s


async def measure(texts: list[str], answer: Literal["free", "digits"]) -> dict[str, Any]:
    """Every text in every voice."""
    right = words = wrong = numbers = found = 0
    ends_s = []
    for voice in VOICES:
        for text in texts:
            understood, took_s = await understand(await spoken(text, voice), answer)
            ends_s.append(took_s)
            right += understood == text
            words += len(text.split())
            wrong += edit_distance(text.split(), understood.split())
            if number := slots.find_digits(text, 4, 10):
                numbers += 1
                found += slots.find_digits(understood, 4, 10) == number
    count = len(VOICES) * len(texts)
    return {
        "sentences": f"{right}/{count}",
        "words_wrong": round(wrong / words, 3),
        "slots": f"{found}/{numbers}",
        "final_ms_p50": round(1000 * sorted(ends_s)[len(ends_s) // 2], 1),
        "final_ms_max": round(1000 * max(ends_s), 1),
    }


async def run() -> dict[str, Any]:
    rng = random.Random(4)
    phrases = rng.sample(load_vertical("customer_service").sentences("en"), PHRASES)
    numbers = [" ".join(rng.choices(DIGITS, k=4)) for _ in range(NUMBERS)]
    return {
        "phrases of the vertical": await measure([p.lower() for p in phrases], "free"),
        "numbers, not asked for": await measure(numbers, "free"),
        "numbers, asked for": await measure(numbers, "digits"),
        "phrases, when a number was asked for": await measure([p.lower() for p in phrases], "digits"),
    }


def main() -> None:
    PocketsphinxStt().prepare()
    print(json.dumps(asyncio.run(run()), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
