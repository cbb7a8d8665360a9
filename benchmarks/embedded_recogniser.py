"""stt.pocketsphinx on synthetic callers: phrases of the vertical, numbers, codes and addresses asked for.

    python -m benchmarks.embedded_recogniser [--noise-db -20] [--denoise] [--only numbers,codes]

Each utterance is the first of its call, which has been silent, but for the noise, for 2 s. *Sentences*
counts those without a wrong word, *slots* the values that the dialogue reads out of them. The voices are
espeak-ng's, and those of `flite` where that is installed, which are made of recorded people. The vertical is
the shop's with a code and an address to ask for. Numbers that people say in VOICE_AGENT_DATA are taken too.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from extensions.denoise.spectral import SpectralDenoise
from extensions.stt._language_model import DIGITS
from extensions.stt.pocketsphinx import PocketsphinxStt
from extensions.tts.espeak import EspeakTts
from voice_agent import audio
from voice_agent.bench.metrics import edit_distance
from voice_agent.dialogue import slots, spelled
from voice_agent.dialogue.spelled import CODE_WORDS
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.message import (
    AudioFrame,
    Clause,
    Expecting,
    Message,
    Samples,
    Speech,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Transcript,
)
from voice_agent.testing import attach, collect, frames_of, silence

Texts = list[tuple[str, str]]
Read = Callable[[str], str | bool | None]
ESPEAK = ("en-us", "en-us+f2", "en-us+f3", "en-us+f4", "en-us+m1", "en-us+m3")
FLITE = ("awb", "rms", "slt", "kal16")
PHRASES = 12
NUMBERS = 8
CODES = 8
BEFORE_S = 2.6
PAUSED_S, HANGOVER_S = 0.04, 0.1
"""What the VAD waits before it tells of the first silence, and of the end."""
RECORDED = {"cards_004.wav": "five five", "dhd.2934z.raw": "two nine three four zero"}
"""Recordings of nothing but digits."""
STARTS = ("my order number is", "it's", "order", "the number is")
SLOTS = {
    "code": {
        "type": "letters",
        "min_length": 3,
        "max_length": 8,
        "said": {"en": ["{value}"], "zh": ["{value}"]},
    },
    "address": {"type": "email", "said": {"en": ["{value}"], "zh": ["{value}"]}},
}


@dataclass(frozen=True)
class Line:
    """From the caller to the recogniser."""

    noise_db: float
    """White noise against the voice."""
    denoise: bool
    """It is taken away as in the graphs."""


def voices() -> list[str]:
    return [*ESPEAK, *(FLITE if shutil.which("flite") else ())]


async def spoken(text: str, voice: str, line: Line) -> Samples:
    """What a caller says, as it comes to the recogniser, shape (n,)."""
    if voice in FLITE:
        voiced = flite(text, voice)
    else:
        said = await collect(EspeakTts(voices={"en": voice}), Clause(text, turn=1))
        voiced = np.concatenate([speech.samples for speech in said.of(Speech)])
    whole = np.concatenate((silence(BEFORE_S), voiced, silence(HANGOVER_S))).astype(np.float32)
    rms = 32768 * 10 ** ((audio.level_db(voiced) + line.noise_db) / 20)
    noise = np.random.default_rng(len(whole)).standard_normal(len(whole)) * rms
    noisy = np.clip(whole + noise, -32768, 32767).astype(np.int16)
    if not line.denoise:
        return noisy
    frames = await collect(SpectralDenoise(), *frames_of(noisy))
    return np.concatenate([frame.samples for frame in frames.of(AudioFrame)])


def flite(text: str, voice: str) -> Samples:
    """At the level of espeak's, shape (n,)."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", file.name], check=True)
        samples = audio.read(Path(file.name)).astype(np.float32)
    gain = 10 ** ((-20 - audio.level_db(samples.astype(np.int16))) / 20)
    levelled: Samples = np.clip(samples * gain, -32768, 32767).astype(np.int16)
    return levelled


async def understand(vertical: str, samples: Samples, expecting: Expecting) -> tuple[str, float]:
    """The final text, and the seconds it took after the end."""
    stt = PocketsphinxStt(vertical)
    outbox = attach(stt)
    await stt.start()
    frames = frames_of(samples)
    started, paused = (
        round((BEFORE_S + HANGOVER_S) / audio.FRAME_S),
        len(frames) - round((HANGOVER_S - PAUSED_S) / audio.FRAME_S),
    )
    end_s = len(samples) / audio.SAMPLE_RATE - HANGOVER_S
    messages: list[Message] = [
        expecting,
        *frames[:started],
        SpeechStarted(BEFORE_S),
        *frames[started:paused],
        SpeechPaused(end_s),
        *frames[paused:],
    ]
    for message in messages:
        await stt.handle(message, outbox)
    began_s = time.perf_counter()
    await stt.handle(SpeechEnded(end_s), outbox)
    took_s = time.perf_counter() - began_s
    await stt.stop()
    return outbox.of(Transcript)[-1].text, took_s


@dataclass
class Score:
    """Of some utterances."""

    right: int = 0
    count: int = 0
    words: int = 0
    wrong: int = 0
    values: int = 0
    found: int = 0
    ends_s: list[float] = field(default_factory=list)

    def add(self, said: str, understood: str, read: Read, took_s: float) -> None:
        self.ends_s.append(took_s)
        self.count += 1
        self.right += understood == said
        self.words += len(said.split())
        self.wrong += edit_distance(said.split(), understood.split())
        if (value := read(said)) is not None:
            self.values += 1
            self.found += read(understood) == value

    def figures(self) -> dict[str, Any]:
        ends = np.array(self.ends_s) * 1000
        return {
            "sentences": f"{self.right}/{self.count}",
            "words_right": round(1 - self.wrong / self.words, 3),
            "slots": f"{self.found}/{self.values}",
            "final_ms_p50_p95": [round(float(np.percentile(ends, q)), 1) for q in (50, 95)],
        }


