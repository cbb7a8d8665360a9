"""What a hostile or broken packet could do to aiortc 1.16 and aioice 0.13, prevented.

Both are pure Python on the loop of all calls, and take some of what comes from the network in good faith:

- a parameter of length 0 in an SCTP chunk: an endless loop, for every call of the process;
- an SCTP SACK that reports 65535 packets 370 times: seconds of work for one packet, and so for a NACK;
- a packet whose parser raises anything but ValueError, an empty datagram: the DTLS loop ends, the call with
  it, and the log has a traceback (the empty datagram may be sent by anybody who knows the port);
- an offer that breaks off in the middle: the connection cannot be closed, and keeps what it has;
- numbers that the sender chooses, as keys of tables without an end: SSRCs, SCTP streams, addresses.

`tests/unit/test_aiortc_guards.py` shows each of them, and fails clearly when a new aiortc moves these parts.
"""

import logging
import struct
from collections.abc import Awaitable, Callable
from functools import cache, wraps
from typing import Any

import aioice.ice
import aioice.stun
import pylibsrtp
from aiortc import RTCPeerConnection, rtcsctptransport
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtcsctptransport import RTCSctpTransport
from aiortc.rtp import RtcpRtpfbPacket

log = logging.getLogger(__name__)
LAST_STUN = 3
"""The highest first byte of a STUN message (RFC 7983, 7)."""
MAX_QUEUED = 1024
"""Datagrams of a call that wait for the loop: some seconds of sound."""
MAX_SOURCES = 32
"""SSRCs in a call; a browser uses one, and another after some changes of its microphone."""
MAX_ADDRESSES = 64
"""From which a caller may reach for a call: that is, candidates."""
MAX_STREAMS = 16
"""SCTP streams, so data channels, that a caller may open."""
MAX_FRAGMENTS = 1024
"""SCTP chunks that wait for others: about a full window of 1 MB."""


@cache
def install() -> None:
    """Put the guards in, once for the process."""
    _guard_datagrams()
    _guard_handlers()
    _guard_sources()
    _guard_sctp()
    _guard_close()


# --- datagrams, from anybody ---


def _guard_datagrams() -> None:
    parse = aioice.stun.parse_message
    connection: Any = aioice.ice.Connection
    protocol: Any = aioice.ice.StunProtocol
    receive = protocol.datagram_received
    take, check, add = connection.data_received, connection.check_incoming, connection._add_remote_candidate

    @wraps(receive)
    def datagram_received(self: Any, data: bytes, addr: tuple[Any, ...]) -> None:
        """aioice tries to read every datagram as STUN, and an error for each packet of sound is dear."""
        if data and data[0] > LAST_STUN:
            self.receiver.data_received(data, self.local_candidate.component)
        else:
            receive(self, data, addr)

    @wraps(parse)
    def parse_message(data: bytes) -> Any:
        try:
            return parse(data)
        except struct.error as error:
            raise ValueError(f"STUN attribute has an invalid length: {error}") from error

    @wraps(take)
    def data_received(self: Any, data: bytes, component: int) -> None:
        if data and self._queue.qsize() < MAX_QUEUED:
            take(self, data, component)

    @wraps(check)
    def check_incoming(self: Any, message: Any, addr: tuple[str, int], protocol: Any) -> None:
        known = any((c._network_host, c.port) == addr for c in self._remote_candidates)
        if "PRIORITY" in message.attributes and (known or len(self._remote_candidates) < MAX_ADDRESSES):
            check(self, message, addr, protocol)

    @wraps(add)
    def add_remote_candidate(self: Any, candidate: Any, network_host: str) -> None:
        if len(self._remote_candidates) < MAX_ADDRESSES:
            add(self, candidate, network_host)

    aioice.stun.parse_message = parse_message
    protocol.datagram_received = datagram_received
    connection.data_received = data_received
    connection.check_incoming = check_incoming
    connection._add_remote_candidate = add_remote_candidate


# --- handlers, behind DTLS: from the caller ---


def _guard_handlers() -> None:
    for cls, name in (
        (RTCDtlsTransport, "_handle_rtp_data"),
        (RTCDtlsTransport, "_handle_rtcp_data"),
        (RTCSctpTransport, "_handle_data"),
    ):
        setattr(cls, name, _dropping(getattr(cls, name)))
    sender: Any = RTCRtpSender
    handle = sender._handle_rtcp_packet

    @wraps(handle)
    async def without_nack(self: Any, packet: Any) -> None:
        if not isinstance(packet, RtcpRtpfbPacket):  # not negotiated for sound
            await handle(self, packet)

    sender._handle_rtcp_packet = without_nack


