"""Recordings in which it is known where somebody speaks: from people, or from the level where a recording is
quiet enough to tell."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import sounds
from voice_agent import audio
from voice_agent.message import Samples

TAIL_S = 0.5
"""Silence after a recording, in which its last end is told."""
ROOM_S = 0.8
"""The recording's own background after it."""
ABOVE_FLOOR_DB = 8.0
"""A voice is so much louder than the background. On the recordings that people labelled, nine ends of ten
found so lie within 42 ms of theirs; the other is a soft last sound (167 ms)."""
BELOW_PEAK_DB = 32.0
LONGEST_PAUSE_S = 0.25
"""A shorter pause lies within a stretch of speech."""
STEP = 160
"""Samples of which one level is taken: 10 ms."""


class Clip(NamedTuple):
    sound: Samples
    voice_rms: float
    """Of the recording without what was put after it; noise is mixed in relation to it."""
    spans: list[tuple[float, float]]
    """Stretches of speech, in s."""
    until_s: float
    """How far the labels go."""


def by_people(folder: Path) -> list[Clip]:
    """The recordings in vad/, stretches that touch as one."""
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    until_s: dict[str, float] = {}
    with (folder / "vad" / "segments.csv").open() as file:
        for row in csv.DictReader(file):
            start_s, end_s = float(row["start_s"]), float(row["end_s"])
            until_s[row["file"]] = end_s
            if row["speech"] != "1":
                continue
            if spans[row["file"]] and start_s - spans[row["file"]][-1][1] < 0.01:
                start_s = spans[row["file"]].pop()[0]
            spans[row["file"]].append((start_s, end_s))
    clips = []
    for name, marked in spans.items():
        recording = audio.read(folder / "vad" / name)
        sound = np.concatenate((recording, np.zeros(round(TAIL_S * audio.SAMPLE_RATE), np.int16)))
        clips.append(Clip(sound, sounds.rms(recording), marked, until_s[name]))
    return clips


def by_level(folder: Path) -> list[Clip]:
    """The recordings in speech/ that are not in vad/ too, followed by their own background."""
    known = {path.name for path in (folder / "vad").rglob("*.wav")}
    clips = []
    for path in sorted((folder / "speech").rglob("*.wav")):
        if path.name in known:
            continue
        recording = audio.read(path)
        sound = np.concatenate((recording, background(recording)))
        clips.append(
            Clip(sound, sounds.rms(recording), loud_spans(recording), len(sound) / audio.SAMPLE_RATE)
        )
    return clips


def levels(sound: Samples) -> list[float]:
    whole = len(sound) // STEP * STEP
    return [audio.level_db(piece) for piece in sound[:whole].reshape(-1, STEP)]


def loud_spans(sound: Samples) -> list[tuple[float, float]]:
    """Where the level, smoothed over 30 ms, stands out of the background."""
    power = np.convolve(10 ** (np.array(levels(sound)) / 10), np.ones(3) / 3, "same")
    smooth = 10 * np.log10(np.maximum(power, 1e-10))
    floor, peak = np.percentile(smooth, (8, 95))
    spans: list[tuple[float, float]] = []
    for index in np.flatnonzero(smooth > max(floor + ABOVE_FLOOR_DB, peak - BELOW_PEAK_DB)):
        start_s, end_s = float(index / 100), float((index + 1) / 100)
        if spans and start_s - spans[-1][1] < LONGEST_PAUSE_S:
            start_s = spans.pop()[0]
        spans.append((start_s, end_s))
    return [(start_s, end_s) for start_s, end_s in spans if end_s - start_s > 0.08]


def background(sound: Samples) -> Samples:
    """A while of the recording's quietest 0.1 s, overlapped so that nothing repeats audibly."""
    level = np.convolve(levels(sound), np.ones(10), "valid")
    grain = sound[(quietest := int(np.argmin(level))) * STEP : (quietest + 10) * STEP].astype(np.float64)
    signs = np.random.default_rng(0)
    made = np.zeros(round(ROOM_S * audio.SAMPLE_RATE) + len(grain))
    for start in range(0, len(made) - len(grain) + 1, len(grain) // 2):
        made[start : start + len(grain)] += np.hanning(len(grain)) * grain * signs.choice([-1, 1]) * 1.15
    return sounds.clip(made[: round(ROOM_S * audio.SAMPLE_RATE)])


def pink(n: int, seed: int = 1) -> Samples:
    """Noise with as much power in each octave, shape (n,)."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), n)
    return sounds.clip(noise / np.std(noise) * 1000)
