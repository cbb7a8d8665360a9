"""What callers do over an agent's voice, as sound with its kind; what is heard of it, moment by moment."""

import asyncio
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from extensions.tts.espeak import EspeakTts
from extensions.turn._sounds.features import FRAMES_AT, MOST, Floats, Listener, summary
from extensions.turn._sounds.model import Kinds
from extensions.vad.silero import SileroVad
from training.overlap_sounds import sounds
from voice_agent import audio
from voice_agent.audio import FRAME_S, SAMPLE_RATE
from voice_agent.dialogue.floor import Tokens, common_phrases, tokens_of
from voice_agent.message import Clause, Speech, SpeechEnded, SpeechStarted
from voice_agent.spoken import join
from voice_agent.testing import attach, collect, frames_of
from voice_agent.turn_eval import sounds as turn_eval_sounds

KINDS = Kinds._fields
SENTENCES = Path(__file__).parents[1] / "turn_words"
ESPEAK = {
    "en": (
        "en-us+f3", "en-us+m2", "en-us+m4", "en-us+m6", "en-us+m8", "en+f3", "en+m4", "en-us+Annie",
        "en-us+Alex", "en-us+Andy", "en-us+Michael", "en-us+linda", "en+Alicia", "en-us+steph",
        "en-us+edward", "en-us+zac", "en-gb-scotland+m2", "en-us+belinda", "en-us+travis", "en+victor",
    ),
    "zh": (
        "cmn+f3", "cmn+m2", "cmn+m4", "cmn+m6", "cmn+m8", "cmn+Annie", "cmn+Alex", "cmn+Andy", "cmn+Michael",
        "cmn+linda", "cmn+Alicia", "cmn+steph", "cmn+edward", "cmn+belinda",
    ),
}  # fmt: skip
"""Voices to learn from. Those of `turn-eval` are others: f1, f2, f4, f5, m1, m3, m5, m7."""
STRANGERS = {
    "en": ("en-us+f2", "en-us+f4", "en-us+m3", "en-us+m7"),
    "zh": ("cmn+f2", "cmn+f4", "cmn+m3", "cmn+m7"),
}
"""Those that the weights are tried on."""
FLITE = ("kal", "kal16", "awb", "rms", "slt")
FLITE_SHARE = 0.35
"""Of the English clips, where `flite` is installed: its voices are made of recordings of people."""
HUMMED = frozenset(map(tokens_of, (
    "mm", "mmm", "mhm", "mm hm", "mm hmm", "hm", "hmm", "hmm hm", "m", "嗯", "嗯嗯", "恩", "唔", "嗯哼",
)))  # fmt: skip
CORRECTS = {
    "en": ("no", "nope", "not", "stop", "wait", "hold", "hang", "sorry", "excuse", "pardon", "actually",
           "enough", "wrong", "never", "that's", "shut", "quiet", "be", "cancel", "forget"),
    "zh": ("不", "别", "停", "等", "错", "慢", "稍", "打", "抱",
           "闭", "够", "算", "取", "另", "换", "没", "先", "且"),
}  # fmt: skip
"""First words of phrases that want the floor at once, with which nobody begins who only listens."""
BEFORE_S, AFTER_S = 0.6, 0.5
LONGEST_S = 1.7
"""No more of a clip is needed."""
REVERBERATION = 4800
"""Samples: 0.3 s."""
LINES = {"en": 100, "zh": 80}
"""Of each kind, in a stock of a share of 1."""
HUMS = {"hum": 150, "mm_hm": 100}
TICS = {"laugh": 150, "cough": 120, "throat": 120, "breath": 30, "knocks": 30}
STEP = 2
"""Frames between two moments of a clip that are learned."""


@dataclass(frozen=True)
class Line:
    """Something that is said, with the index of its kind."""

    kind: int
    text: str
    language: str


def lines(random: np.random.Generator, language: str, count: int) -> Iterator[Line]:
    """Signs of listening, wishes for the floor, and other words, `count` of each."""
    listening = _phrases(common_phrases().backchannels, language)
    stops = _phrases(common_phrases().stops, language)
    corrections = [text for text in stops if _corrects(text, language)]
    asked = [text for text in stops if not _corrects(text, language)]
    sentences = [text for text in _sentences(language) if not _corrects(text, language)]
    for number in range(count):
        sign, sentence = _any(listening, random), _any(sentences, random)
        hummed = tokens_of(sign) in HUMMED
        yield Line(KINDS.index("hum" if hummed else "listening"), sign, language)
        rest = _any(sentences, random) if random.random() < 0.6 else ""
        yield Line(KINDS.index("floor"), join(_any(corrections, random), rest), language)
        asks = [_any(asked, random) for _ in range(3)]
        before = ("", "", "", "", *asks, "" if hummed else sign)
        yield Line(KINDS.index("words"), join(before[number % len(before)], sentence), language)