def _dropping(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """A handler of packets that drops those at which it breaks."""

    @wraps(handle)
    async def guarded(self: Any, data: bytes, *args: Any, **kwargs: Any) -> None:
        try:
            await handle(self, data, *args, **kwargs)
        except ConnectionError:  # the connection has ended meanwhile: aiortc's own sign
            raise
        except Exception:
            log.debug("a packet of %d bytes was dropped", len(data), exc_info=True)

    return guarded


def _guard_sources() -> None:
    transport: Any = RTCDtlsTransport
    set_up = transport._setup_srtp

    @wraps(set_up)
    def set_up_guarded(self: Any) -> None:
        set_up(self)
        if self._rx_srtp is not None:
            self._rx_srtp = _FewSources(self._rx_srtp)

    transport._setup_srtp = set_up_guarded


class _FewSources:
    """An SRTP session for MAX_SOURCES SSRCs: libsrtp, aiortc's router and its statistics keep every one.

    Only what was authentic counts, so that nobody else can use up a caller's.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._known: set[bytes] = set()

    def unprotect(self, data: bytes) -> bytes:
        """The RTP packet. Raises pylibsrtp.Error."""
        return self._from(data[8:12], self._session.unprotect, data)

    def unprotect_rtcp(self, data: bytes) -> bytes:
        """The RTCP packet. Raises pylibsrtp.Error."""
        return self._from(data[4:8], self._session.unprotect_rtcp, data)

    def _from(self, source: bytes, unprotect: Callable[[bytes], bytes], data: bytes) -> bytes:
        if source in self._known:
            return unprotect(data)
        if len(self._known) >= MAX_SOURCES:
            raise pylibsrtp.Error(f"more than {MAX_SOURCES} sources")
        plain = unprotect(data)
        self._known.add(source)
        return plain


# --- SCTP, which carries the data channel ---


def _guard_sctp() -> None:
    rtcsctptransport.decode_params = decode_params
    association: Any = RTCSctpTransport
    get_stream = association._get_inbound_stream
    take_data, take_sack = association._receive_data_chunk, association._receive_sack_chunk

    @wraps(get_stream)
    def get_inbound_stream(self: Any, stream_id: int) -> Any:
        if stream_id not in self._inbound_streams and len(self._inbound_streams) >= MAX_STREAMS:
            raise ValueError(f"more than {MAX_STREAMS} streams")
        return get_stream(self, stream_id)

    @wraps(take_data)
    async def receive_data_chunk(self: Any, chunk: Any) -> None:
        waiting = len(get_inbound_stream(self, chunk.stream_id).reassembly)
        crowded = max(waiting, len(self._sack_misordered)) >= MAX_FRAGMENTS
        if not crowded and len(chunk.user_data) <= self._advertised_rwnd:
            await take_data(self, chunk)

    @wraps(take_sack)
    async def receive_sack_chunk(self: Any, chunk: Any) -> None:
        sent = (self._local_tsn - chunk.cumulative_tsn) % rtcsctptransport.SCTP_TSN_MODULO
        if all(end <= sent for _, end in chunk.gaps) and sum(b - a + 1 for a, b in chunk.gaps) <= sent:
            await take_sack(self, chunk)

    association._get_inbound_stream = get_inbound_stream
    association._receive_data_chunk = receive_data_chunk
    association._receive_sack_chunk = receive_sack_chunk


def decode_params(body: bytes) -> list[tuple[int, bytes]]:
    """The type and value of each parameter (RFC 9260, 3.2.1). Raises ValueError where one is shorter than its
    own header or longer than the chunk.
    """
    params = []
    at = 0
    while at <= len(body) - 4:
        kind, length = struct.unpack_from("!HH", body, at)
        if not 4 <= length <= len(body) - at:
            raise ValueError(f"SCTP parameter has an invalid length of {length} bytes")
        params.append((kind, body[at + 4 : at + length]))
        at += length + -length % 4
    return params


# --- offers ---


def _guard_close() -> None:
    connection: Any = RTCPeerConnection
    close = connection.close

    @wraps(close)
    async def close_what_there_is(self: Any) -> None:
        transceivers = self._RTCPeerConnection__transceivers
        transceivers[:] = [each for each in transceivers if each.receiver.transport is not None]
        if self.sctp is not None and self.sctp.transport is None:
            self._RTCPeerConnection__sctp = None
        await close(self)

    connection.close = close_what_there_is
