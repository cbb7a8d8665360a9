"""RTP packets (RFC 3550, 5.1) as values: bytes in, fields out, and back. Pure."""

from struct import Struct
from typing import NamedTuple

HEADER = Struct("!BBHII")
"""Flags, marker and payload type, sequence number, timestamp, SSRC."""
EXTENSION = Struct("!HH")
"""Profile, and length in words of 32 bits."""
VERSION = 2
CLOCK = 48_000
"""Hz; Opus always counts RTP time so (RFC 7587, 4.1)."""


class RtpPacket(NamedTuple):
    """One packet; header extensions and contributing sources are passed over."""

    payload_type: int
    """0..127."""
    marker: bool
    """Of voice: the first packet after a pause (RFC 3551, 4.1)."""
    sequence_number: int
    """16 bits."""
    timestamp: int
    """32 bits."""
    ssrc: int
    payload: bytes


def is_rtp(data: bytes) -> bool:
    """Whether a datagram is RTP, rather than RTCP, DTLS, STUN or TURN (RFC 7983, 7; RFC 5761, 4)."""
    return len(data) >= HEADER.size and 128 <= data[0] < 192 and not 192 <= data[1] < 224


def parse(data: bytes) -> RtpPacket:
    """Read a packet. Raises ValueError for one that is cut short or of another version."""
    if len(data) < HEADER.size:
        raise ValueError(f"RTP: expected at least {HEADER.size} bytes, got {len(data)}")
    flags, kind, number, timestamp, ssrc = HEADER.unpack_from(data)
    if flags >> 6 != VERSION:
        raise ValueError(f"RTP: expected version {VERSION}, got {flags >> 6}")
    start, end = HEADER.size + 4 * (flags & 0x0F), len(data)
    if flags & 0x10:
        if end < start + EXTENSION.size:
            raise ValueError("RTP: the header extension is cut short")
        start += EXTENSION.size + 4 * EXTENSION.unpack_from(data, start)[1]
    if flags & 0x20:
        end -= data[-1]
        if not data[-1]:
            raise ValueError("RTP: padding of no bytes")
    if start > end:
        raise ValueError(f"RTP: {start} bytes of header and {len(data) - end} of padding in {len(data)}")
    return RtpPacket(kind & 0x7F, kind > 0x7F, number, timestamp, ssrc, data[start:end])


def build(packet: RtpPacket) -> bytes:
    """The packet as bytes. Raises struct.error for a field out of its range."""
    kind = packet.payload_type | packet.marker << 7
    header = HEADER.pack(VERSION << 6, kind, packet.sequence_number, packet.timestamp, packet.ssrc)
    return header + packet.payload
