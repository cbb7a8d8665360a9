"""Which sound should go to the recogniser and which to the VAD: raw, or behind which denoiser?

Words: sentences of the vertical in two synthetic voices, each the first of its call after 2 s of noise, to
stt.pocketsphinx. Some milliseconds that a sentence comes later, or another stretch of the noise, change words
already: each is said several times, and each time sound behind a denoiser is compared with the same sound
raw. VAD: recordings with human labels (VOICE_AGENT_DATA/vad, else synthetic sentences) after 3 s of noise.
SI-SDR, delay and cost are in `voice-agent bench nodes --only denoise`.

    python -m benchmarks.denoise [--sentences 16] [--times 2] [--only words|vad]
                                 [--noise "pink 5 dB"] [--denoiser denoise.spectral]

takes minutes, on all processors.
"""

import argparse
import asyncio
import itertools
import json
import math
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np

from benchmarks import sounds
from extensions.stt.pocketsphinx import PocketsphinxStt
from voice_agent import audio, registry
from voice_agent.bench.material import Labelled, Material
from voice_agent.bench.metrics import STEP_S, Confusion, ErrorRate, Span, mask, words
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import MissingExtra
from voice_agent.message import AudioFrame, Message, Samples, SpeechEnded, SpeechStarted, Transcript
from voice_agent.testing import collect, frames_of

Cell = TypeVar("Cell")
LEAD_S, TAIL_S = 2.0, 0.3
VAD_LEAD_S = 3.0
VAD_DELAY_S = 0.1
VOICES = ("en-us", "en-gb-x-rp")
RAW = "raw"
DENOISERS = ("denoise.spectral", "denoise.webrtc", "denoise.noisereduce")
VADS = ("vad.silero", "vad.webrtc")
NOISES = {
    "clean": ("white", 50.0),
    "white 5 dB": ("white", 5.0),
    "white 0 dB": ("white", 0.0),
    "pink 5 dB": ("pink", 5.0),
    "pink 0 dB": ("pink", 0.0),
    "babble 5 dB": ("babble", 5.0),
    "babble 0 dB": ("babble", 0.0),
}
"""What is behind the voice, and how far below it in dB."""
WORDS_IN = ("clean", "white 5 dB", "pink 5 dB", "babble 5 dB")
"""A recogniser understands too little in more noise than that to compare."""


class Case(NamedTuple):
    """What is measured in one go."""

    noise: str
    denoiser: str
    subject: str
    """The sentence, or the VAD."""
    voice: str = ""
    time: int = 0
    """The how manieth time it is said."""


def installed(wanted: Sequence[str]) -> list[str]:
    """Raw sound, and which of the denoisers can be tried here."""
    found = [RAW]
    for name in wanted:
        try:
            registry.find(name)
        except MissingExtra:
            continue
        found.append(name)
    return found


async def heard(
    quiet: Samples, like: Samples, noise: str, denoiser: str, since: float = 0.0
) -> list[AudioFrame]:
    """A sound with noise under it, so far below `like`, behind a denoiser; `since` says where the noise
    begins in its recording, 0..1."""
    kind, snr_db = NOISES[noise]
    noises = np.roll(_noises()[kind], -round(since * len(_noises()[kind])))
    under = np.resize(noises, len(quiet)) * (sounds.rms(like) / sounds.rms(noises))
    frames = frames_of(sounds.clip(quiet + under * 10 ** (-snr_db / 20)))
    return frames if denoiser == RAW else (await collect(registry.find(denoiser)(), *frames)).of(AudioFrame)


@cache
def _noises() -> dict[str, Samples]:
    return {noise.name: noise.samples for noise in Material.find().noises[0]}


# --- words ----------------------------------------------------------------------------------------


def understood(case: Case) -> ErrorRate:
    """Words wrong in one call's first sentence, which begins within 20 ms after LEAD_S."""
    chance = random.Random(f"{case.subject} {case.voice} {case.time}")
    lead_s, since = LEAD_S + chance.random() * audio.FRAME_S, chance.random()

    async def call() -> str:
        voice = await sounds.say(case.subject, case.voice)
        lead, tail = (np.zeros(round(s * audio.SAMPLE_RATE), np.int16) for s in (lead_s, TAIL_S))
        frames = await heard(np.concatenate((lead, voice, tail)), voice, case.noise, case.denoiser, since)
        started = round((lead_s + VAD_DELAY_S) / audio.FRAME_S)
        ended = SpeechEnded(lead_s + len(voice) / audio.SAMPLE_RATE)
        messages: list[Message] = [*frames[:started], SpeechStarted(lead_s), *frames[started:], ended]
        return (await collect(PocketsphinxStt(), *messages)).of(Transcript)[-1].text

    rate = ErrorRate()
    rate.add(words(case.subject), words(asyncio.run(call())))
    return rate