async def measure(
    line: Line, vertical: str, texts: Texts, expecting: Expecting, read: Read
) -> dict[str, Any]:
    """Every text in every voice: as it is spelled for the voice, and as it is to be understood."""
    families = {"espeak": Score(), "flite": Score()}
    for voice in voices():
        for spoken_as, said in texts:
            sound = await spoken(spoken_as, voice, line)
            understood, took_s = await understand(vertical, sound, expecting)
            families["flite" if voice in FLITE else "espeak"].add(said, understood, read, took_s)
    return {name: score.figures() for name, score in families.items() if score.count}


async def recorded(vertical: str) -> dict[str, str]:
    """Digits said by people: what was said, and what was understood when digits are expected."""
    folder = Path(os.environ.get("VOICE_AGENT_DATA", "")) / "speech" / "pocketsphinx"
    understood = {}
    for name, said in RECORDED.items():
        path = folder / name
        if path.exists():
            samples = np.fromfile(path, "<i2") if path.suffix == ".raw" else audio.read(path)
            sound = np.concatenate((silence(BEFORE_S), samples, silence(HANGOVER_S)))
            understood[said] = (await understand(vertical, sound, Expecting("digits")))[0]
    return understood


def codes(rng: random.Random, as_in: bool) -> Texts:
    """Two letters and three digits; letters by their code words, or both by name and code word."""
    texts = []
    for _ in range(CODES):
        words = [word.replace("-", " ") for word in rng.sample(CODE_WORDS, 2)]
        digits = rng.choices(DIGITS, k=3)
        letters = [f"{word[0].upper()} as in {word}" for word in words] if as_in else words
        line = ", ".join([*letters, " ".join(digits)])
        texts.append((line, line.lower().replace(",", "").replace("x ray", "xray")))
    return texts


def addresses(rng: random.Random) -> Texts:
    boxes = ("gmail", "outlook", "yahoo", "example")
    return [
        (line, line.lower().replace(",", "").replace("x ray", "xray"))
        for (letters, _), box in zip(codes(rng, as_in=False)[:6], boxes * 2, strict=False)
        for line in [f"{letters} at {box} dot com"]
    ]


async def run(vertical: str, line: Line, only: list[str]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    rng = random.Random(4)
    phrases = [(p.lower(), p.lower()) for p in rng.sample(load_vertical(vertical).sentences("en"), PHRASES)]
    numbers = [" ".join(rng.choices(DIGITS, k=4)) for _ in range(NUMBERS)]
    sentences = [f"{start} {n}" for n, start in zip(numbers, cycle(STARTS), strict=False)]
    phones = [" ".join(rng.choices(DIGITS, k=length)) for length in (7, 8, 9, 10)]

    def number(text: str) -> str | None:
        return slots.find_digits(text, 4, 10)

    def code(text: str) -> str | None:
        return spelled.find_spelled(text, 3, 8)

    free, order, letters = Expecting("free"), Expecting("digits", 4, 4), Expecting("letters", 3, 8)
    plans: dict[str, tuple[Texts, Expecting, Read]] = {
        "phrases": (phrases, free, number),
        "phrases, when a number was asked for": (phrases, order, number),
        "numbers, not asked for": (as_said(numbers), free, number),
        "numbers": (as_said(numbers), order, number),
        "numbers in a sentence": (as_said(sentences), order, number),
        "numbers of unknown length": (as_said(numbers), Expecting("digits"), number),
        "phones": (as_said(phones), Expecting("digits", 7, 15), number),
        "codes": (codes(rng, as_in=False), letters, code),
        "codes, letter as in word": (codes(rng, as_in=True), letters, code),
        "addresses": (addresses(rng), Expecting("email"), spelled.find_email),
        "yes or no": (
            as_said(["yes", "no", "yes please", "no thank you"]), Expecting("yes_no"), slots.yes_no,
        ),
    }  # fmt: skip
    for name, plan in plans.items():
        if not only or name.split(",")[0] in only:
            yield name, await measure(line, vertical, *plan)
    yield "recorded", await recorded(vertical)


def as_said(lines: list[str]) -> Texts:
    """Lines that are understood as they are spelled for the voice."""
    return [(line, line) for line in lines]


def with_codes(folder: Path) -> str:
    """The shop's vertical with SLOTS; its path."""
    copy = shutil.copytree(load_vertical("customer_service").folder, folder / "shop")
    file = copy / "vertical.json"
    content = json.loads(file.read_text("utf-8"))
    content["slots"] |= SLOTS
    file.write_text(json.dumps(content), "utf-8")
    return str(copy)


async def show(vertical: str, line: Line, only: list[str]) -> None:
    """A line for each set, as soon as it is measured."""
    async for name, figures in run(vertical, line, only):
        print(json.dumps({name: figures}), flush=True)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--noise-db", type=float, default=-20.0, help="noise against the voice (-20)")
    parser.add_argument("--denoise", action="store_true", help="by denoise.spectral, as in the graphs")
    parser.add_argument("--only", default="", help="some of the sets, by their first word")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        vertical = with_codes(Path(folder))
        PocketsphinxStt(vertical).prepare()
        only = [name for name in options.only.split(",") if name]
        asyncio.run(show(vertical, Line(options.noise_db, options.denoise), only))


if __name__ == "__main__":
    main()
