"""Redundant audio (RED, RFC 2198): a packet that carries copies of packets before it. Pure.

A copy's header has 4 bytes: a flag that more follow, 7 bits of payload type, 14 of the time by which it is
older than the packet's own sound, 10 of its length. The packet's own sound comes last, under 1 byte.
"""

from collections.abc import Sequence
from typing import NamedTuple

MAX_OFFSET = (1 << 14) - 1
"""RTP ticks; 341 ms at Opus's 48 kHz."""
MAX_LENGTH = (1 << 10) - 1
MAX_COPIES = 8
"""More than any sender sends; RFC 2198 has no limit."""


class Block(NamedTuple):
    """One frame of encoded sound."""

    payload_type: int
    offset: int
    """RTP ticks by which it is older than the packet's timestamp; 0 for the packet's own."""
    payload: bytes


def parse(payload: bytes) -> tuple[Block, ...]:
    """The blocks in their order: copies, oldest first, then the packet's own sound. Raises ValueError."""
    headers: list[tuple[int, int, int]] = []
    place = 0
    while place < len(payload) and payload[place] & 0x80:
        if place + 4 >= len(payload) or len(headers) >= MAX_COPIES:
            raise ValueError("RED: the headers are cut short or too many")
        word = int.from_bytes(payload[place : place + 4])
        headers.append((word >> 24 & 0x7F, word >> 10 & MAX_OFFSET, word & MAX_LENGTH))
        place += 4
    if place >= len(payload):
        raise ValueError("RED: expected the header of the packet's own sound, got none")
    own, place = payload[place], place + 1
    blocks = []
    for payload_type, offset, length in headers:
        blocks.append(Block(payload_type, offset, payload[place : place + length]))
        place += length
    if place > len(payload):
        raise ValueError(f"RED: expected {place} bytes, got {len(payload)}")
    return (*blocks, Block(own, 0, payload[place:]))


def build(payload_type: int, payload: bytes, copies: Sequence[tuple[int, bytes]]) -> bytes:
    """A payload with copies, each given as offset and payload, oldest first; those that do not fit into their
    header are left out."""
    fitting = [copy for copy in copies if copy[0] <= MAX_OFFSET and len(copy[1]) <= MAX_LENGTH]
    headers = [
        (1 << 31 | payload_type << 24 | offset << 10 | len(data)).to_bytes(4) for offset, data in fitting
    ]
    return b"".join([*headers, bytes([payload_type]), *(data for _, data in fitting), payload])
