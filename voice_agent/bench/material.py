"""What nodes are measured on: recordings from the folder VOICE_AGENT_DATA, or synthetic voices and noises.

The folder holds `speech/transcripts.csv` (file, lang, text), `vad/segments.csv` (file, start_s, end_s,
speech), `noise/noise.csv` (file, category) and `rir/`, room impulse responses; each is optional.
"""

import asyncio
import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from voice_agent import audio
from voice_agent.audio import SAMPLE_RATE
from voice_agent.bench.metrics import Span, joined
from voice_agent.calls.ear import voiced
from voice_agent.calls.script import say
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import InputError
from voice_agent.message import Samples
from voice_agent.stress.sounds import VOICES, pink_noise
from voice_agent.testing import silence

VARIABLE = "VOICE_AGENT_DATA"
RECORDED = "recorded"
SYNTHETIC = "synthetic"
VERTICAL = "customer_service"
SENTENCES = 12
"""Of the vertical, in each voice: evenly chosen from all that it knows."""
ROOM_DB = -62.0
"""Level of the noise under synthetic speech, as no microphone is silent."""
PAUSE_S = 0.8
SPEECH_S = 40.0
"""Of recorded speech at most so much is mixed with noise."""
NOISE_S = 30.0
READABLE = (".wav", ".flac", ".ogg", ".mp3")


@dataclass(frozen=True, eq=False)
class Utterance:
    """Somebody says a sentence."""

    samples: Samples
    text: str
    language: str


@dataclass(frozen=True, eq=False)
class Labelled:
    """A recording, and where speech is in it."""

    samples: Samples
    speech: Sequence[Span]
    until_s: float
    """What comes later is not labelled."""


@dataclass(frozen=True, eq=False)
class Noise:
    """What sounds behind a voice."""

    name: str
    samples: Samples


@dataclass(frozen=True)
class Material:
    """All that can be measured on, each kind with its origin: RECORDED or SYNTHETIC."""

    folder: Path | None

    @classmethod
    def find(cls) -> "Material":
        """By the environment. Raises InputError when it names no folder."""
        named = os.environ.get(VARIABLE)
        if named and not Path(named).is_dir():
            raise InputError(f"{VARIABLE}: expected a folder, got {named!r}")
        return cls(Path(named) if named else None)

    def _rows(self, file: str) -> list[dict[str, str]]:
        path = self.folder / file if self.folder else None
        if path is None or not path.exists():
            return []
        with path.open(encoding="utf-8", newline="") as opened:
            return list(csv.DictReader(opened))

    @cached_property
    def utterances(self) -> list[Utterance]:
        """Recorded sentences with their words; none without the folder."""
        rows = [row for row in self._rows("speech/transcripts.csv") if row["file"].endswith(READABLE)]
        return [Utterance(self._read("speech", row["file"]), row["text"], row["lang"]) for row in rows]

    @cached_property
    def labelled(self) -> tuple[list[Labelled], str]:
        """Recordings with human labels, or synthetic sentences whose ends are known to the sample."""
        files: dict[str, list[tuple[Span, bool]]] = {}
        for row in self._rows("vad/segments.csv"):
            span = Span(float(row["start_s"]), float(row["end_s"]))
            files.setdefault(row["file"], []).append((span, row["speech"] == "1"))
        if files:
            return [self._recording(file, labels) for file, labels in files.items()], RECORDED
        return [_labelled(sentence.samples) for sentence in sentences("en")], SYNTHETIC

    @cached_property
    def speech(self) -> tuple[Samples, str]:
        """Some sentences by several people, one after the other, with pauses."""
        found, origin = self.utterances, RECORDED
        if not found:
            found, origin = sentences("en"), SYNTHETIC
        pieces: list[Samples] = []
        for utterance in found:
            if sum(map(len, pieces)) + len(utterance.samples) <= SPEECH_S * SAMPLE_RATE:
                pieces += [_levelled(utterance.samples), silence(PAUSE_S / 2)]
        return np.concatenate(pieces), origin

    @cached_property
    def noises(self) -> tuple[list[Noise], str]:
        """White, pink and babble; the last one recorded if there is a recording."""
        rows = [row for row in self._rows("noise/noise.csv") if row["category"] == "babble"]
        recorded = self._read("noise", rows[0]["file"]) if rows else None
        babble = _babble() if recorded is None else recorded[: round(NOISE_S * SAMPLE_RATE)]
        noises = [Noise("white", white_noise()), Noise("pink", pink_noise(1)), Noise("babble", babble)]
        return noises, SYNTHETIC if recorded is None else RECORDED

    @cached_property
    def room(self) -> tuple[Samples, str]:
        """How a room answers a click."""
        paths = sorted((self.folder / "rir").rglob("*.wav")) if self.folder else []
        for path in paths:
            samples = audio.read(path)
            if len(samples) >= SAMPLE_RATE // 2:
                return samples, RECORDED
        return _decay(), SYNTHETIC

    def _recording(self, file: str, labels: Sequence[tuple[Span, bool]]) -> Labelled:
        speech = joined(span for span, is_speech in labels if is_speech)
        return Labelled(self._read("vad", file), speech, max(span.end_s for span, _ in labels))

    def _read(self, kind: str, file: str) -> Samples:
        assert self.folder is not None
        return audio.read(self.folder / kind / file)