def _any(texts: Sequence[str], random: np.random.Generator) -> str:
    return texts[int(random.integers(len(texts)))]


def _phrases(known: Iterable[Tokens], language: str) -> list[str]:
    """Those of one language, in order."""
    joiner = "" if language == "zh" else " "
    return sorted(joiner.join(phrase) for phrase in known if "".join(phrase).isascii() == (language == "en"))


def _corrects(text: str, language: str) -> bool:
    return tokens_of(text)[0] in CORRECTS[language]


@cache
def _sentences(language: str) -> Sequence[str]:
    """What people say of many fields, each up to where it may be finished."""
    found = []
    for line in (SENTENCES / language / "said.txt").read_text("utf-8").splitlines():
        text = re.split("[.。]", line.removeprefix("#"))[0].strip()
        if not line.startswith("#") and text:
            found.append(text.replace(" ", "") if language == "zh" else text)
    return found


def spoken(line: Line, random: np.random.Generator, strange: bool = False) -> Floats:
    """In a voice of the training, or one that is strange to it, at a speed of its own."""
    if line.language == "en" and not strange and shutil.which("flite") and random.random() < FLITE_SHARE:
        return _flite(line.text, str(random.choice(FLITE)), random)
    voice = str(random.choice((STRANGERS if strange else ESPEAK)[line.language]))
    tts = EspeakTts(
        voices={line.language: voice},
        rate_wpm=int(random.integers(125, 215)),
        pitch=int(random.integers(25, 75)),
    )
    said = asyncio.run(collect(tts, Clause(line.text, line.language, final=True, turn=1)))
    pieces = [audio.to_float(speech.samples) for speech in said.of(Speech)]
    return np.concatenate([*pieces, np.zeros(1, np.float32)])


def _flite(text: str, voice: str, random: np.random.Generator) -> Floats:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        stretch = f"duration_stretch={random.uniform(0.8, 1.2):.2f}"
        subprocess.run(["flite", "-voice", voice, "--setf", stretch, "-t", text, "-o", file.name], check=True)
        return audio.to_float(audio.read(Path(file.name)))


def in_a_call(raw: Floats, random: np.random.Generator) -> Floats:
    """At some level, speed and distance, through some microphone, over some noise; silence around it."""
    sounding = np.flatnonzero(np.abs(raw) > 0.02 * np.abs(raw).max())
    raw = raw[sounding[0] : sounding[-1] + 1][: round(LONGEST_S * SAMPLE_RATE)]
    speed = random.uniform(0.9, 1.12)
    stretched = np.interp(np.arange(0, len(raw) - 1, speed), np.arange(len(raw)), raw)
    before_s = BEFORE_S + random.uniform(0, FRAME_S)
    total = np.concatenate((_zeros(before_s), stretched, _zeros(AFTER_S)))
    hertz = np.fft.rfftfreq(len(total), 1 / SAMPLE_RATE)
    tilt = random.uniform(-3, 3) * np.log2(np.maximum(hertz, 100) / 1000)
    low, high = random.uniform(30, 200), random.choice((3400.0, 8000.0, 8000.0, 8000.0))
    gain = 10 ** (tilt / 20) / np.sqrt((1 + (low / np.maximum(hertz, 1)) ** 4) * (1 + (hertz / high) ** 12))
    total = np.fft.irfft(np.fft.rfft(total) * gain, len(total))
    if random.random() < 0.2:
        total = _in_a_room(total, random)
    loud = np.sort(np.abs(total))[-len(stretched) // 2 :]
    total *= 10 ** (random.uniform(-34, -16) / 20) / np.sqrt(np.mean(np.square(loud)))
    noise = random.standard_normal(len(total))
    if random.random() < 0.5:
        noise = np.fft.irfft(np.fft.rfft(noise) / np.sqrt(np.maximum(hertz, 50) / 500), len(total))
    total += noise * 10 ** (random.uniform(-85, -48) / 20) / np.std(noise)
    return np.clip(total, -1, 1).astype(np.float32)


def _zeros(seconds: float) -> Floats:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def _in_a_room(sound: sounds.Floats, random: np.random.Generator) -> sounds.Floats:
    """With an echo that fades by 60 dB in REVERBERATION samples."""
    tail = random.standard_normal(REVERBERATION) * 10 ** (-3 * np.arange(REVERBERATION) / REVERBERATION)
    tail *= random.uniform(0.2, 0.8) / np.sqrt(np.sum(np.square(tail)))
    tail[0] += 1
    size = len(sound) + REVERBERATION
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]


