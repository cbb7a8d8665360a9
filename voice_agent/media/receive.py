"""From RTP packets to frames of sound, in order and without waiting.

A recogniser has no loudspeaker to keep fed, so there is nothing to buffer for: a packet that is next
in order is decoded at once. Only a hole waits, for a few packets, in case its packet is merely late;
then it is filled from the next packet's copy of it (FEC) or concealed. Pure: no clock, no network.
"""

from dataclasses import dataclass

import numpy as np

from voice_agent.audio import FRAME, Rechunk
from voice_agent.media.opus import OpusDecoder
from voice_agent.message import Samples

REORDER_PACKETS = 3
"""A hole is given up when this many later packets have come: 60 ms at 20 ms a packet."""
LONGEST_FILL = 50
"""Packets. A longer hole is a new stream or a pause of the sender: it is not filled."""


@dataclass
class ReceiveStatistics:
    """Counted in packets."""

    received: int = 0
    lost: int = 0
    """Filled in, by a copy or by concealment."""
    late: int = 0
    """Came after their place had been filled, or twice."""
    broken: int = 0
    """Were not Opus."""


class ReceivePath:
    """One incoming Opus stream."""

    def __init__(self) -> None:
        self.statistics = ReceiveStatistics()
        self._decoder = OpusDecoder()
        self._frames = Rechunk(FRAME)
        self._waiting: dict[int, bytes] = {}
        """Packets beyond a hole, by unwrapped sequence number."""
        self._next: int | None = None
        self._length = FRAME
        """Samples in the last packet, the best guess for a lost one."""

    def push(self, sequence: int, payload: bytes) -> list[tuple[Samples, bool]]:
        """Take a packet by its 16-bit sequence number; returns the frames that are ready, each of shape
        (320,) with whether it was filled in."""
        if not payload:
            return []
        self.statistics.received += 1
        number = self._unwrap(sequence)
        if self._next is None or number - self._next > LONGEST_FILL:
            self._waiting.clear()
            self._next = number
        if number < self._next or number in self._waiting:
            self.statistics.late += 1
            if self._next - number > LONGEST_FILL:  # the sender began anew, lower
                self._next = None
            return []
        self._waiting[number] = payload
        return self._ready()

    def _unwrap(self, sequence: int) -> int:
        """The number nearest to the expected one that ends in these 16 bits (RFC 3550, A.1)."""
        if self._next is None:
            return sequence
        distance = (sequence - self._next) & 0xFFFF
        return self._next + (distance - 0x10000 if distance >= 0x8000 else distance)

    def _ready(self) -> list[tuple[Samples, bool]]:
        assert self._next is not None
        out: list[tuple[Samples, bool]] = []
        while self._waiting:
            payload = self._waiting.pop(self._next, None)
            if payload is not None:
                out += self._decode(payload)
            elif len(self._waiting) >= REORDER_PACKETS:
                out += self._fill(self._waiting.get(self._next + 1))
            else:
                break
            self._next += 1
        return out

    def _decode(self, payload: bytes) -> list[tuple[Samples, bool]]:
        try:
            samples = self._decoder.decode(payload)
        except ValueError:
            self.statistics.broken += 1
            return self._fill(None)
        self._length = len(samples)
        return [(frame, False) for frame in self._frames.push(samples)]

    def _fill(self, successor: bytes | None) -> list[tuple[Samples, bool]]:
        self.statistics.lost += 1
        try:
            if successor is not None:
                samples = self._decoder.recover(successor, self._length)
            else:
                samples = self._decoder.conceal(self._length)
        except ValueError:
            samples = np.zeros(self._length, np.int16)
        return [(frame, True) for frame in self._frames.push(samples)]
