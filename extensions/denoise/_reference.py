"""What the loudspeaker played, laid beside what the microphone heard.

Both are stamped by the caller's clock, but only roughly: a frame of the microphone comes early or late by the
network's jitter, the two clocks drift apart, and how long the sound takes through both networks, the
loudspeaker's buffer and the room is not known. An echo canceller finds the delay by itself if what is played
comes before its echo, by less than half a second. `Reference` sees to that.
"""

from collections import deque

import numpy as np
import numpy.typing as npt

from voice_agent import audio
from voice_agent.audio import FRAME, FRAME_S
from voice_agent.message import Samples

NOTHING: Samples = np.zeros(FRAME, np.int16)
MEMORY = 150
"""Frames of what was played that are kept: 3 s."""
LONGEST_LAG = 75
"""Frames, 1.5 s: further behind, what was played has stopped coming."""
LATE_ECHO = 20
"""Frames, 400 ms: an echo that comes later than this after its sound is brought nearer, as the canceller
looks no further than 480 ms."""
NEAR_ECHO = 4
"""To so many frames, 80 ms, which leaves room for a wrong measurement and for drift."""


class Reference:
    """For each frame of the microphone the frame of the loudspeaker that goes with it."""

    def __init__(self) -> None:
        self._played: dict[int, Samples] = {}
        self._newest = -1
        self._delay = DelayMeter()
        self.lag = 0
        """The microphone's frame n goes with what was played as frame n - lag."""

    def push(self, samples: Samples, time_s: float) -> None:
        """What was played from `time_s` on, shape (320,)."""
        self._newest = round(time_s / FRAME_S)
        self._played[self._newest] = samples
        while len(self._played) > MEMORY:
            del self._played[next(iter(self._played))]

    def take(self, index: int, heard: Samples) -> Samples:
        """What was played that goes with frame `index` of the microphone; silence where it is not known."""
        if self._played and self._newest < index - self.lag <= self._newest + LONGEST_LAG:
            self.lag = index - self._newest  # the microphone is ahead: from now on wait so much longer
        played = self._played.get(index - self.lag, NOTHING)
        self._delay.push(played, heard)
        delay = self._delay.frames
        if delay is not None and not 0 < delay <= LATE_ECHO:
            self.lag = max(self.lag + delay - NEAR_ECHO, index - self._newest)
            self._delay = DelayMeter()
        return played

    def was_silent(self, index: int) -> bool:
        """Nothing was played whose echo could be in frame `index` of the microphone."""
        last = index - self.lag
        frames = (self._played.get(last - back, NOTHING) for back in range(LATE_ECHO + NEAR_ECHO))
        return not any(frame.any() for frame in frames)


class DelayMeter:
    """How long after its sound an echo comes, to 20 ms, up to 1 s, by the rise and fall of their levels."""

    WINDOW = 200
    """Frames of the microphone that are compared: 4 s."""
    LONGEST = 50
    """Frames: the latest echo that is looked for."""
    EARLIEST = -10
    EVERY = 25
    """Frames between two measurements: they cost 0.3 ms."""
    LEAST_LIKENESS = 0.6
    """Correlation of the levels that a measurement needs; of a voice and another one 0.1-0.3 (measured)."""
    AGREEING = 2
    """Measurements in a row that must agree."""
    FLOOR_DB = -60.0

    def __init__(self) -> None:
        self._played: deque[float] = deque(maxlen=self.WINDOW + self.LONGEST)
        self._heard: deque[float] = deque(maxlen=self.WINDOW + self.LONGEST)
        self._until_next = self.EVERY
        self._found: deque[int] = deque(maxlen=self.AGREEING)

    def push(self, played: Samples, heard: Samples) -> None:
        self._played.append(max(self.FLOOR_DB, audio.level_db(played)))
        self._heard.append(max(self.FLOOR_DB, audio.level_db(heard)))
        self._until_next -= 1
        if self._until_next > 0 or len(self._heard) < self.WINDOW + self.LONGEST:
            return
        self._until_next = self.EVERY
        found = self._measure()
        if found is not None:
            self._found.append(found)

    @property
    def frames(self) -> int | None:
        """The delay; None while it is not known."""
        found = self._found
        return found[-1] if len(found) == self.AGREEING and max(found) - min(found) <= 1 else None

    def _measure(self) -> int | None:
        played, heard = np.array(self._played), np.array(self._heard)
        if np.ptp(played) < 20:  # nothing, or nothing that rises and falls, was played
            return None
        delays = range(self.EARLIEST, self.LONGEST + 1)
        span = slice(self.LONGEST, len(heard) + self.EARLIEST)
        likeness = [_correlation(np.roll(played, delay)[span], heard[span]) for delay in delays]
        best = int(np.argmax(likeness))
        return delays[best] if likeness[best] >= self.LEAST_LIKENESS else None


def _correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Pearson's, -1..1; 0 where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt(np.dot(a, a) * np.dot(b, b)))
    return float(np.dot(a, b)) / scale if scale else 0.0
