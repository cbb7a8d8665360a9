"""The caller in a browser: sound over WebRTC, events on the data channel `oai-events`."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, ParamSpec, TypeVar

import numpy as np
from pydantic import Field

from voice_agent import metrics
from voice_agent.audio import FRAME, FRAME_S
from voice_agent.extension import Emit, Extension
from voice_agent.ice_servers import IceServers
from voice_agent.inbox import Lane
from voice_agent.media.negotiation import Copies
from voice_agent.media.network_watch import NetworkWatch
from voice_agent.media.peer import Peer
from voice_agent.media.playout import Playout
from voice_agent.media.receive import ReceivePath
from voice_agent.media.red import Block
from voice_agent.media.slots import Frame
from voice_agent.message import (
    AudioFrame,
    CallStarted,
    Clause,
    Failed,
    Heard,
    Hold,
    Message,
    Nudge,
    Playback,
    PlayedFrame,
    Route,
    Samples,
    Speech,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    TurnEnded,
    TurnStarted,
    Typed,
)
from voice_agent.realtime.commands import Commands
from voice_agent.realtime.conversation import Conversation
from voice_agent.realtime.events import Event
from voice_agent.realtime.latency import LatencyMeter
from voice_agent.realtime.rehearsal import rehearse

Seconds = Annotated[float, Field(gt=0)]
P = ParamSpec("P")
R = TypeVar("R")
NO_SOUND: Samples = np.zeros(FRAME, np.int16)
AWAY_S = 2.0
"""Without a packet for so long the line is down: also a sender that pauses sends one every 0.4 s (Opus with
DTX), and most gaps of a mobile network are over sooner (docs/network.md)."""
IDLE_S = 0.06
"""Without a packet for so long the beat no longer rests: it must be awake when gaps are filled, GAP_S of
receive.py after the latest packet, and a rest is up to 0.08 s."""
PLAYED_LATE_FRAMES = 10
"""What is played may lag behind the clock so far before it is renumbered: a stall of the loop."""
NETWORK_FRAMES = 50
"""Of the network is told once a second."""


@dataclass
class WebRtcClient(Extension):
    """The server gives it the offer by `answer`; the call begins when sound and events can flow."""

    connect_timeout_s: Seconds = 20.0
    """The call ends if the connection is not up by then."""
    reconnect_grace_s: Seconds = 15.0
    """When no packet comes the session waits, and this long for another one; then the call ends."""
    packet_ms: Literal[10, 20] = 20
    """Length of packets both ways; 10 costs twice the packets and loses less sound with each."""
    copies: Copies = "auto"
    """When packets carry a copy of the one before (RED): when loss asks for it, "always" or "never"."""
    model: str = "voice-agent"
    """The name that `session.created` tells."""

    inputs = (
        SpeechStarted, SpeechEnded, Transcript, TurnStarted, TurnEnded, Nudge,
        Clause, Speech, Playback, Route, Hold, Failed,
    )  # fmt: skip
    outputs = {
        "call_started": CallStarted, "pcm_frame": AudioFrame, "played_frame": PlayedFrame,
        "heard": Heard, "typed": Typed,
    }  # fmt: skip

    def prepare(self) -> None:
        rehearse()

    async def start(self) -> None:
        self._out: Lane[tuple[str, Message]] = Lane()
        """What `run` is to emit."""
        self._receive = ReceivePath()
        self._ticks = 0
        self._playout = Playout()
        self._conversation = Conversation(self.session.language, self.model)
        self._commands = Commands(self._conversation, self._playout.log)
        self._latency = LatencyMeter()
        self._first_slot: int | None = None
        """The slot of the first frame that was handed on, which is at audio time 0."""
        self._time_s = 0.0
        """Audio time after the latest frame."""
        self._began_s = 0.0
        """Loop time at which the first frame was handed on: audio time 0 for what is played."""
        self._played = -1
        """The number of the latest frame that was played, counted from then."""
        self._packet_s = 0.0
        """Loop time of the latest packet."""
        self._away = False
        """None has come for AWAY_S: nothing is played until one does."""
        self._answered = False
        self._connected = asyncio.Event()
        self._open = asyncio.Event()
        self._peer = Peer(
            source=self._guarded(self._next_frame, NO_SOUND),
            on_packet=self._guarded(self._packet, None),
            on_event=self._guarded(self._command, None),
            on_open=self._opened,
            on_state=self._state,
            idle=self._idle,
            packet_ms=self.packet_ms,
            copies=self.copies,
        )
        self._network = NetworkWatch(self._receive, self._peer.link)

    async def answer(self, offer: str, servers: IceServers | None = None) -> str:
        """The SDP answer. Raises InputError."""
        return await self._peer.answer(offer, servers, self.session.session_id)

    async def patch(self, fragment: str) -> str | None:
        """Take trickled candidates, or restart ICE and return this side's fragment. Raises InputError."""
        return await self._peer.patch(fragment)

    def ice_session(self) -> str:
        """A name that changes with every restart of ICE."""
        return self._peer.ice_session

    async def run(self, emit: Emit) -> None:
        try:
            async with asyncio.timeout(self.connect_timeout_s):
                await self._connected.wait()
                if self._peer.has_events:
                    await self._open.wait()
        except TimeoutError:
            self.session.close(f"not connected within {self.connect_timeout_s:g} s")
            return
        self._send(self._conversation.session())
        self._packet_s = asyncio.get_running_loop().time()
        self._answered = True
        turn = self.session.begin_turn()
        self._send(self._conversation.replies.begin(turn))
        await emit("call_started", CallStarted(self.session.language, turn=turn))
        while True:
            await emit(*await self._out.get())

    async def handle(self, message: Message, emit: Emit) -> None:
        tentative = self.session.is_tentative(message.turn)
        await self.session.confirmed(message.turn)  # before that nothing is told or played
        match message:
            case Speech(turn=int(turn)):
                self._peer.wake()
                self._playout.push(message)
                if message.final:
                    self._send(self._conversation.replies.generated(turn))
            case Speech():
                self._peer.wake()
                self._playout.aside(message.samples)
            case Playback() if message.mode != self._playout.mode:
                self._playout.set_mode(message.mode)
                self._send(self._conversation.playback(message.mode))
            case TurnStarted():
                pass  # the cut was told by flush
            case _:
                now = asyncio.get_running_loop().time()
                self._latency.on_message(message, now, self._time_s, tentative)
                self._send(self._conversation.on_message(message))

    def flush(self) -> None:
        replies = self._conversation.replies
        playing, played_ms = self._playout.playing, round(self._playout.played_s * 1000)
        if self._playout.mode != "full":  # a cut ends it
            self._send(self._conversation.playback("full"))
        self._playout.cut()
        self._tell_progress()
        for turn in replies.open_turns():
            if turn == playing:
                metrics.INTERRUPTIONS.inc()
            self._send(replies.interrupted(turn, played_ms if turn == playing else 0))

    async def stop(self) -> None:
        await self._peer.close()

    # --- callbacks of the connection ---

    def _guarded(self, callback: Callable[P, R], otherwise: R) -> Callable[P, R]:
        """What breaks in a callback ends the session as this node's error: raised to aiortc, it would end
        the connection and pass for a caller who has hung up.
        """

        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return callback(*args, **kwargs)
            except Exception as error:
                self.session.fail(self.node, error)
                return otherwise

        return guarded

    def _packet(self, sequence: int, timestamp: int, payload: bytes, copies: tuple[Block, ...]) -> None:
        self._packet_s = asyncio.get_running_loop().time()
        if self._away:
            self._set_away(False)
        self._hand_on(self._receive.push(sequence, timestamp, payload, self._packet_s, copies))
        if self._receive.waiting:
            self._peer.wake()

    def _hand_on(self, frames: list[Frame]) -> None:
        if not self._answered or not frames:
            return
        if self._first_slot is None:
            self._first_slot = frames[0].slot
            self._began_s = asyncio.get_running_loop().time()
        for frame in frames:
            time_s = (frame.slot - self._first_slot) * FRAME_S
            if time_s < 0:  # late sound of before the call was answered
                continue
            self._out.append(("pcm_frame", AudioFrame(frame.samples, time_s, gap=frame.gap)))
            self._time_s = time_s + FRAME_S

    def _next_frame(self) -> Samples:
        """What the caller's loudspeaker gets next; called every 20 ms."""
        now = asyncio.get_running_loop().time()
        samples = self._play(now)
        if "played_frame" in self.connected and self._first_slot is not None:
            self._tell_played(samples, now)
        return samples

    def _idle(self) -> bool:
        """Whether the beat has nothing to do: packets come, and are handed on as they do; none of the agent's
        voice is played, and nobody wants to know."""
        listening = asyncio.get_running_loop().time() - self._packet_s < IDLE_S and not self._receive.waiting
        return listening and self._playout.idle and "played_frame" not in self.connected

    def _tell_played(self, samples: Samples, now: float) -> None:
        """Numbered one by one, as the beat is steadier than readings of time; after a stall, by the clock."""
        by_clock = int((now - self._began_s) / FRAME_S)
        self._played = max(self._played + 1, by_clock - PLAYED_LATE_FRAMES)
        self._out.append(("played_frame", PlayedFrame(samples, self._played * FRAME_S)))

    def _play(self, now: float) -> Samples:
        self._hand_on(self._receive.poll(now))
        if self._answered:
            self._watch(now - self._packet_s)
        if self._away:
            return NO_SOUND
        self._ticks += 1
        if self._answered and self._ticks % NETWORK_FRAMES == 0:
            self._tell_network()
        samples = self._playout.pull()
        self._tell_progress()
        return samples

    def _watch(self, silent_s: float) -> None:
        """Nothing has come for so long."""
        if not self._away and silent_s > AWAY_S:
            self._set_away(True)
        if silent_s >= self.reconnect_grace_s:
            self.session.close(f"the caller was away for {self.reconnect_grace_s:g} s")

    def _set_away(self, away: bool) -> None:
        """The line is down, or up again. What the agent says stops where it is, and goes on from there."""
        self._away = away
        self._send(self._conversation.connection("waiting" if away else "connected"))

    def _tell_network(self) -> None:
        report = self._network.report(asyncio.get_running_loop().time())
        self._send(self._conversation.network(report))

    def _first_sample(self, turn: int) -> None:
        now = asyncio.get_running_loop().time()
        if latency := self._latency.first_sample(turn, now, self.session.timings(turn), self.node):
            metrics.RESPONSE.observe(latency.voice_to_voice_ms / 1000)
            self._send(self._conversation.latency(turn, latency))

    def _tell_progress(self) -> None:
        for heard in self._playout.progress():
            if not heard.text and not heard.final:
                self._first_sample(heard.reply)
            self._tell_heard(heard)

    def _tell_heard(self, heard: Heard) -> None:
        self._out.append(("heard", heard))
        self._send(self._conversation.on_message(heard))

    def _command(self, text: str) -> None:
        result = self._commands.receive(text)
        self._send(result.events)
        if result.cancel:
            self.session.interrupt()
        if result.language:
            self.session.language = result.language
        if result.truncated:
            self._tell_heard(result.truncated)
        if result.typed:
            self._out.append(("typed", Typed(result.typed)))

    def _opened(self) -> None:
        self._open.set()

    def _state(self, state: str) -> None:
        if state == "connected":
            self._connected.set()
        elif state in ("failed", "closed"):
            self.session.close("the caller hung up" if state == "closed" else "the connection was lost")

    def _send(self, events: list[Event]) -> None:
        for event in events:
            self._peer.send(json.dumps(event, ensure_ascii=False))
