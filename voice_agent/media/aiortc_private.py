"""With `aiortc_guards`, the only place that touches what aiortc keeps private; written for aiortc 1.16.

aiortc's own way of the sound costs time and work: in, a task switch for each datagram, four frames of jitter
buffer (81 ms, after one lost packet 280 ms for the rest of the call), a decoder to 48 kHz stereo; out, an
object for each packet with a history of them. Here datagrams are taken where they arrive and sent where
they leave; ICE, DTLS, SRTP's keys and RTCP stay aiortc's. `tests/unit/test_aiortc_private.py` fails clearly
when a new aiortc moves these parts.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import aioice.ice
import pylibsrtp
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtcpRrPacket, RtcpSrPacket

from voice_agent.media import rtp
from voice_agent.media.rtp import RtpPacket

NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900, when NTP's time begins, to 1970 (RFC 868)."""


def take_packets(receiver: Any, on_packet: Callable[[RtpPacket], None]) -> None:
    """Hand a RTCRtpReceiver's packets to `on_packet` as their datagrams arrive, unread by aiortc.

    To be called when the receiver has its transport: after the offer is set, before the connection is up.
    """
    dtls = receiver.transport
    ice = dtls.transport

    def data_received(data: bytes, component: int) -> None:
        session = dtls._rx_srtp
        if session is None or not rtp.is_rtp(data):
            aioice.ice.Connection.data_received(ice._connection, data, component)
            return
        try:
            packet = rtp.parse(session.unprotect(data))
        except (pylibsrtp.Error, ValueError):  # forged, repeated or broken: as if it had not come
            return
        on_packet(packet)

    ice._connection.data_received = data_received


class Reception:
    """What aiortc tells the sender of a stream in its RTCP reports: loss and jitter."""

    def __init__(self, receiver: Any) -> None:
        self._streams: dict[int, Any] = receiver._RTCRtpReceiver__remote_streams

    def count(self, packet: RtpPacket) -> None:
        """Take note of a packet that has come."""
        if packet.ssrc not in self._streams:
            self._streams.clear()  # the caller has one voice: a new stream replaces the one before
            self._streams[packet.ssrc] = _Statistics(rtp.CLOCK)
        self._streams[packet.ssrc].add(packet)


class _Statistics(StreamStatistics):
    @property
    def jitter(self) -> int:
        """Fits into its field, whatever the caller's timestamps: else the task that reports would die, and
        the connection never close."""
        jitter: int = super().jitter
        return min(jitter, 0xFFFFFFFF)


class Output:
    """Sends RTP past a RTCRtpSender, and keeps the figures for its RTCP reports."""

    def __init__(self, sender: Any, on_report: Callable[[float, float | None], None]) -> None:
        """`on_report` takes what the other side reports about this stream: the share of packets lost since
        its last report (0..1), and the round-trip time in seconds, None while it is not known."""
        self._sender = sender
        self._number = secrets.randbits(15)  # low, so that it does not wrap soon (RFC 3711, 3.3.1)
        self._origin = secrets.randbits(32)
        self._on_report = on_report
        self._rtcp = sender._handle_rtcp_packet
        sender._handle_rtcp_packet = self._handle_rtcp

    def send(self, payload_type: int, payload: bytes, timestamp: int, marker: bool) -> bool:
        """Send a packet; `timestamp` counts RTP ticks from 0. False while there is no connection."""
        sender = self._sender
        dtls = sender.transport
        pair = dtls.transport._connection._nominated.get(1)
        if dtls._tx_srtp is None or pair is None:
            return False
        timestamp = (self._origin + timestamp) & 0xFFFFFFFF
        packet = RtpPacket(payload_type, marker, self._number, timestamp, sender._ssrc, payload)
        pair.protocol.transport.sendto(dtls._tx_srtp.protect(rtp.build(packet)), pair.remote_addr)
        self._number = (self._number + 1) & 0xFFFF
        sender._RTCRtpSender__rtp_timestamp = timestamp
        sender._RTCRtpSender__ntp_timestamp = int((time.time() + NTP_EPOCH_S) * (1 << 32))
        sender._RTCRtpSender__octet_count += len(payload)
        sender._RTCRtpSender__packet_count += 1
        return True

    async def _handle_rtcp(self, packet: Any) -> None:
        await self._rtcp(packet)
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == self._sender._ssrc:
                    self._on_report(report.fraction_lost / 256, self._sender._RTCRtpSender__rtt)


class IdleTrack(MediaStreamTrack):
    """Of a sender whose packets go another way: it tells when sending may begin, and yields nothing."""

    kind = "audio"

    def __init__(self, on_start: Callable[[], None]) -> None:
        super().__init__()
        self._on_start = on_start
        self._stopped = asyncio.Event()

    async def recv(self) -> Any:
        """Called by aiortc once the connection is up; returns by MediaStreamError when the track stops."""
        self._on_start()
        await self._stopped.wait()
        raise MediaStreamError

    def stop(self) -> None:
        self._stopped.set()
        super().stop()


def allow_loopback() -> None:
    """Let ICE use 127.0.0.1 where a machine has no other address; aioice leaves it out always."""
    original = aioice.ice.get_host_addresses
    if getattr(original, "allows_loopback", False):
        return

    def with_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return original(use_ipv4, use_ipv6) or ["127.0.0.1"]

    with_loopback.allows_loopback = True  # type: ignore[attr-defined]
    aioice.ice.get_host_addresses = with_loopback
