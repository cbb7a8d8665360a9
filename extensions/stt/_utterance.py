"""Which sound belongs to a stretch of speech: from a little before its start to what came until its end."""

from collections import deque

from voice_agent import audio
from voice_agent.message import AudioFrame

VAD_DELAY_S = 0.5
"""A VAD tells of a start at most so long after it."""


def add(frames: deque[AudioFrame], frame: AudioFrame) -> None:
    """Append a frame. One that goes back in time has come after all: it replaces what filled its gap."""
    while frames and frames[-1].time_s >= frame.time_s:
        frames.pop()
    frames.append(frame)


class PreRoll:
    """Keeps the newest sound while nobody speaks, so that a soft first sound is not cut off."""

    def __init__(self, pre_roll_s: float) -> None:
        self.pre_roll_s = pre_roll_s
        self._frames: deque[AudioFrame] = deque()

    def push(self, frame: AudioFrame) -> None:
        add(self._frames, frame)
        oldest_s = frame.time_s - self.pre_roll_s - VAD_DELAY_S
        while self._frames[0].time_s < oldest_s:
            self._frames.popleft()

    def take(self, start_s: float, after_s: float) -> list[AudioFrame]:
        """The frames of speech that began at `start_s`, with the pre-roll; forgets them.

        Nothing from before `after_s`, the end of the speech before, whose last word would be heard twice.
        """
        first_s = max(start_s - self.pre_roll_s, after_s) - audio.FRAME_S / 2
        taken = [frame for frame in self._frames if frame.time_s >= first_s]
        self._frames.clear()
        return taken
