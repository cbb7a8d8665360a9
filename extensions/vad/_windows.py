"""Cutting a stream of frames into what a detector judges at once."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from voice_agent.audio import SAMPLE_RATE
from voice_agent.message import AudioFrame, Samples


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
        self._continues = False
        """The rest follows a window in which nothing was lost, without a jump."""

    def push(self, frame: AudioFrame) -> Iterator[Window]:
        """Add a frame and yield every window that is now complete."""
        if abs(frame.time_s - self._end_s) > 1 / SAMPLE_RATE:
            self._rest, self._rest_gap, self._continues = self._rest[:0], False, False
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
            self._continues = not lost
            yield Window(piece, start_s + index * self.size / SAMPLE_RATE, lost)

    @property
    def newest(self) -> Samples:
        """The sound since the last window; empty when none has come or lost sound lies near."""
        return self._rest if self._continues and not self._rest_gap else self._rest[:0]
