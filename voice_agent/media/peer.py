"""One WebRTC connection on the answering side: SDP in and out, packets and data channel as callbacks."""

import logging
from collections.abc import Callable
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription, candidate_from_sdp

from voice_agent.errors import InputError
from voice_agent.media import aiortc_guards, aiortc_private, negotiation
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
MAX_CANDIDATES = 64
"""In an offer, and in all trickled fragments; a machine with many networks has some dozen."""


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
        packet_ms: int = 20,
        copies: Copies = "auto",
    ) -> None:
        """`packet_ms`, 10 or 20, and `copies` hold for both directions: the answer asks for them."""
        aiortc_private.allow_loopback()
        aiortc_guards.install()
        self.link = RtpLink(source, on_packet, packet_ms=packet_ms, copies=copies, dtx=True)
        self.has_events = False
        """The offer has a data channel."""
        self._packet_ms = packet_ms
        self._copies = copies
        self._on_event = on_event
        self._on_open = on_open
        self._channel: Any = None
        self._candidates = 0
        """Trickled so far."""
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.on("datachannel", self._opened)
        self._connection.on("connectionstatechange", lambda: on_state(self._connection.connectionState))

    async def answer(self, offer: str) -> str:
        """The SDP answer. Raises InputError for an offer that is broken or has no usable sound."""
        self.has_events = _check(offer)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            audio = next(t for t in self._connection.getTransceivers() if t.kind == "audio")
            self.link.attach(audio)
            audio.direction = "sendrecv"
            await self._connection.setLocalDescription(await self._connection.createAnswer())
            sdp: str = self._connection.localDescription.sdp
            answer = negotiation.completed_answer(offer, sdp, self._packet_ms, self._copies)
            self.link.agree(answer)
        except Exception as error:
            # aiortc meets what it did not expect in an offer with errors of every class.
            log.debug("the offer was not accepted", exc_info=True)
            raise InputError(
                f"expected an SDP offer that can be answered: {error or type(error).__name__}"
            ) from error
        return answer

    async def add_candidates(self, fragment: str) -> None:
        """Take the `a=candidate:` lines of an SDP fragment. Raises InputError for one that is broken."""
        for line in fragment.splitlines():
            if not line.startswith("a=candidate:"):
                continue
            self._candidates += 1
            if self._candidates > MAX_CANDIDATES:
                raise InputError(f"expected at most {MAX_CANDIDATES} ICE candidates in a call, got more")
            try:
                candidate = candidate_from_sdp(line.removeprefix("a=candidate:"))
                candidate.sdpMLineIndex = 0
                await self._connection.addIceCandidate(candidate)
            except (ValueError, IndexError, AssertionError) as error:
                raise InputError(f"expected an ICE candidate, got {line[:80]!r}") from error

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


def _check(offer: str) -> bool:
    """Whether the offer has a data channel. Raises InputError that says what it lacks, in words of SDP."""
    try:
        description = SessionDescription.parse(offer)
    except Exception as error:  # the parser fails in as many ways as a text can be broken
        raise InputError(f"expected an SDP offer, got text that is none ({type(error).__name__})") from error
    if len(description.media) > MAX_SECTIONS:
        got = len(description.media)
        raise InputError(f"expected an SDP offer of at most {MAX_SECTIONS} sections, got {got}")
    if sum(len(media.ice_candidates) for media in description.media) > MAX_CANDIDATES:
        raise InputError(f"expected an SDP offer with at most {MAX_CANDIDATES} ICE candidates, got more")
    audio = [media for media in description.media if media.kind == "audio" and media.port]
    if not audio:
        raise InputError("expected an SDP offer with an audio section, got one without")
    if not any(codec.name.lower() == "opus" for codec in audio[0].rtp.codecs):
        raise InputError("expected an SDP offer with the Opus codec, got one without")
    if audio[0].direction not in ("sendrecv", "sendonly", None):
        raise InputError(f"expected an audio section that sends sound, got direction {audio[0].direction}")
    return any(media.kind == "application" for media in description.media)
