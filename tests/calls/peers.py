"""The other end of a call for tests: an aiortc peer that offers, and nodes that stand in for the models."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from voice_agent import audio
from voice_agent.extension import Emit, Extension
from voice_agent.media import aiortc_private, negotiation
from voice_agent.media.ice import RestartableIce
from voice_agent.media.receive import ReceivePath
from voice_agent.media.red import Block
from voice_agent.media.rtp_link import RtpLink
from voice_agent.message import AudioFrame, CallStarted, Clause, Heard, Message, Samples, Speech, Typed
from voice_agent.testing import tone


@dataclass
class Beeper(Extension):
    """Answers the call's start and every typed line with a tone, and keeps what it has received."""

    seconds: float = 0.6

    inputs = (CallStarted, AudioFrame, Heard, Typed)
    outputs = {"pcm_frame": Speech, "clause": Clause}

    async def start(self) -> None:
        self.received: list[Message] = []
        self.hearing = asyncio.Event()

    async def handle(self, message: Message, emit: Emit) -> None:
        self.received.append(message)
        if isinstance(message, AudioFrame):
            self.hearing.set()
        if isinstance(message, CallStarted):
            await self.beep("Hello there.", emit)

    async def beep(self, text: str, emit: Emit) -> None:
        await emit("clause", Clause(text, final=True))
        await emit("pcm_frame", Speech(tone(self.seconds), text=text, final=True))

    def frames(self) -> list[AudioFrame]:
        return [message for message in self.received if isinstance(message, AudioFrame)]

    def heard(self) -> list[Heard]:
        return [message for message in self.received if isinstance(message, Heard)]


@dataclass
class Caller:
    """Offers a call, sends what `voice` yields, keeps what it hears and every event."""

    voice: Iterator[Samples]
    events: list[dict[str, Any]] = field(default_factory=list)
    heard: list[Samples] = field(default_factory=list)

    async def offer(self) -> str:
        aiortc_private.allow_loopback()
        self._changed = asyncio.Condition()
        self._sound = asyncio.Event()
        self._path = ReceivePath()
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel = self.connection.createDataChannel("oai-events")
        self.channel.on("message", self._event)
        quiet = np.zeros(audio.FRAME, np.int16)
        self._link = RtpLink(lambda: next(self.voice, quiet), self._packet)
        self._link.attach(self.connection.addTransceiver("audio"))
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return negotiation.completed_offer(self.connection.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        self._link.agree(answer)
        self.ice = RestartableIce(self.connection.getTransceivers()[0].receiver.transport.transport)
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def fragment(self, *lines: str) -> str:
        """Lines of SDP about the ICE session of the offer."""
        ufrag = next(
            line for line in self.connection.localDescription.sdp.splitlines() if "ice-ufrag" in line
        )
        return "\r\n".join([ufrag, *lines, ""])

    async def wait_for(self, type_: str, count: int = 1) -> dict[str, Any]:
        """The count-th event of a type, waiting for it."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.of(type_)) >= count)
        return self.of(type_)[count - 1]

    async def wait_heard(self, frames: int) -> None:
        """Wait until so many frames of 20 ms have been heard."""
        async with asyncio.timeout(10):
            while len(self.heard) < frames:
                self._sound.clear()
                await self._sound.wait()

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == type_]

    def send(self, **event: Any) -> None:
        self.channel.send(json.dumps(event))

    def fall_silent(self) -> None:
        """Send no packet any more."""
        self._link.close()

    @property
    def address(self) -> tuple[str, int]:
        """From which it sends."""
        pair = self.ice._transport._connection._nominated[1]
        return pair.local_addr

    async def hang_up(self) -> None:
        self._link.close()
        if hasattr(self, "ice"):
            await self.ice.close()
        await self.connection.close()

    def _packet(self, sequence: int, timestamp: int, payload: bytes, copies: tuple[Block, ...]) -> None:
        now = asyncio.get_running_loop().time()
        self.heard += [frame.samples for frame in self._path.push(sequence, timestamp, payload, now, copies)]
        self._sound.set()

    async def _event(self, data: str) -> None:
        self.events.append(json.loads(data))
        async with self._changed:
            self._changed.notify_all()
