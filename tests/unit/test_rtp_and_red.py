"""RTP and RED as bytes: what is built is read back, and what is broken is refused by ValueError alone."""

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.media import red, rtp

PACKETS = st.builds(
    rtp.RtpPacket,
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=200),
)
COPIES = st.lists(st.tuples(st.integers(0, red.MAX_OFFSET), st.binary(max_size=300)), max_size=red.MAX_COPIES)


@given(PACKETS)
def test_a_packet_is_read_as_it_was_built(packet: rtp.RtpPacket) -> None:
    assert rtp.parse(rtp.build(packet)) == packet


@given(PACKETS)
def test_aiortc_reads_our_packets_alike(packet: rtp.RtpPacket) -> None:
    read = aiortc_rtp.RtpPacket.parse(rtp.build(packet))
    assert (read.payload_type, bool(read.marker), read.sequence_number) == packet[:3]
    assert (read.timestamp, read.ssrc, read.payload) == packet[3:]


@given(st.binary(max_size=100))
def test_both_readers_take_and_refuse_the_same(data: bytes) -> None:
    try:
        theirs = aiortc_rtp.RtpPacket.parse(data)
    except ValueError:
        with pytest.raises(ValueError, match="RTP"):
            rtp.parse(data)
        return
    assert rtp.parse(data).payload == theirs.payload


def test_extensions_sources_and_padding_are_passed_over() -> None:
    header = bytes([0x80 | 0x20 | 0x10 | 2, 0x80 | 111]) + bytes(10)
    sources, extension = bytes(8), b"\xbe\xde\x00\x01" + bytes(4)
    packet = rtp.parse(header + sources + extension + b"sound" + b"\x00\x00\x03")
    assert (packet.payload_type, packet.marker, packet.payload) == (111, True, b"sound")


@pytest.mark.parametrize("data", [b"\x80\x6f" + bytes(10), b"\x80\xef" + bytes(10)])
def test_rtp_is_told_from_what_shares_its_port(data: bytes) -> None:
    assert rtp.is_rtp(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x6f",
        b"\x80\xc8" + bytes(26),  # RTCP sender report
        b"\x80\xc9" + bytes(6 * 4),  # RTCP receiver report
        b"\x16\xfe\xfd" + bytes(20),  # DTLS
        b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),  # STUN
        b"\x40\x00\x00\x04" + bytes(12),  # TURN channel data
    ],
)
def test_other_datagrams_are_not_rtp(data: bytes) -> None:
    assert not rtp.is_rtp(data)


@given(st.integers(0, 127), st.binary(max_size=300), COPIES)
def test_red_is_read_as_it_was_built(payload_type: int, own: bytes, copies: list[tuple[int, bytes]]) -> None:
    blocks = red.parse(red.build(payload_type, own, copies))
    assert blocks[-1] == (payload_type, 0, own)
    assert [(block.offset, block.payload) for block in blocks[:-1]] == copies


def test_red_of_a_browser() -> None:
    # One copy, 960 ticks (20 ms) old and 3 bytes long: F=1, type 111, 960 << 10 | 3.
    data = bytes([0x80 | 111]) + (960 << 10 | 3).to_bytes(3) + bytes([111]) + b"old" + b"new sound"
    assert red.parse(data) == ((111, 960, b"old"), (111, 0, b"new sound"))


def test_copies_that_do_not_fit_are_left_out() -> None:
    built = red.build(111, b"own", [(red.MAX_OFFSET + 1, b"too old"), (960, bytes(red.MAX_LENGTH + 1))])
    assert red.parse(built) == ((111, 0, b"own"),)


@given(st.binary(max_size=100))
def test_broken_red_is_refused_by_value_error_alone(data: bytes) -> None:
    try:
        blocks = red.parse(data)
    except ValueError:
        return
    assert sum(len(block.payload) for block in blocks) <= len(data)
