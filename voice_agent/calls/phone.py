"""The caller's end of a call over WebRTC: it dials, sends a frame every 20 ms, and records both ways.

Sound is taken from the packets as they arrive, without aiortc's jitter buffer, so that nothing of the
caller's own machinery is in the figures but the codec's 6.5 ms of look-ahead.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy, RTCIceTransportPolicy

from voice_agent import audio
from voice_agent.calls.ear import AUDIBLE_DB, WINDOW, Tape
from voice_agent.calls.events import EventLog
from voice_agent.calls.loudspeaker import Echo, Loudspeaker
from voice_agent.errors import InputError
from voice_agent.ice_servers import ICE_PATH
from voice_agent.media import aiortc_private, fragment, negotiation
from voice_agent.media.ice import RestartableIce
from voice_agent.media.peer import EVENTS_CHANNEL
from voice_agent.media.receive import ReceivePath
from voice_agent.media.receive_statistics import ReceiveStatistics
from voice_agent.media.red import Block
from voice_agent.media.rtp_link import RtpLink
from voice_agent.message import Samples
from voice_agent.network.relay import Relay

log = logging.getLogger(__name__)
HTTP_TIMEOUT_S = 20.0
CONNECT_TIMEOUT_S = 15.0
PATH_LOST_S = 1.0
"""Without a packet for so long another path is looked for; the server sends one every 0.4 s at least."""
RESTART_EVERY_S = 2.0
"""Then a newer attempt takes the place of the one before: its first checks may have been lost."""
RECONNECT_S = 15.0
"""Without a packet for so long the call is given up."""
SILENCE = np.zeros(audio.FRAME, np.int16)
AUDIBLE = 10 ** (AUDIBLE_DB / 20) * audio.FULL_SCALE


class Phone:
    """One call, once. `dial`, then `say` and `until`, then `hang_up` in any case.

    Times are those of `loop.time()` (uvloop counts whole milliseconds): of what is sent, when its packet is
    handed to the RTP sender; of what is heard, when its packet has arrived and is decoded.
    """

    def __init__(self, relay: Relay | None = None, echo: Echo | None = None) -> None:
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
        self.restarts = 0
        """Of ICE, because the path was lost."""
        self._receive = ReceivePath(fill_pauses=False)
        self._to_say: deque[Samples] = deque()
        self._changed = asyncio.Event()
        self._location: httpx.URL | None = None
        self._hung_up = False
        self._relay = relay
        self._loudspeaker = Loudspeaker(echo) if echo else None
        aiortc_private.allow_loopback()
        self._link = RtpLink(self._next_frame, self._packet, copies="never")  # but when the server asks
        self._packet_s = self._restarted_s = 0.0
        self._restarting: asyncio.Task[None] | None = None
        self._connection: RTCPeerConnection | None = None

    @property
    def received(self) -> ReceiveStatistics:
        """What has become of the agent's packets."""
        return self._receive.statistics

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
        async with httpx.AsyncClient(trust_env=False, timeout=HTTP_TIMEOUT_S) as http:
            connection = self._prepare(await _ice_configuration(http, url))
            await connection.setLocalDescription(await connection.createOffer())
            self.offered_s = loop.time()
            answer = await self._offer(http, url, language, connection.localDescription.sdp)
            self.answered_s = loop.time()
        if self._relay is not None:
            answer = self._relay.rewrite_answer(answer)
        try:
            self._link.agree(answer)
            await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        except Exception as error:  # aiortc meets a broken answer with errors of every class
            raise InputError(f"{url}: expected an SDP answer: {error or type(error).__name__}") from error
        if not await self.until(lambda: self.connected_s > 0, CONNECT_TIMEOUT_S) or self.ended_because:
            why = self.ended_because or f"not within {CONNECT_TIMEOUT_S:g} s"
            raise InputError(f"{url}: answered, but no connection came about: {why}")

    def _prepare(self, configuration: RTCConfiguration) -> RTCPeerConnection:
        connection = self._connection = RTCPeerConnection(configuration)
        connection.on("connectionstatechange", self._state)
        # The sound first: aiortc stops the transport if the channel owns it.
        transceiver = connection.addTransceiver("audio")
        self._link.attach(transceiver)
        self._channel = connection.createDataChannel(EVENTS_CHANNEL)
        self._channel.on("message", self._event)
        transport = transceiver.receiver.transport.transport
        self._ice = RestartableIce(transport, lambda: configuration.iceServers or ())
        return connection

    async def _offer(self, http: httpx.AsyncClient, url: str, language: str, sdp: str) -> str:
        session = {"type": "realtime", "audio": {"input": {"transcription": {"language": language}}}}
        sdp = negotiation.completed_offer(sdp)
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

    def send(self, **event: Any) -> None:
        """Send an event on the data channel."""
        self._channel.send(json.dumps(event))

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
        if self._restarting is not None:
            self._restarting.cancel()
        if self._location is not None and not self.ended_because:
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=HTTP_TIMEOUT_S) as http:
                    await http.delete(self._location)
            except httpx.HTTPError as error:
                self.events.errors.append(f"hanging up: {error or type(error).__name__}")
        self._link.close()
        if self._connection is not None:
            await self._ice.close()
            await self._connection.close()

    # --- another path ---

    def _watch(self) -> None:
        """Look for another path while no packet comes, and give up after a while."""
        now = asyncio.get_running_loop().time()
        silent_s = now - max(self._packet_s, self.connected_s)
        if not self.connected_s or self._location is None or self.ended_because or silent_s < PATH_LOST_S:
            return
        if silent_s >= RECONNECT_S:
            self.ended_because = "the connection was lost"
        elif now - self._restarted_s >= RESTART_EVERY_S:
            self._restarted_s = now
            if self._restarting is not None:
                self._restarting.cancel()
            self._restarting = asyncio.create_task(self._restart(self._location))

    async def _restart(self, location: httpx.URL) -> None:
        """Restart ICE, as a browser does whose network has changed."""
        self.restarts += 1
        own = str(await self._ice.begin())
        headers = {"Content-Type": fragment.TYPE, "If-Match": "*"}
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=HTTP_TIMEOUT_S) as http:
                sdp = self._relay.rewrite_fragment(own) if self._relay else own
                response = await http.patch(location, content=sdp, headers=headers)
            if response.status_code == 404:
                self.ended_because = "the agent hung up"
            response.raise_for_status()
            answer = self._relay.rewrite_answer(response.text) if self._relay else response.text
            self._ice.connect(fragment.read(answer))
        except (httpx.HTTPError, InputError) as error:
            log.info("ICE was not restarted: %s", error or type(error).__name__)

    # --- callbacks of the connection ---

    def _next_frame(self) -> Samples:
        frame = self._to_say.popleft() if self._to_say else SILENCE
        if self._loudspeaker:
            frame = self._loudspeaker.add_to(frame)
        self.sent.add(frame, asyncio.get_running_loop().time())
        self._watch()
        self._changed.set()
        return frame

    def _packet(self, sequence: int, timestamp: int, payload: bytes, copies: tuple[Block, ...]) -> None:
        self._packet_s = now = asyncio.get_running_loop().time()
        for frame in self._receive.push(sequence, timestamp, payload, now, copies):
            self.heard.add(frame.samples, now, frame.gap, frame.slot)
            if self._loudspeaker:
                self._loudspeaker.play(frame.samples)
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
        assert self._connection is not None
        state = self._connection.connectionState
        if state == "connected":
            self.connected_s = asyncio.get_running_loop().time()
        elif state in ("failed", "closed") and not self._hung_up:
            self.ended_because = "the agent hung up" if state == "closed" else "the connection was lost"
        self._changed.set()


async def _ice_configuration(http: httpx.AsyncClient, url: str) -> RTCConfiguration:
    """With the STUN and TURN servers that the server names, asked as the page asks; one that names none, or
    does not know the question, is called without. Raises InputError.
    """
    try:
        response = await http.get(f"{url.rstrip('/')}{ICE_PATH}")
        told = response.json()
        servers = [RTCIceServer(**server) for server in told["iceServers"]]
        policy = RTCIceTransportPolicy(told["iceTransportPolicy"])
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(f"no server answers at {url}: {error or type(error).__name__}") from error
    except (ValueError, TypeError, KeyError):
        servers, policy = [], RTCIceTransportPolicy.ALL
    bundle = RTCBundlePolicy.MAX_BUNDLE
    return RTCConfiguration(iceServers=servers, iceTransportPolicy=policy, bundlePolicy=bundle)


def _reason(response: httpx.Response) -> str:
    """The message in a refusal, on one line."""
    try:
        message = response.json()["error"]["message"]
    except (ValueError, TypeError, KeyError):
        message = response.text or response.reason_phrase
    return " ".join(str(message).split())[:200]
