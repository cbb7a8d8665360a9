"""A caller whose packets are meant to break the server: its call goes on, and so does everybody's."""

import asyncio
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from aiortc.rtp import RTCP_PSFB_APP, RtcpByePacket, RtcpPsfbPacket, RtpPacket

from tests.calls.peers import Beeper, Caller
from tests.calls.test_webrtc_client import a_call
from voice_agent.errors import InputError
from voice_agent.media import aiortc_guards
from voice_agent.media.peer import MAX_UNSENT_BYTES

OPUS = 96
"""The payload type that aiortc offers for it."""
DATA, SACK, FORWARD_TSN, HEARTBEAT, RECONFIG = 0, 3, 192, 4, 130
STRING, CONTROL = 51, 50
"""Payload protocols of the data channel (RFC 8831, 8)."""


def rtp_with_extension(number: int, value: bytes) -> bytes:
    """An RTP packet with one header extension (RFC 8285, 4.2)."""
    extension = bytes([number << 4 | len(value) - 1]) + value
    extension += bytes(-len(extension) % 4)
    header = struct.pack("!BBHLL", 0x90, OPUS, 1, 1, 7)
    return header + struct.pack("!HH", 0xBEDE, len(extension) // 4) + extension + b"payload"


def sctp(association: Any, kind: int, flags: int, body: bytes) -> bytes:
    """An SCTP packet with one chunk, for the other end of an association."""
    header = struct.pack("!HHL", 5000, association._remote_port, association._remote_verification_tag)
    chunk = struct.pack("!BBH", kind, flags, 4 + len(body)) + body + bytes(-len(body) % 4)
    return header + struct.pack("<L", google_crc32c.value(header + bytes(4) + chunk)) + chunk


def data(association: Any, ahead: int, stream: int, protocol: int, payload: bytes, flags: int = 3) -> bytes:
    """A DATA chunk whose number is so far ahead of the next one's."""
    tsn = (association._local_tsn + ahead) % 2**32
    return sctp(association, DATA, flags, struct.pack("!LHHL", tsn, stream, 0, protocol) + payload)


def rtp_attacks() -> Iterator[bytes]:
    for number in range(1, 15):
        yield rtp_with_extension(number, b"\xff\xff\xff\xff\xff")
    for source in range(500):
        yield RtpPacket(OPUS, 0, 1, 1, source, b"x").serialize()
    yield bytes(RtcpPsfbPacket(RTCP_PSFB_APP, 7, 0, b"REMB\xff\x00\x00\x00"))
    yield bytes(RtcpByePacket([7]))
    yield struct.pack("!BBHL", 0x80, 205, 0xFFFF, 7)


def sctp_attacks(association: Any) -> Iterator[bytes]:
    yield sctp(association, HEARTBEAT, 0, struct.pack("!HH", 1, 0))
    yield sctp(association, RECONFIG, 0, struct.pack("!HH", 13, 4))
    acknowledged = (association._last_received_tsn or 0) % 2**32
    gaps = struct.pack("!HH", 1, 65535) * 280
    yield sctp(association, SACK, 0, struct.pack("!LLHH", acknowledged, 1000, 280, 0) + gaps)
    yield sctp(association, FORWARD_TSN, 0, struct.pack("!L", association._local_tsn - 1) + b"\x00")
    for stream in range(100):
        yield data(association, 2 + stream, 100 + stream, CONTROL, b"\x03")
    yield sctp(association, 1, 0, bytes(3))
    yield sctp(association, DATA, 3, bytes(5))


async def goes_on(caller: Caller, beeper: Beeper) -> None:
    """Sound still reaches the graph, and an event is answered."""
    beeper.hearing.clear()
    async with asyncio.timeout(5):
        await beeper.hearing.wait()
    asked = len(caller.of("error"))
    caller.send(type="nonsense")
    await caller.wait_for("error", asked + 1)


@pytest.mark.parametrize("kind", ["rtp", "sctp", "datagram"])
def test_a_call_survives_its_callers_packets(kind: str) -> None:
    async def main() -> None:
        async with a_call() as (caller, session, beeper):
            association: Any = caller.connection.sctp
            transport = association.transport
            if kind == "rtp":
                for packet in rtp_attacks():
                    await transport._send_rtp(packet)
            elif kind == "sctp":
                for packet in sctp_attacks(association):
                    await transport._send_data(packet)
            else:
                for datagram in (b"", b"\x00", b"\x16", b"\x80", b"\x80\xc8", bytes(20)):
                    await transport.transport._send(datagram)
            await goes_on(caller, beeper)
            assert session.closed_because == ""

    asyncio.run(main())


def test_what_a_caller_can_make_the_server_remember_has_an_end() -> None:
    async def main() -> None:
        async with a_call() as (caller, session, beeper):
            association: Any = caller.connection.sctp
            transport = association.transport
            for packet in (*rtp_attacks(), *sctp_attacks(association)):
                send = (
                    association.transport._send_rtp
                    if packet[0] >> 6 == 2
                    else association.transport._send_data
                )
                await send(packet)
            for number in range(3000):
                unfinished = data(association, 200 + 2 * number, 0, STRING, b"x", flags=2)
                await transport._send_data(unfinished)
            await goes_on(caller, beeper)
            client: Any = session.nodes["client"].extension
            theirs = client._peer._connection.sctp
            assert len(theirs.transport._rtp_router.ssrc_table) <= aiortc_guards.MAX_SOURCES
            assert len(theirs._inbound_streams) <= aiortc_guards.MAX_STREAMS
            waiting = [len(stream.reassembly) for stream in theirs._inbound_streams.values()]
            assert max(waiting) <= aiortc_guards.MAX_FRAGMENTS

    asyncio.run(main())


def test_an_offer_of_too_many_sections_is_refused() -> None:
    async def main() -> None:
        sdp = (Path(__file__).parents[1] / "data" / "sdp" / "firefox.sdp").read_text()
        async with a_call() as (_, session, _):
            client: Any = session.nodes["client"].extension
            with pytest.raises(InputError, match="at most 8 sections, got 22"):
                await client.answer(sdp + "m=video 0 UDP/TLS/RTP/SAVPF 120\n" * 20)

    asyncio.run(main())


def test_events_that_a_caller_does_not_take_are_not_kept_without_end() -> None:
    async def main() -> None:
        async with a_call() as (caller, session, _):
            client: Any = session.nodes["client"].extension
            association: Any = caller.connection.sctp
            association._handle_data = ignore  # so that nothing is acknowledged
            association.transport._data_receiver = association
            text = "x" * 60_000
            for _ in range(100):
                client._peer.send(text)
            assert client._peer._channel.bufferedAmount <= MAX_UNSENT_BYTES + len(text)

    asyncio.run(main())


async def ignore(data: bytes) -> None:
    """In place of what reads SCTP."""
