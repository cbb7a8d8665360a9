"""The caller's end of a call over WebRTC: it dials, sends a frame every 20 ms, and records both ways.

Sound is taken from the packets as they arrive, without aiortc's jitter buffer, so that nothing of the
caller's own machinery is in the figures but the codec's 6.5 ms of look-ahead.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from voice_agent import audio
from voice_agent.calls.ear import AUDIBLE_DB, WINDOW, Tape
from voice_agent.calls.events import EventLog
from voice_agent.errors import InputError
from voice_agent.media import aiortc_private, negotiation
from voice_agent.media.peer import EVENTS_CHANNEL
from voice_agent.media.receive import ReceivePath
from voice_agent.media.red import Block
from voice_agent.media.rtp_link import RtpLink
from voice_agent.message import Samples
from voice_agent.network.relay import Relay

HTTP_TIMEOUT_S = 20.0
CONNECT_TIMEOUT_S = 15.0
SILENCE = np.zeros(audio.FRAME, np.int16)
AUDIBLE = 10 ** (AUDIBLE_DB / 20) * audio.FULL_SCALE


class Phone:
    """One call, once. `dial`, then `say` and `until`, then `hang_up` in any case.

    Times are those of `loop.time()` (uvloop counts whole milliseconds): of what is sent, when its packet is
    handed to the RTP sender; of what is heard, when its packet has arrived and is decoded.
    """

    def __init__(self, relay: Relay | None = None) -> None:
        self.sent = Tape()
        self.heard = Tape()
        self.events = EventLog()
        self.offered_s = 0.0
        self.answered_s = 0.0
        self.connected_s = 0.0
        self.ended_because = ""
        """Why the call is over; "" while it is not."""
        self.last_audible_s = 0.0
        """When the latest frame with something audible in it came."""
        self._receive = ReceivePath(fill_pauses=False)
        self._to_say: deque[Samples] = deque()
        self._changed = asyncio.Event()
        self._location: httpx.URL | None = None
        self._hung_up = False
        self._relay = relay
        aiortc_private.allow_loopback()
        self._link = RtpLink(self._next_frame, self._packet, copies="never")  # but when the server asks
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.on("connectionstatechange", self._state)
        channel = self._connection.createDataChannel(EVENTS_CHANNEL)
        channel.on("message", self._event)
        self._link.attach(self._connection.addTransceiver("audio"))

    @property
    def lost_frames(self) -> int:
        """Packets of the agent's that never came."""
        return self._receive.statistics.lost

    @property
    def own_late_frames(self) -> int:
        """Frames that this side sent late, short of processor time: figures of such a call are doubtful."""
        return self._link.pacer.late

    async def dial(self, url: str, language: str) -> None:
        """Call a server. Raises InputError when it cannot be reached, refuses, or does not connect."""
        loop = asyncio.get_running_loop()
        await self._connection.setLocalDescription(await self._connection.createOffer())
        async with httpx.AsyncClient(trust_env=False, timeout=HTTP_TIMEOUT_S) as http:
            self.offered_s = loop.time()
            answer = await self._offer(http, url, language)
            self.answered_s = loop.time()
        if self._relay is not None:
            answer = self._relay.rewrite_answer(answer)
        try:
            self._link.agree(answer)
            await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        except Exception as error:  # aiortc meets a broken answer with errors of every class
            raise InputError(f"{url}: expected an SDP answer: {error or type(error).__name__}") from error
        if not await self.until(lambda: self.connected_s > 0, CONNECT_TIMEOUT_S) or self.ended_because:
            why = self.ended_because or f"not within {CONNECT_TIMEOUT_S:g} s"
            raise InputError(f"{url}: answered, but no connection came about: {why}")

    async def _offer(self, http: httpx.AsyncClient, url: str, language: str) -> str:
        session = {"type": "realtime", "audio": {"input": {"transcription": {"language": language}}}}
        sdp = negotiation.completed_offer(self._connection.localDescription.sdp)
        form = {
            "sdp": (None, self._relay.rewrite_offer(sdp) if self._relay else sdp, "application/sdp"),
            "session": (None, json.dumps(session), "application/json"),
        }
        try:
            response = await http.post(f"{url.rstrip('/')}/v1/realtime/calls", files=form)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise InputError(f"no server answers at {url}: {error or type(error).__name__}") from error
        if response.status_code != 201:
            raise InputError(f"{url} refused the call: {response.status_code} {_reason(response)}")
        if location := response.headers.get("location"):
            self._location = response.url.join(location)
        return response.text

    def say(self, samples: Samples) -> int:
        """Begin to speak at the next frame; returns that frame's number in `sent`."""
        begins = len(self.sent) + len(self._to_say)
        self._to_say.extend(audio.frames(samples))
        return begins

    @property
    def speaking(self) -> bool:
        """Whether something is still to be sent of what was said."""
        return bool(self._to_say)

    async def until(self, happened: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `happened()`, looked at whenever a frame or an event has come; False when it has not in
        time or the call has ended before.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not happened():
                    if self.ended_because:
                        return False
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def hang_up(self) -> None:
        """End the call, on the server too, and release everything."""
        self._hung_up = True
        if self._location is not None and not self.ended_because:
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=HTTP_TIMEOUT_S) as http:
                    await http.delete(self._location)
            except httpx.HTTPError as error:
                self.events.errors.append(f"hanging up: {error or type(error).__name__}")
        self._link.close()
        await self._connection.close()

    # --- callbacks of the connection ---

    def _next_frame(self) -> Samples:
        frame = self._to_say.popleft() if self._to_say else SILENCE
        self.sent.add(frame, asyncio.get_running_loop().time())
        self._changed.set()
        return frame

    def _packet(self, sequence: int, timestamp: int, payload: bytes, copies: tuple[Block, ...]) -> None:
        now = asyncio.get_running_loop().time()
        for frame in self._receive.push(sequence, timestamp, payload, now, copies):
            self.heard.add(frame.samples, now, frame.gap, frame.slot)
            windows = np.square(frame.samples.astype(np.float64)).reshape(-1, WINDOW).mean(axis=1)
            if windows.max() > AUDIBLE**2:
                self.last_audible_s = now
        self._changed.set()

    def _event(self, data: object) -> None:
        if isinstance(data, str):
            self.events.receive(data, asyncio.get_running_loop().time())
            self._link.sending.redundant = self.events.copies_wanted
            self._changed.set()

    def _state(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self.connected_s = asyncio.get_running_loop().time()
        elif state in ("failed", "closed") and not self._hung_up:
            self.ended_because = "the agent hung up" if state == "closed" else "the connection was lost"
        self._changed.set()


def _reason(response: httpx.Response) -> str:
    """The message in a refusal, on one line."""
    try:
        message = response.json()["error"]["message"]
    except (ValueError, TypeError, KeyError):
        message = response.text or response.reason_phrase
    return " ".join(str(message).split())[:200]
