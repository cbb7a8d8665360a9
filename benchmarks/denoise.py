"""Which sound should go to the recogniser and which to the VAD: raw, or behind which denoiser?

Words: sentences of the vertical in two synthetic voices, each the first of its call after 2 s of noise, to
stt.pocketsphinx. VAD: recordings with human labels (VOICE_AGENT_DATA/vad, else synthetic sentences) after 3 s
of noise. SI-SDR, delay and cost are in `voice-agent bench nodes --only denoise`.
`python -m benchmarks.denoise [--sentences 16] [--only words|vad]` takes minutes, on all processors.
"""

import argparse
import asyncio
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import NamedTuple

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


def installed() -> list[str]:
    """Raw sound, and the denoisers that can be tried here."""
    found = [RAW]
    for name in DENOISERS:
        try:
            registry.find(name)
        except MissingExtra:
            continue
        found.append(name)
    return found


async def heard(quiet: Samples, like: Samples, noise: str, denoiser: str) -> list[AudioFrame]:
    """A sound with noise under it, so far below `like`, behind a denoiser."""
    kind, snr_db = NOISES[noise]
    under = np.resize(_noises()[kind], len(quiet)) * (sounds.rms(like) / sounds.rms(_noises()[kind]))
    frames = frames_of(sounds.clip(quiet + under * 10 ** (-snr_db / 20)))
    return frames if denoiser == RAW else (await collect(registry.find(denoiser)(), *frames)).of(AudioFrame)


@cache
def _noises() -> dict[str, Samples]:
    return {noise.name: noise.samples for noise in Material.find().noises[0]}


# --- words ----------------------------------------------------------------------------------------


def understood(case: Case) -> ErrorRate:
    """Words wrong in one call's first sentence."""

    async def call() -> str:
        voice = await sounds.say(case.subject, case.voice)
        lead, tail = (np.zeros(round(s * audio.SAMPLE_RATE), np.int16) for s in (LEAD_S, TAIL_S))
        frames = await heard(np.concatenate((lead, voice, tail)), voice, case.noise, case.denoiser)
        started = round((LEAD_S + VAD_DELAY_S) / audio.FRAME_S)
        ended = SpeechEnded(LEAD_S + len(voice) / audio.SAMPLE_RATE)
        messages: list[Message] = [*frames[:started], SpeechStarted(LEAD_S), *frames[started:], ended]
        return (await collect(PocketsphinxStt(), *messages)).of(Transcript)[-1].text

    rate = ErrorRate()
    rate.add(words(case.subject), words(asyncio.run(call())))
    return rate


def word_cases(sentences: int) -> Iterator[Case]:
    known = load_vertical("customer_service").sentences("en")
    usable = [text for text in known if 4 <= len(text.split()) <= 9 and not any(c.isdigit() for c in text)]
    chosen = random.Random(1).sample(usable, sentences)
    for noise in WORDS_IN:
        for denoiser in installed():
            yield from (Case(noise, denoiser, text, voice) for text in chosen for voice in VOICES)


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


def vad_cases() -> Iterator[Case]:
    for vad in VADS:
        yield from (Case(noise, denoiser, vad) for noise in NOISES for denoiser in installed())


# --- the tables -----------------------------------------------------------------------------------


def word_table(pool: ProcessPoolExecutor, sentences: int) -> dict[str, dict[str, float]]:
    """Words wrong, by noise and denoiser."""
    cases = list(word_cases(sentences))
    sums: dict[tuple[str, str], ErrorRate] = {}
    for case, rate in zip(cases, pool.map(understood, cases, chunksize=4), strict=True):
        total = sums.setdefault((case.noise, case.denoiser), ErrorRate())
        total.errors += rate.errors
        total.length += rate.length
    return table((noise, denoiser, rate.rate) for (noise, denoiser), rate in sums.items())


def vad_tables(pool: ProcessPoolExecutor) -> dict[str, dict[str, dict[str, float]]]:
    """False alarms and misses, by VAD, noise and denoiser."""
    cases = list(vad_cases())
    found = list(zip(cases, pool.map(told, cases), strict=True))
    return {
        f"{vad} {what}": table(
            (case.noise, case.denoiser, getattr(confusion, f"{rate}_rate"))
            for case, confusion in found
            if case.subject == vad
        )
        for vad in VADS
        for what, rate in (("false alarms", "false_alarm"), ("misses", "miss"))
    }


def table(cells: Iterable[tuple[str, str, float]]) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, float]] = {}
    for row, column, value in cells:
        rows.setdefault(row, {})[column] = round(value, 3)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure recognition and VAD behind each denoiser.")
    parser.add_argument("--sentences", type=int, default=16, help="in each voice (default 16)")
    parser.add_argument("--only", choices=("words", "vad"), help="only this half")
    given = parser.parse_args(arguments)
    with ProcessPoolExecutor() as pool:
        result: dict[str, object] = {}
        if given.only != "vad":
            result["words wrong"] = word_table(pool, given.sentences)
        if given.only != "words":
            result |= vad_tables(pool)
    print(json.dumps(result, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
