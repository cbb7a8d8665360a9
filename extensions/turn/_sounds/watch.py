"""Listens along with a call, and closely to the beginning of each sound of the caller."""

from collections import deque

from extensions.turn._sounds.features import MOST, Listener, summary
from extensions.turn._sounds.model import UNKNOWN, Kinds, shipped
from voice_agent.audio import FRAME_S
from voice_agent.message import AudioFrame, Samples

KEPT = 16
"""Frames that are remembered: a VAD tells of an onset up to 0.3 s after it."""


class Watch:
    """Of one call. What a sound is may be asked after each frame of it, 0.3 ms; what nobody asks about costs
    nothing."""

    def __init__(self) -> None:
        self._latest: deque[AudioFrame] = deque(maxlen=KEPT)
        self._listener: Listener | None = None
        self._unheard: list[Samples] = []
        """Of the sound; MOST frames at most."""
        self._kinds = UNKNOWN

    def begin(self, onset_s: float) -> None:
        """A sound has begun at this audio time, not long ago."""
        self._kinds = UNKNOWN
        since_s = onset_s - FRAME_S + 1e-6
        before = [frame for frame in self._latest if frame.time_s < since_s]
        self._unheard = [frame.samples for frame in self._latest if frame.time_s >= since_s]
        known = before and self._unheard
        self._listener = Listener(before[-1].samples) if known else None

    def hear(self, frame: AudioFrame) -> None:
        """The next 20 ms. Lost sound is taken as it was filled, be it replaced later or not."""
        if self._latest and frame.time_s <= self._latest[-1].time_s:
            return
        self._latest.append(frame)
        if self._listener is not None and len(self._unheard) + len(self._listener.rows) < MOST:
            self._unheard.append(frame.samples)

    @property
    def kinds(self) -> Kinds:
        """Of the latest sound, as far as it has been heard."""
        if self._listener is not None and self._unheard:
            for samples in self._unheard:
                self._listener.hear(samples)
            self._unheard = []
            self._kinds = shipped().kinds(summary(self._listener.rows))
        return self._kinds
