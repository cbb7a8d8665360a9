"""The way of the sound between caller and agent, one direction of it: none at all, or a simulated network.

On a network sound is coded by Opus and comes through the receive path of real calls: what is lost is
concealed, what is late fills its own time afterwards."""

import heapq
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from voice_agent.audio import FRAME, FRAME_S
from voice_agent.media.opus import RTP_TICKS, OpusEncoder
from voice_agent.media.receive import ReceivePath
from voice_agent.media.slots import Frame
from voice_agent.message import AudioFrame, Samples
from voice_agent.network.model import Direction, Path
from voice_agent.network.profile import Profile

OVERHEAD_BYTES = 54
"""Of a packet with voice: IP 20, UDP 8, RTP 12, SRTP tag 10, and what extensions take (RFC 3711)."""
BUFFER_S = 0.04
"""Of a caller's loudspeaker: with more jitter than this it has gaps."""


class Way(Protocol):
    """Takes a frame every 20 ms."""

    def push(self, samples: Samples, now_s: float) -> None:
        """A frame leaves now."""

    def frames(self, now_s: float) -> Iterator[AudioFrame]:
        """What has arrived by now, for a graph."""

    def take(self, now_s: float) -> Samples:
        """What a loudspeaker plays next; to be asked every 20 ms."""


class Direct:
    """No way at all: what is pushed has arrived."""

    def __init__(self) -> None:
        self._waiting: list[Samples] = []
        self._count = 0

    def push(self, samples: Samples, now_s: float) -> None:
        self._waiting.append(samples)

    def frames(self, now_s: float) -> Iterator[AudioFrame]:
        while self._waiting:
            yield AudioFrame(self._waiting.pop(0), time_s=self._count * FRAME_S)
            self._count += 1

    def take(self, now_s: float) -> Samples:
        return self._waiting.pop(0)


class Network:
    """A direction of a network profile."""

    def __init__(self, profile: Profile, direction: Direction, seed: int) -> None:
        self._path = Path(profile, direction, seed)
        self._encoder = OpusEncoder()
        self._receive = ReceivePath()
        self._sent = 0
        self._coming: list[tuple[float, int, bytes]] = []
        """Packets on their way: when they arrive, their number, and what is in them."""
        self._slots: dict[int, Samples] = {}
        """What a loudspeaker has to play, by slot."""
        self._first_s: float | None = None
        """When the first frame came."""

    def push(self, samples: Samples, now_s: float) -> None:
        payload = self._encoder.encode(samples)
        for arrives_s in self._path.push(len(payload) + OVERHEAD_BYTES, now_s):
            heapq.heappush(self._coming, (arrives_s, self._sent, payload))
        self._sent += 1

    def frames(self, now_s: float) -> Iterator[AudioFrame]:
        for frame in self._arrived(now_s):
            yield AudioFrame(frame.samples, frame.slot * FRAME_S, gap=frame.gap)

    def take(self, now_s: float) -> Samples:
        for frame in self._arrived(now_s):
            self._first_s = now_s if self._first_s is None else self._first_s
            if not frame.gap or frame.slot not in self._slots:
                self._slots[frame.slot] = frame.samples
        if self._first_s is None:
            return np.zeros(FRAME, np.int16)
        slot = round((now_s - self._first_s - BUFFER_S) / FRAME_S)
        return self._slots.pop(slot, np.zeros(FRAME, np.int16))

    def _arrived(self, now_s: float) -> Iterator[Frame]:
        while self._coming and self._coming[0][0] <= now_s:
            arrived_s, number, payload = heapq.heappop(self._coming)
            timestamp = number * FRAME * RTP_TICKS
            yield from self._receive.push(number & 0xFFFF, timestamp & 0xFFFFFFFF, payload, arrived_s)
        yield from self._receive.poll(now_s)
