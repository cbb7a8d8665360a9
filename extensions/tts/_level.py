"""What a clause's sound gets before it is played: silence off its ends, one loudness, a pause after it."""

from dataclasses import dataclass

import numpy as np

from voice_agent import audio
from voice_agent.message import Samples

SILENT = 66
"""-54 dB of full scale: what stays below is trimmed."""
CEILING = 0.9 * audio.FULL_SCALE
"""No peak goes higher, so that the voice keeps clear of clipping."""
ACTIVE = 0.01
"""A 20 ms stretch counts as voice when its power is at most 20 dB below the loudest one's."""
MEMORY = 8
"""Clauses that a running gain goes by."""
SHORT_PAUSE_S = 0.12
LONG_PAUSE_S = 0.18
"""Between sentences; with the silence a listener expects there, replies sound read rather than glued."""


def sounding(samples: Samples) -> slice:
    """Where the sound begins and ends within its silence; empty if there is none."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > SILENT)
    return slice(int(loud[0]), int(loud[-1]) + 1) if len(loud) else slice(0, 0)


def levelled(samples: Samples, level_db: float) -> Samples:
    """Bring a voice at 16 kHz to an RMS level in dB of full scale, measured where it speaks, unclipped."""
    return amplified(samples, _gain_to(samples, level_db))


def amplified(samples: Samples, gain: float) -> Samples:
    """Multiply; peaks over CEILING are bent under it rather than cut."""
    values = samples.astype(np.float32) * gain
    peak = float(np.abs(values).max(initial=0))
    if peak > CEILING:
        values = CEILING * np.tanh(values / CEILING)
    scaled: Samples = np.rint(values).astype(np.int16)
    return scaled


def _gain_to(samples: Samples, level_db: float) -> float:
    values = samples.astype(np.float32)
    padded = np.pad(values, (0, -len(values) % audio.FRAME))
    power = np.square(padded).reshape(-1, audio.FRAME).mean(axis=1)
    if not power.max(initial=0):
        return 1.0
    rms = float(np.sqrt(power[power >= power.max() * ACTIVE].mean()))
    gain: float = min(10 ** (level_db / 20) * audio.FULL_SCALE / rms, CEILING / float(np.abs(values).max()))
    return gain


@dataclass
class RunningGain:
    """For a voice that is played as it comes, before its loudness is known: what its earlier clauses needed.
    Within a clause it must not change: take `gain` when the clause begins."""

    level_db: float
    gain: float = 1.0
    learned: int = 0

    def learn(self, samples: Samples) -> None:
        """A clause, as it came: each counts for as much as the others, of late up to MEMORY."""
        self.learned = min(self.learned + 1, MEMORY)
        self.gain += (_gain_to(samples, self.level_db) - self.gain) / self.learned


def pause_after(text: str) -> Samples:
    """The silence between a clause and the next, by its last character."""
    mark = text.rstrip("\"'”’)]」』）】 ")[-1:]
    seconds = SHORT_PAUSE_S if mark.isalnum() or mark in ",;:，、；：" else LONG_PAUSE_S
    return np.zeros(round(seconds * audio.SAMPLE_RATE), np.int16)
