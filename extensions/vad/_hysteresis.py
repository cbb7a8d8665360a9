"""When a voice begins and when it ends, from a probability for each window of sound.

Counts windows, that is, audio time: a stalled network or a slow machine changes nothing.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from voice_agent.audio import SAMPLE_RATE
from voice_agent.message import AudioFrame, Samples, SpeechEnded, SpeechStarted


class Window(NamedTuple):
    """What a detector judges at once."""

    samples: Samples
    start_s: float
    """Audio time of the first sample."""
    gap: bool
    """True when any of it is filling for lost sound."""


class Windows:
    """Cuts frames into a detector's windows. The frames' own times are authoritative: where they jump,
    the unfinished window is dropped, so that no window joins sounds that were apart.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._rest: Samples = np.zeros(0, np.int16)
        self._rest_gap = False
        self._end_s = 0.0

    def push(self, frame: AudioFrame) -> Iterator[Window]:
        """Add a frame and yield every window that is now complete."""
        if abs(frame.time_s - self._end_s) > 1 / SAMPLE_RATE:
            self._rest, self._rest_gap = self._rest[:0], False
        start_s = frame.time_s - len(self._rest) / SAMPLE_RATE
        samples = np.concatenate((self._rest, frame.samples))
        gap = frame.gap or self._rest_gap
        whole = len(samples) // self.size * self.size
        self._rest = samples[whole:]
        self._rest_gap = frame.gap if whole else gap
        self._end_s = frame.time_s + len(frame.samples) / SAMPLE_RATE
        for index, piece in enumerate(samples[:whole].reshape(-1, self.size)):
            # Only the first window can hold sound of an earlier frame.
            lost = frame.gap if index else gap
            yield Window(piece, start_s + index * self.size / SAMPLE_RATE, lost)


@dataclass
class Hysteresis:
    """Two thresholds, and a least duration for each change."""

    threshold: float
    """Probability at which a window is voiced while nobody speaks, 0..1."""
    release_threshold: float
    """Probability below which a window is unvoiced while somebody speaks, 0..1."""
    start_windows: int
    """Voiced windows in a row that make a start."""
    end_windows: int
    """Unvoiced windows in a row that make an end."""

    def __post_init__(self) -> None:
        self.speaking = False
        self._voiced: list[tuple[float, float]] = []
        """Probability and level of the voiced windows that may become a start."""
        self._unvoiced = 0
        self._start_s = 0.0
        self._end_s = 0.0

    def push(
        self, probability: float, start_s: float, end_s: float, gap: bool = False, level_db: float = 0.0
    ) -> SpeechStarted | SpeechEnded | None:
        """Judge a window that lasts from `start_s` to `end_s`, and tell of the change it makes, if any.

        Lost sound is no evidence: a `gap` that does not sound like a voice changes nothing. `level_db` is the
        window's, for the record.
        """
        release = self.speaking or self._voiced
        if probability >= (self.release_threshold if release else self.threshold):
            return self._hear_voice(probability, start_s, end_s, level_db)
        return None if gap else self._hear_silence()

    def _hear_voice(
        self, probability: float, start_s: float, end_s: float, level_db: float
    ) -> SpeechStarted | None:
        self._end_s = end_s
        self._unvoiced = 0
        if self.speaking:
            return None
        if not self._voiced:
            self._start_s = start_s
        self._voiced.append((probability, level_db))
        if len(self._voiced) < self.start_windows:
            return None
        probabilities, levels = zip(*self._voiced, strict=True)
        self.speaking = True
        self._voiced.clear()
        confidence = min(1.0, sum(probabilities) / len(probabilities))
        return SpeechStarted(self._start_s, confidence=confidence, level_db=mean_db(levels))

    def _hear_silence(self) -> SpeechEnded | None:
        self._voiced.clear()
        self._unvoiced += 1
        if not self.speaking or self._unvoiced < self.end_windows:
            return None
        self.speaking = False
        return SpeechEnded(self._end_s)


def mean_db(levels: Sequence[float]) -> float:
    """The level of windows together: the mean of their powers."""
    return 10 * math.log10(sum(10 ** (level / 10) for level in levels) / len(levels))


def windows_in(duration_ms: float, window_ms: float) -> int:
    """The number of windows that comes nearest to a duration, at least one."""
    return max(1, round(duration_ms / window_ms))
