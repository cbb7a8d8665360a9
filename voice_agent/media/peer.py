"""One WebRTC connection on the answering side: SDP in and out, packets and data channel as callbacks."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from aiortc.sdp import SessionDescription

from voice_agent.errors import InputError
from voice_agent.ice_servers import IceServers
from voice_agent.media import aiortc_guards, aiortc_private, fragment, negotiation
from voice_agent.media.ice import RestartableIce
from voice_agent.media.negotiation import Copies
from voice_agent.media.rtp_link import RtpHandler, RtpLink
from voice_agent.message import Samples

log = logging.getLogger(__name__)
EVENTS_CHANNEL = "oai-events"
MAX_EVENT_BYTES = 256 * 1024
MAX_UNSENT_BYTES = 1024 * 1024
"""Of events that a caller does not take; more are not sent."""
MAX_SECTIONS = 8
"""Of an offer: sound, events, and video that is declined."""


class Peer:
    """The callbacks run on the loop and must not block."""

    def __init__(
        self,
        *,
        source: Callable[[], Samples],
        on_packet: RtpHandler,
        on_event: Callable[[str], None],
        on_open: Callable[[], None],
        on_state: Callable[[str], None],
        idle: Callable[[], bool] = lambda: False,
        packet_ms: int = 20,
        copies: Copies = "auto",
    ) -> None:
        """`packet_ms`, 10 or 20, and `copies` hold for both directions: the answer asks for them. `idle` is
        RtpLink's."""
        aiortc_private.allow_loopback()
        aiortc_guards.install()
        self.link = RtpLink(source, on_packet, packet_ms=packet_ms, copies=copies, dtx=True, idle=idle)
        self.has_events = False
        """The offer has a data channel."""
        self._packet_ms = packet_ms
        self._copies = copies
        self._on_event = on_event
        self._on_open = on_open
        self._on_state = on_state
        self._channel: Any = None
        self._connection: RTCPeerConnection | None = None
        self._ice: RestartableIce | None = None

    async def answer(self, offer: str, servers: IceServers | None = None, name: str = "server") -> str:
        """The SDP answer. `name` is the one under which TURN servers know this call.

        Raises InputError for an offer that is broken or has no usable sound.
        """
        self.has_events = _check(offer)
        servers = servers or IceServers()
        connection = self._connection = RTCPeerConnection(configuration(servers, name))
        connection.on("datachannel", self._opened)
        connection.on("connectionstatechange", lambda: self._on_state(connection.connectionState))
        offer, candidates = fragment.without_candidates(offer)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            audio = next(t for t in connection.getTransceivers() if t.kind == "audio")
            self.link.attach(audio)
            audio.direction = "sendrecv"
            transport = audio.receiver.transport.transport
            self._ice = RestartableIce(transport, lambda: ice_servers(servers, name))
            self._ice.add(candidates)
            await connection.setLocalDescription(await connection.createAnswer())
            sdp: str = connection.localDescription.sdp
            answer = negotiation.completed_answer(offer, sdp, self._packet_ms, self._copies)
            self.link.agree(answer)
        except Exception as error:
            # aiortc meets what it did not expect in an offer with errors of every class.
            log.debug("the offer was not accepted", exc_info=True)
            raise InputError(
                f"expected an SDP offer that can be answered: {error or type(error).__name__}"
            ) from error
        return answer

    @property
    def ice_session(self) -> str:
        """A name that changes with every restart of ICE."""
        return self._ice.ufrag if self._ice else ""

    async def patch(self, text: str) -> str | None:
        """Take an SDP fragment (RFC 8840): candidates, or new credentials, which restart ICE and are answered
        by this side's. Raises InputError for one that has neither or does not belong to this call.
        """
        remote = fragment.read(text)
        if self._ice is None:
            raise InputError("expected a fragment after the offer, got one before")
        if self._ice.knows(remote.ufrag):
            self._ice.add(remote)
            return None
        if not remote.password:
            raise InputError(
                f"expected the a=ice-ufrag of this call, or a new one with its a=ice-pwd, got {remote.ufrag}"
            )
        if not self._ice.connected:
            raise InputError("expected a restart of ICE after the call has connected, got one before")
        own = replace(await self._ice.begin(), mid=remote.mid)
        self._ice.connect(remote)
        return str(own)

    def wake(self) -> None:
        """To be called before the source speaks after it has been idle."""
        self.link.pacer.wake()

    def send(self, text: str) -> None:
        """Send an event, if the caller's data channel is open."""
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount > MAX_UNSENT_BYTES:
            log.debug("an event was not sent: the caller does not take them")
            return
        channel.send(text)

    async def close(self) -> None:
        """End the connection and everything in it."""
        self.link.close()
        if self._ice is not None:
            await self._ice.close()
        if self._connection is not None:
            await self._connection.close()

    def _opened(self, channel: Any) -> None:
        if channel.label != EVENTS_CHANNEL:
            return
        self._channel = channel
        channel.on("message", self._received)
        self._on_open()

    def _received(self, data: object) -> None:
        if isinstance(data, str) and len(data) <= MAX_EVENT_BYTES:
            self._on_event(data)


def configuration(servers: IceServers, name: str) -> RTCConfiguration:
    """How an RTCPeerConnection is to find its way."""
    policy = RTCIceTransportPolicy.RELAY if servers.relay_only else RTCIceTransportPolicy.ALL
    return RTCConfiguration(iceServers=ice_servers(servers, name), iceTransportPolicy=policy)


def ice_servers(servers: IceServers, name: str) -> list[RTCIceServer]:
    """STUN and TURN servers with credentials that are valid from now on. aiortc uses one of each kind."""
    return [RTCIceServer(**server) for server in servers.for_session(name)]


def _check(offer: str) -> bool:
    """Whether the offer has a data channel. Raises InputError that says what it lacks, in words of SDP."""
    try:
        description = SessionDescription.parse(offer)
    except Exception as error:  # the parser fails in as many ways as a text can be broken
        raise InputError(f"expected an SDP offer, got text that is none ({type(error).__name__})") from error
    if len(description.media) > MAX_SECTIONS:
        got = len(description.media)
        raise InputError(f"expected an SDP offer of at most {MAX_SECTIONS} sections, got {got}")
    audio = [media for media in description.media if media.kind == "audio" and media.port]
    if not audio:
        raise InputError("expected an SDP offer with an audio section, got one without")
    if not any(codec.name.lower() == "opus" for codec in audio[0].rtp.codecs):
        raise InputError("expected an SDP offer with the Opus codec, got one without")
    if audio[0].direction not in ("sendrecv", "sendonly", None):
        raise InputError(f"expected an audio section that sends sound, got direction {audio[0].direction}")
    return any(media.kind == "application" for media in description.media)