def word_cases(sentences: int, times: int, noises: Sequence[str], denoisers: Sequence[str]) -> Iterator[Case]:
    known = load_vertical("customer_service").sentences("en")
    usable = [text for text in known if 4 <= len(text.split()) <= 9 and not any(c.isdigit() for c in text)]
    chosen = random.Random(1).sample(usable, sentences)
    for noise, denoiser, text, voice in itertools.product(noises, installed(denoisers), chosen, VOICES):
        yield from (Case(noise, denoiser, text, voice, time) for time in range(times))


# --- VAD ------------------------------------------------------------------------------------------


def told(case: Case) -> Confusion:
    """How a VAD tells speech from none in the labelled recordings."""
    confusion = Confusion()
    for one in Material.find().labelled[0]:
        steps = round(one.until_s / STEP_S)
        confusion.add(mask(one.speech, steps), mask(asyncio.run(_speech(one, case)), steps))
    return confusion


async def _speech(one: Labelled, case: Case) -> list[Span]:
    lead, tail = (np.zeros(round(s * audio.SAMPLE_RATE), np.int16) for s in (VAD_LEAD_S, TAIL_S))
    frames = await heard(np.concatenate((lead, one.samples, tail)), one.samples, case.noise, case.denoiser)
    out = await collect(registry.find(case.subject)(), *frames)
    ends = [*(end.time_s for end in out.of(SpeechEnded)), frames[-1].time_s]
    starts = (start.time_s for start in out.of(SpeechStarted))
    return [
        Span(start_s - VAD_LEAD_S, end_s - VAD_LEAD_S) for start_s, end_s in zip(starts, ends, strict=False)
    ]


def vad_cases(noises: Sequence[str], denoisers: Sequence[str]) -> Iterator[Case]:
    for vad in VADS:
        yield from (Case(noise, denoiser, vad) for noise in noises for denoiser in installed(denoisers))


# --- the tables -----------------------------------------------------------------------------------


def word_tables(
    pool: ProcessPoolExecutor, cases: Sequence[Case]
) -> dict[str, dict[str, dict[str, float | list[float]]]]:
    """By noise and denoiser: words wrong, and how many more that is than in the same sound raw, with the
    standard error of that; the mistakes in one sentence belong together."""
    found: dict[tuple[str, str], dict[str, ErrorRate]] = {}
    for case, rate in zip(cases, pool.map(understood, cases, chunksize=4), strict=True):
        total = found.setdefault((case.noise, case.denoiser), {}).setdefault(case.subject, ErrorRate())
        total.errors += rate.errors
        total.length += rate.length
    wrong, more = {}, {}
    for (noise, denoiser), sentences in found.items():
        length = sum(rate.length for rate in sentences.values())
        wrong[noise, denoiser] = round(sum(rate.errors for rate in sentences.values()) / length, 3)
        if denoiser != RAW:
            raw = found[noise, RAW]
            errors = [rate.errors - raw[text].errors for text, rate in sentences.items()]
            spread = statistics.stdev(errors) * math.sqrt(len(errors)) if len(errors) > 1 else math.nan
            more[noise, denoiser] = [round(sum(errors) / length, 3), round(spread / length, 3)]
    return {"words wrong": table(wrong), "more than raw, standard error": table(more)}


def vad_tables(pool: ProcessPoolExecutor, cases: Sequence[Case]) -> dict[str, dict[str, dict[str, float]]]:
    """False alarms and misses, by VAD, noise and denoiser."""
    found = list(zip(cases, pool.map(told, cases), strict=True))
    return {
        f"{vad} {what}": table(
            {
                (case.noise, case.denoiser): round(getattr(confusion, f"{rate}_rate"), 3)
                for case, confusion in found
                if case.subject == vad
            }
        )
        for vad in VADS
        for what, rate in (("false alarms", "false_alarm"), ("misses", "miss"))
    }


def table(cells: Mapping[tuple[str, str], Cell]) -> dict[str, dict[str, Cell]]:
    rows: dict[str, dict[str, Cell]] = {}
    for (row, column), cell in cells.items():
        rows.setdefault(row, {})[column] = cell
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure recognition and VAD behind each denoiser.")
    parser.add_argument("--sentences", type=int, default=16, help="in each voice (default 16)")
    parser.add_argument("--times", type=int, default=2, help="that each is said (default 2)")
    parser.add_argument("--only", choices=("words", "vad"), help="only this half")
    parser.add_argument("--noise", choices=NOISES, action="append", help="only this one; may be repeated")
    parser.add_argument("--denoiser", choices=DENOISERS, action="append", help="only raw sound and this one")
    given = parser.parse_args(arguments)
    denoisers = given.denoiser or DENOISERS
    with ProcessPoolExecutor() as pool:
        result: dict[str, object] = {}
        if given.only != "vad":
            noises = given.noise or WORDS_IN
            result |= word_tables(pool, [*word_cases(given.sentences, given.times, noises, denoisers)])
        if given.only != "words":
            result |= vad_tables(pool, [*vad_cases(given.noise or tuple(NOISES), denoisers)])
    print(json.dumps(result, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
