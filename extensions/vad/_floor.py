"""How loud the room is, and how far a window stands out of it."""

from bisect import bisect_left, insort
from collections import deque

MEMORY_S = 3.0
"""A room that has become louder is known after so long; speech pauses more often than that."""
FLOOR = 0.1
"""The floor is the level that a tenth of what was lately heard lies below."""
LEAST = 16
"""Windows that must have been heard before anything is said about the room."""
NEAR_DB = 6.0
"""So far above the floor a window stands out in full."""


class NoiseFloor:
    """The levels of the last seconds, in order. A window costs 2 µs."""

    def __init__(self, window_s: float) -> None:
        self._recent: deque[float] = deque(maxlen=round(MEMORY_S / window_s))
        self._sorted: list[float] = []

    def nearness(self, level_db: float) -> float:
        """Take in a window's level in dB; how near it lies to the floor: 0 well above it, 1 at it."""
        if len(self._recent) == self._recent.maxlen:
            del self._sorted[bisect_left(self._sorted, self._recent[0])]
        self._recent.append(level_db)
        insort(self._sorted, level_db)
        if len(self._sorted) < LEAST:
            return 0.0
        floor_db = self._sorted[int(FLOOR * len(self._sorted))]
        return min(1.0, max(0.0, (floor_db + NEAR_DB - level_db) / NEAR_DB))
