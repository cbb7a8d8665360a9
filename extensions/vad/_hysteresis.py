"""When a voice begins, pauses and ends, from a probability for each window of sound.

Counts windows, that is, audio time: a stalled network or a slow machine changes nothing.
"""

import math
from dataclasses import dataclass

from voice_agent.message import SpeechEnded, SpeechPaused, SpeechStarted

Event = SpeechStarted | SpeechPaused | SpeechEnded
SURE = 0.9
"""After a window that is so surely a voice the next 32 ms bring no pause: on recordings, looking for one only
after the others finds the same pauses as soon (14-32 % of the looks are left)."""


class Voiced:
    """What a voice's windows were like, together."""

    def __init__(self) -> None:
        self.windows = 0
        self._probability = 0.0
        self._power = 0.0

    def add(self, probability: float, level_db: float) -> None:
        self.windows += 1
        self._probability += probability
        self._power += 10 ** (level_db / 10)

    @property
    def confidence(self) -> float:
        """The mean probability, 0..1."""
        return min(1.0, self._probability / self.windows)

    @property
    def level_db(self) -> float:
        """The mean of the powers, in dB."""
        return 10 * math.log10(self._power / self.windows)


@dataclass
class Hysteresis:
    """Two thresholds, and a least duration for each change.

    A pause is told once, at its first silence, and every end comes after one. A window that is voiced enough
    to begin speech closes the pause: the next silence is another one. A window that is only not silent puts
    off the end.
    """

    threshold: float
    """Probability at which a window is voiced while nobody speaks, 0..1."""
    release_threshold: float
    """Probability below which a window is unvoiced while somebody speaks, 0..1."""
    start_windows: int
    """Voiced windows in a row that make a start."""
    pause_windows: int
    """Unvoiced windows in a row that make a pause; no more than `end_windows`."""
    end_windows: int
    """Unvoiced windows in a row that make an end."""
    onset_s: float = 0.0
    """Speech has begun so long before its first voiced window."""

    def __post_init__(self) -> None:
        self.speaking = False
        self._voiced = Voiced()
        """The windows of the voice, or of what may become one."""
        self._unvoiced = 0
        self._paused = False
        self._latest = 0.0
        self._start_s = 0.0
        self._end_s = 0.0

    def push(
        self, probability: float, start_s: float, end_s: float, gap: bool = False, level_db: float = 0.0
    ) -> list[Event]:
        """Judge a window that lasts from `start_s` to `end_s`, and tell of the changes it makes.

        Lost sound is no evidence: a `gap` that does not sound like a voice changes nothing. `level_db` is the
        window's, for the record.
        """
        self._latest = probability
        release = self.speaking or self._voiced.windows
        if probability >= (self.release_threshold if release else self.threshold):
            return self._hear_voice(probability, start_s, end_s, level_db)
        return [] if gap else self._hear_silence()

    @property
    def may_pause(self) -> bool:
        """Somebody speaks, and the last window leaves a doubt that he goes on."""
        return self.speaking and not self._paused and self._latest < SURE

    def glance(self, probability: float) -> SpeechPaused | None:
        """Judge the newest sound before it is a whole window, if there `may_pause`: it can show a pause, no
        more."""
        return self._pause() if probability < self.release_threshold else None

    def _hear_voice(self, probability: float, start_s: float, end_s: float, level_db: float) -> list[Event]:
        if not self._voiced.windows:
            # Not into the speech before, but never later than the window itself.
            self._start_s = min(start_s, max(start_s - self.onset_s, self._end_s))
        self._voiced.add(probability, level_db)
        self._end_s = end_s
        self._unvoiced = 0
        if probability >= self.threshold:
            self._paused = False
        if self.speaking or self._voiced.windows < self.start_windows:
            return []
        self.speaking, self._paused = True, False
        return [
            SpeechStarted(self._start_s, confidence=self._voiced.confidence, level_db=self._voiced.level_db)
        ]

    def _hear_silence(self) -> list[Event]:
        self._unvoiced += 1
        if not self.speaking:
            self._voiced = Voiced()
            return []
        events: list[Event] = []
        if not self._paused and self._unvoiced >= self.pause_windows:
            events.append(self._pause())
        if self._unvoiced >= self.end_windows:
            heard, self._voiced, self.speaking = self._voiced, Voiced(), False
            events.append(SpeechEnded(self._end_s, confidence=heard.confidence, level_db=heard.level_db))
        return events

    def _pause(self) -> SpeechPaused:
        self._paused = True
        return SpeechPaused(self._end_s)


def windows_in(duration_ms: float, window_ms: float) -> int:
    """The number of windows that comes nearest to a duration, at least one."""
    return max(1, round(duration_ms / window_ms))