@cache
def sentences(language: str) -> list[Utterance]:
    """Sentences of the vertical, in turn in each of several synthetic voices."""
    voices = VOICES.get(language, ("",))

    async def speak() -> list[Utterance]:
        spoken = [(text, await say(text, language, voice)) for voice in voices for text in texts(language)]
        return [Utterance(_in_a_room(line.samples), text, language) for text, line in spoken]

    return asyncio.run(speak())


def texts(language: str) -> list[str]:
    """What callers of the vertical say."""
    known = load_vertical(VERTICAL).sentences(language)
    return [known[index * len(known) // SENTENCES] for index in range(SENTENCES)]


def white_noise(seconds: float = 10.0) -> Samples:
    """Noise of -30 dB, as much in every hertz."""
    noise = np.random.default_rng(1).standard_normal(round(seconds * SAMPLE_RATE))
    return audio.to_int16(noise * 10 ** (-30 / 20))


def _in_a_room(samples: Samples) -> Samples:
    noise = np.random.default_rng(len(samples)).standard_normal(len(samples))
    noise *= 10 ** (ROOM_DB / 20) * audio.FULL_SCALE
    return np.clip(np.rint(samples + noise), -32768, 32767).astype(np.int16)


def _labelled(samples: Samples) -> Labelled:
    whole = _in_a_room(np.concatenate((silence(PAUSE_S), samples, silence(PAUSE_S))))
    span = voiced(samples)
    assert span is not None
    start_s = PAUSE_S + span.first / SAMPLE_RATE
    speech = Span(start_s, PAUSE_S + (span.last + 1) / SAMPLE_RATE)
    return Labelled(whole, [speech], len(whole) / SAMPLE_RATE)


def _levelled(samples: Samples, level_db: float = -23.0) -> Samples:
    """At one level, so that no voice vanishes in the noise."""
    gain = 10 ** ((level_db - audio.level_db(samples)) / 20)
    return audio.to_int16(audio.to_float(samples) * gain)


def _babble(voices: int = 6, seconds: float = 12.0) -> Samples:
    """Several synthetic voices at once."""
    count = round(seconds * SAMPLE_RATE)
    everyone = np.concatenate([utterance.samples for utterance in sentences("en")])
    starts = np.random.default_rng(2).integers(0, len(everyone), voices)
    total = sum(np.resize(np.roll(everyone, -int(start)), count).astype(np.float64) for start in starts)
    return audio.to_int16(np.asarray(total) / audio.FULL_SCALE / np.sqrt(voices))


def _decay(reverberation_s: float = 0.3) -> Samples:
    """A click, and noise that falls by 60 dB in the reverberation time (Sabine's definition)."""
    t = np.arange(round(reverberation_s * SAMPLE_RATE)) / SAMPLE_RATE
    tail = np.random.default_rng(3).standard_normal(len(t)) * 10 ** (-3 * t / reverberation_s) * 0.1
    tail[0] = 0.9
    return audio.to_int16(tail)
