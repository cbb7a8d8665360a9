"""From frames of the agent's voice to Opus packets. Pure: whoever calls `next` is the clock.

With `dtx` almost nothing is encoded or sent in silence: the codec's own note that a pause begins, then a sign
of life every REFRESH_S, which also keeps the ways through NATs open.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from voice_agent.audio import FRAME, SAMPLE_RATE
from voice_agent.media import red
from voice_agent.media.opus import DTX_BYTES, RTP_TICKS, OpusEncoder
from voice_agent.message import Samples

REFRESH_S = 0.4
"""Opus's own interval in a pause (RFC 6716, 2.1.9)."""


class Outgoing(NamedTuple):
    """A packet to send."""

    payload_type: int
    payload: bytes
    timestamp: int
    """RTP ticks since the first frame."""
    marker: bool
    """The first packet after a pause."""


@dataclass
class PayloadTypes:
    """What the two sides have agreed on."""

    opus: int = 111
    red: int | None = None
    """None where the other side does not take it."""


class SendPath:
    """One outgoing Opus stream, one packet for each call of `next`."""

    def __init__(self, source: Callable[[], Samples], packet_ms: int = 20, dtx: bool = False) -> None:
        """`source` gives the next 20 ms, shape (320,); packets are of 10 or 20 ms."""
        self.encoder = OpusEncoder(dtx=dtx)
        self.redundant = False
        """Send a copy of each packet in the next one, where the other side takes that."""
        self.types = PayloadTypes()
        self._source = source
        self._length = SAMPLE_RATE * packet_ms // 1000
        self._rest: Samples = np.zeros(0, np.int16)
        self._timestamp = 0
        self._resting = False
        """The last packet announced a pause."""
        self._skipped = 0
        """Samples since that are neither encoded nor sent."""
        self._before: tuple[int, bytes] | None = None
        """Timestamp and payload of the last packet of voice."""

    @property
    def rest(self) -> int:
        """For how many calls of `next` there is nothing to send, as long as the source is silent."""
        if not self._resting:
            return 0
        return math.ceil((REFRESH_S * SAMPLE_RATE - self._skipped) / self._length) - 1

    def next(self) -> Outgoing | None:
        """The packet whose time has come; None in a pause."""
        if not len(self._rest):
            self._rest = self._source()
            assert len(self._rest) == FRAME
        samples, self._rest = self._rest[: self._length], self._rest[self._length :]
        timestamp = self._timestamp
        self._timestamp += self._length * RTP_TICKS
        if self._resting and not samples.any():
            self._skipped += self._length
            if self._skipped < REFRESH_S * SAMPLE_RATE:
                return None
        payload = self.encoder.encode(samples)
        marker, self._skipped = self._resting, 0
        self._resting = len(payload) <= DTX_BYTES
        return self._packet(payload, timestamp, marker and not self._resting)

    def _packet(self, payload: bytes, timestamp: int, marker: bool) -> Outgoing:
        before, self._before = self._before, None if self._resting else (timestamp, payload)
        if not self.redundant or self.types.red is None or before is None or self._resting:
            return Outgoing(self.types.opus, payload, timestamp, marker)
        copy = timestamp - before[0], before[1]
        return Outgoing(self.types.red, red.build(self.types.opus, payload, [copy]), timestamp, marker)
