"""What the agent says softly beside its replies: "mm-hm". No clock: it counts samples."""

import numpy as np

from voice_agent.message import Samples

SOFT = 10 ** (-6 / 20)
"""6 dB down: half the amplitude. A sign of listening is not to be taken for the beginning of an answer."""


class Aside:
    """It waits for nothing, is heard from the next frame on, and tells nobody."""

    def __init__(self) -> None:
        self._waiting: Samples = np.zeros(0, np.int16)

    def __bool__(self) -> bool:
        """Whether something is still to be played."""
        return len(self._waiting) > 0

    def begin(self, samples: Samples) -> None:
        """Say this, after what is being said."""
        soft = np.rint(samples * SOFT).astype(np.int16)
        self._waiting = np.concatenate((self._waiting, soft))

    def end(self, fade: int) -> None:
        """Fall silent within so many samples."""
        tail = self._waiting[:fade]
        self._waiting = np.rint(tail * np.linspace(1, 0, len(tail))).astype(np.int16)

    def mix(self, frame: Samples) -> None:
        """Add the next samples to a frame, in place."""
        count = min(len(frame), len(self._waiting))
        total = frame[:count].astype(np.int32) + self._waiting[:count]
        frame[:count] = np.clip(total, -32768, 32767)
        self._waiting = self._waiting[count:]
