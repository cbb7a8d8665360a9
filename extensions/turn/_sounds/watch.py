"""Listens along with a call, and closely to the beginning of each sound of the caller."""

from collections import deque

from extensions.turn._sounds.features import Listener, summary
from extensions.turn._sounds.model import UNKNOWN, Kinds, shipped
from voice_agent.audio import FRAME_S
from voice_agent.message import AudioFrame

KEPT = 16
"""Frames that are remembered: a VAD tells of an onset up to 0.3 s after it."""


class Watch:
    """Of one call. What a sound is may be asked after each frame of it, 0.3 ms; what nobody asks about costs
    nothing."""

    def __init__(self) -> None:
        self._latest: deque[AudioFrame] = deque(maxlen=KEPT)
        self._listener: Listener | None = None
        self._kinds = UNKNOWN
        self._of = 0
        """How many frames of the sound that was told of."""

    def begin(self, onset_s: float) -> None:
        """A sound has begun at this audio time, not long ago."""
        self._kinds, self._of = UNKNOWN, 0
        since_s = onset_s - FRAME_S + 1e-6
        before = [frame for frame in self._latest if frame.time_s < since_s]
        heard = [frame for frame in self._latest if frame.time_s >= since_s]
        self._listener = Listener(before[-1].samples) if before and heard else None
        if self._listener is not None:
            for frame in heard:
                self._listener.hear(frame.samples)

    def hear(self, frame: AudioFrame) -> None:
        """The next 20 ms. Lost sound is taken as it was filled, be it replaced later or not."""
        if self._latest and frame.time_s <= self._latest[-1].time_s:
            return
        self._latest.append(frame)
        if self._listener is not None:
            self._listener.hear(frame.samples)

    @property
    def kinds(self) -> Kinds:
        """Of the latest sound, as far as it has been heard."""
        rows = self._listener.rows if self._listener is not None else []
        if len(rows) != self._of:
            self._kinds, self._of = shipped().kinds(summary(rows)), len(rows)
        return self._kinds
