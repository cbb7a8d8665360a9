"""A WebRTC client without a connection: packets come and frames are taken on the virtual clock."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from extensions.client.webrtc import WebRtcClient
from voice_agent import audio
from voice_agent.media.opus import OpusEncoder
from voice_agent.message import Samples
from voice_agent.testing import FakeSession, attach, tone

TICKS = 50
"""In a second."""


class FakePeer:
    """Takes events, and has no connection."""

    has_events = False

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.woken_with: list[float] = []
        """Seconds of voice that waited to be played, each time it was woken."""
        self.on_wake: Callable[[], None] = lambda: None

    def send(self, text: str) -> None:
        self.events.append(json.loads(text))

    def wake(self) -> None:
        """The beat of these tests never rests."""
        self.on_wake()

    async def close(self) -> None:
        pass

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == type_]


class Line:
    """The client's end of a call, and what passes through it."""

    def __init__(self) -> None:
        self.client = WebRtcClient()
        self.session = FakeSession()
        self.out = attach(self.client, self.session)
        self.peer = FakePeer()
        self.played: list[Samples] = []
        self._encoder = OpusEncoder()
        self._sent = 0

    async def pass_time(self, seconds: float, up: bool = True) -> None:
        """The caller speaks a tone all the time; its packets come if the line is up."""
        for _ in range(round(seconds * TICKS)):
            payload = self._encoder.encode(tone(audio.FRAME_S))
            if up:
                self.client._packet(self._sent % 65536, self._sent * 960, payload, ())
            self._sent += 1
            self.played.append(self.client._next_frame())
            await asyncio.sleep(audio.FRAME_S)

    def skip_packet(self) -> None:
        """The next packet is lost."""
        self._sent += 1

    @property
    def states(self) -> list[str]:
        return [event["state"] for event in self.peer.of("voice_agent.connection")]


@asynccontextmanager
async def a_line() -> AsyncIterator[Line]:
    line = Line()
    await line.client.start()
    line.client._peer = line.peer  # type: ignore[assignment]
    line.client._connected.set()
    running = asyncio.create_task(line.client.run(line.out))
    try:
        yield line
    finally:
        running.cancel()
        await asyncio.wait({running})
