"""The outgoing track: a source of 20 ms frames, encoded and paced on the loop clock."""

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from aiortc.mediastreams import MediaStreamTrack

from voice_agent.audio import FRAME, FRAME_S, SAMPLE_RATE
from voice_agent.media.opus import OpusEncoder
from voice_agent.message import Samples

LATE_S = 0.2
"""Later than this, the clock starts anew instead of sending a burst."""


class PacedTrack(MediaStreamTrack):
    """Pulls a frame from `source` every 20 ms from an absolute start, so that delays do not add up.

    aiortc asks for the next packet as fast as it can: the pace is this track's. It hands over encoded
    packets, which aiortc sends as they are.
    """

    kind = "audio"

    def __init__(self, source: Callable[[], Samples]) -> None:
        super().__init__()
        self.source = source
        self.late = 0
        """Frames sent more than 20 ms after their time."""
        self.sent = 0
        self._encoder = OpusEncoder()
        self._due: float | None = None

    async def recv(self) -> Any:
        """The next packet (`av.Packet`), when it is due."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._due is None or now - self._due > LATE_S:
            self._due = now
        await asyncio.sleep(self._due - now)
        if loop.time() - self._due > FRAME_S:
            self.late += 1
        self._due += FRAME_S
        packet = av.Packet(self._encoder.encode(self.source()))
        packet.pts = self.sent * FRAME
        packet.time_base = Fraction(1, SAMPLE_RATE)
        self.sent += 1
        return packet
