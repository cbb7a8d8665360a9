"""What the loudspeaker played, laid beside what the microphone heard.

Both are stamped by the caller's clock, but only roughly: a frame of the microphone comes early or late by the
network's jitter, the two clocks drift apart, and how long the sound takes through both networks, the
loudspeaker's buffer and the room is not known. An echo canceller finds the delay by itself if what is played
comes before its echo, by less than half a second. `Reference` sees to that.
"""

from collections import deque
from collections.abc import Iterable

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
    """How long after its sound an echo comes, to 20 ms, from 0.2 s before it to 1 s after it.

    By cross-correlation of the two sounds, each band weighing the same whatever its level (the phase
    transform of Knapp and Carter 1976), averaged over about a second: in four rooms known after 1.8 s of
    the agent's voice (P50; 3 s at most), but never in one of them while a caller spoke all the time, and not
    found where there was none in 10 minutes of unrelated voices (on which the limits below were chosen).
    """

    RATE = audio.SAMPLE_RATE // 2
    """Hz; a voice has enough in it."""
    SPAN = 1 << 14
    """Samples of what was played that are looked at, 2 s."""
    WINDOW = round(0.8 * RATE)
    """Of what was heard."""
    EARLY = round(0.2 * RATE)
    """An echo may come so long before its sound, as far as the stamps go."""
    BLOCK = round(0.01 * RATE)
    """The early reflections of a room, which count together."""
    EVERY = 12
    """Frames between two measurements while the delay is not known: each costs 0.8 ms."""
    EVERY_KNOWN = 50
    NEWEST = np.float32(0.3)
    """Weight of the newest measurement in their mean."""
    LEAST_LIKENESS = 10.0
    """The best block has so many times the power of the median one; between unrelated voices 2.9 (median),
    10 (one in a hundred)."""
    AGREEING = 3
    """Measurements in a row that must agree."""
    FLOOR_DB = -60.0
    """Nothing quieter can be told from its echo."""

    def __init__(self) -> None:
        frames = -(-2 * self.SPAN // FRAME)
        self._played = deque([NOTHING] * frames, maxlen=frames)
        self._heard = deque([NOTHING] * frames, maxlen=frames)
        self._until_next = self.WINDOW // (FRAME // 2)
        self._mean = np.zeros(self.SPAN - self.WINDOW, np.float32)
        """The correlation for each delay from -EARLY on."""
        self._found: deque[int | None] = deque(maxlen=self.AGREEING)

    def push(self, played: Samples, heard: Samples) -> None:
        """A frame of each, shape (320,)."""
        self._played.append(played)
        self._heard.append(heard)
        self._until_next -= 1
        if self._until_next <= 0 and audio.level_db(played) > self.FLOOR_DB:
            self._found.append(self._measure())
            self._until_next = self.EVERY if self.frames is None else self.EVERY_KNOWN

    @property
    def frames(self) -> int | None:
        """The delay; None while it is not known."""
        known = [found for found in self._found if found is not None]
        return known[-1] if len(known) == self.AGREEING and max(known) - min(known) <= 1 else None

    def _measure(self) -> int | None:
        """In frames; None where nothing stands out."""
        played, heard = self._halved(self._played), self._halved(self._heard)
        window = np.zeros_like(heard)
        window[-self.WINDOW :] = heard[-self.WINDOW - self.EARLY : -self.EARLY]
        cross = np.fft.rfft(window) * np.conj(np.fft.rfft(played))
        likeness = np.fft.irfft(cross / (np.abs(cross) + 1.0))[: len(self._mean)]
        self._mean += self.NEWEST * (likeness - self._mean)
        whole = len(self._mean) // self.BLOCK * self.BLOCK
        power = np.square(self._mean[:whole]).reshape(-1, self.BLOCK).sum(axis=1)
        best = int(np.argmax(power))
        if power[best] < self.LEAST_LIKENESS * np.median(power):
            return None
        return round(((best + 0.5) * self.BLOCK - self.EARLY) / (FRAME // 2))

    def _halved(self, frames: Iterable[Samples]) -> npt.NDArray[np.float32]:
        """The newest sound at half the rate, shape (SPAN,)."""
        pairs = np.concatenate([*frames])[-2 * self.SPAN :].reshape(-1, 2)
        return np.asarray(pairs.sum(axis=1), np.float32)