async def moments(clip: Floats) -> list[list[Floats]]:
    """For each voice that Silero hears in a clip, the summaries of it from the moment it is known."""
    vad = SileroVad()
    outbox = attach(vad)
    await vad.start()
    frames = frames_of(audio.to_int16(clip))
    found: list[list[Floats]] = []
    begun: list[tuple[Listener, int, list[Floats]]] = []
    ended: int | None = None
    for number, frame in enumerate(frames):
        seen = len(outbox)
        await vad.handle(frame, outbox)
        for listener, since, summaries in begun[-1:]:
            if ended is None or number - ended <= 8:
                listener.hear(frame.samples)
                if len(listener.rows) < MOST and (number - since) % STEP == 0:
                    summaries.append(summary(listener.rows))
        for _, message in outbox[seen:]:
            if isinstance(message, SpeechStarted):
                first = max(1, int(message.time_s / FRAME_S))
                listener = Listener(frames[first - 1].samples)
                for earlier in frames[first : number + 1]:
                    listener.hear(earlier.samples)
                begun.append((listener, number, [summary(listener.rows)]))
                found.append(begun[-1][2])
                ended = None
            elif isinstance(message, SpeechEnded):
                ended = number
    return found


class Examples(NamedTuple):
    """Moments of sounds."""

    summaries: Floats
    """Shape (n, SIZE)."""
    kinds: npt.NDArray[np.int64]
    """Indices into KINDS; shape (n,)."""
    frames: npt.NDArray[np.int64]
    """How many frames of the sound were heard; shape (n,)."""
    clips: npt.NDArray[np.int64]
    """Which sound it is; shape (n,)."""


def examples(seed: int, share: float = 1.0, strange: bool = False) -> Examples:
    """A stock of sounds as they are heard in calls; with `strange`, in the voices and by the recipes of
    `turn-eval`. Nearly the same for the same seed, in a process that has said nothing before: now and then
    what espeak says is a sample longer or shorter."""
    random = np.random.default_rng([seed, strange])
    clips: list[tuple[int, Floats]] = []
    for language, count in LINES.items():
        clips += [
            (line.kind, spoken(line, random, strange))
            for line in lines(random, language, round(count * share))
        ]
    for name, counts in (("hum", HUMS), ("tic", TICS)):
        clips += [
            (KINDS.index(name), make(random).astype(np.float32)) for make in _recipes(counts, share, strange)
        ]
    found: list[tuple[Floats, int, int, int]] = []
    for (kind, raw), of_its_own in zip(clips, random.spawn(len(clips)), strict=True):
        for heard in asyncio.run(moments(in_a_call(raw, of_its_own))):
            number = len(found)
            found += [(one, kind, round(float(one[FRAMES_AT]) * MOST), number) for one in heard]
    summaries, kinds, frames, numbers = zip(*found, strict=True)
    return Examples(np.stack(summaries), np.array(kinds), np.array(frames), np.array(numbers))


def joined(stocks: Sequence[Examples]) -> Examples:
    """Several stocks as one, whose sounds are numbered anew."""
    firsts = np.cumsum([0, *(int(stock.clips.max()) + 1 for stock in stocks[:-1])])
    return Examples(
        summaries=np.concatenate([stock.summaries for stock in stocks]),
        kinds=np.concatenate([stock.kinds for stock in stocks]),
        frames=np.concatenate([stock.frames for stock in stocks]),
        clips=np.concatenate([stock.clips + first for stock, first in zip(stocks, firsts, strict=True)]),
    )


def _recipes(counts: Mapping[str, int], share: float, strange: bool) -> list[sounds.Recipe]:
    stock = turn_eval_sounds.RECIPES if strange else sounds.RECIPES
    return [
        stock[name] for name, count in counts.items() if name in stock for _ in range(round(count * share))
    ]
