"""What `voice_agent.media.aiortc_guards` guards against, part by part. When this fails, aiortc or aioice has
changed: look at what moved there and mend that one module."""

import asyncio
import inspect
import struct
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aioice
import pylibsrtp
import pytest
from aioice import stun
from aiortc import RTCPeerConnection, RTCSessionDescription, rtcsctptransport
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtcsctptransport import DataChunk, RTCSctpTransport, SackChunk, encode_params
from aiortc.rtp import RtcpRtpfbPacket, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.media import aiortc_guards
from voice_agent.media.aiortc_guards import MAX_FRAGMENTS, MAX_QUEUED, MAX_SOURCES, decode_params

aiortc_guards.install()


def test_the_parts_are_called_where_we_put_the_guards() -> None:
    for cls, call in (
        (RTCDtlsTransport, "await self._handle_rtp_data(data"),
        (RTCDtlsTransport, "await self._handle_rtcp_data(data)"),
        (RTCDtlsTransport, "self._setup_srtp()"),
        (RTCDtlsTransport, "self._rx_srtp.unprotect(data)"),
        (RTCDtlsTransport, "self._rx_srtp.unprotect_rtcp(data)"),
        (RTCDtlsTransport, "except pylibsrtp.Error"),
        (RTCDtlsTransport, "await self._data_receiver._handle_data(data)"),
        (RTCSctpTransport, "await self._receive_data_chunk(chunk)"),
        (RTCSctpTransport, "await self._receive_sack_chunk(chunk)"),
        (RTCSctpTransport, "self._get_inbound_stream(chunk.stream_id)"),
        (rtcsctptransport.BaseParamsChunk, "= decode_params(body)"),
        (RTCPeerConnection, "for transceiver in self.__transceivers:"),
        (aioice.ice.StunProtocol, "stun.parse_message(data)"),
        (aioice.ice.StunProtocol, "self.receiver.data_received(data, "),
        (aioice.Connection, "self.check_incoming(message, addr, protocol)"),
    ):
        assert call in inspect.getsource(cls), f"{cls.__name__} has no '{call}' any more"


def test_a_parameter_of_length_0_is_refused() -> None:
    with pytest.raises(ValueError, match="length of 0"):
        decode_params(bytes(8))


@given(st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=40))))
def test_parameters_are_decoded_as_aiortc_encodes_them(params: list[tuple[int, bytes]]) -> None:
    assert decode_params(encode_params(params)) == params


@given(st.binary(max_size=200))
def test_parameters_are_decoded_or_refused(body: bytes) -> None:
    with suppress(ValueError):
        assert sum(4 + len(value) for _, value in decode_params(body)) <= len(body)


def test_a_stun_attribute_of_a_wrong_length_is_a_value_error() -> None:
    header = struct.pack("!HHI12s", 1, 8, stun.COOKIE, bytes(12))
    with pytest.raises(ValueError, match="invalid length"):
        stun.parse_message(header + struct.pack("!HHHH", 0x0024, 2, 1, 0))  # a PRIORITY of 2 bytes


def test_datagrams_queue_up_to_a_limit_and_empty_ones_not_at_all() -> None:
    async def main() -> None:
        connection: Any = aioice.Connection(ice_controlling=False)
        connection.data_received(b"", 1)
        assert connection._queue.empty()
        for _ in range(2 * MAX_QUEUED):
            connection.data_received(b"x", 1)
        assert connection._queue.qsize() == MAX_QUEUED
        await connection.close()

    asyncio.run(main())


def test_a_caller_may_come_from_many_addresses_but_not_from_any_number() -> None:
    async def main() -> None:
        connection: Any = aioice.Connection(ice_controlling=False)
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        protocol = SimpleNamespace(
            local_candidate=SimpleNamespace(component=1, type="host", host="127.0.0.1")
        )
        connection._find_pair = lambda *_: SimpleNamespace(state=None)
        connection.check_incoming(request, ("127.0.0.1", 1), protocol)
        assert connection._remote_candidates == [], "without a PRIORITY it is no check"
        request.attributes["PRIORITY"] = 1
        for port in range(1, 1000):
            connection.check_incoming(request, ("127.0.0.1", port), protocol)
        assert len(connection._remote_candidates) == aiortc_guards.MAX_ADDRESSES
        connection.check_incoming(request, ("127.0.0.1", 1), protocol)

    asyncio.run(main())


def test_a_caller_may_tell_many_addresses_but_not_any_number() -> None:
    async def main() -> None:
        connection: Any = aioice.Connection(ice_controlling=False)
        for port in range(1, 1000):
            told = aioice.Candidate(str(port), 1, "udp", 1, "127.0.0.1", port, "host")
            await connection.add_remote_candidate(told)
        assert len(connection._remote_candidates) == aiortc_guards.MAX_ADDRESSES
        await connection.close()

    asyncio.run(main())


def test_only_authentic_sources_count_and_only_so_many() -> None:
    def session(key: bytes, ssrc_type: int) -> pylibsrtp.Session:
        return pylibsrtp.Session(pylibsrtp.Policy(key=key, ssrc_type=ssrc_type))

    sender = session(bytes(30), pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    stranger = session(bytes([1] * 30), pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    receiver = aiortc_guards._FewSources(session(bytes(30), pylibsrtp.Policy.SSRC_ANY_INBOUND))
    packets = [RtpPacket(96, 0, 1, 1, ssrc, b"payload").serialize() for ssrc in range(MAX_SOURCES + 1)]
    for packet in packets:
        with pytest.raises(pylibsrtp.Error):
            receiver.unprotect(stranger.protect(packet))
    for packet in packets[:-1]:
        assert receiver.unprotect(sender.protect(packet)) == packet
    with pytest.raises(pylibsrtp.Error, match="sources"):
        receiver.unprotect(sender.protect(packets[-1]))
    again = RtpPacket(96, 0, 2, 1, 0, b"payload").serialize()
    assert receiver.unprotect(sender.protect(again)) == again


def test_a_handler_that_breaks_drops_the_packet_and_passes_on_that_the_connection_ended() -> None:
    async def broken(self: object, data: bytes, error: Exception) -> None:
        raise error

    async def main() -> None:
        guarded = aiortc_guards._dropping(broken)
        await guarded(None, b"x", struct.error("bad"))
        with pytest.raises(ConnectionError):
            await guarded(None, b"x", ConnectionError())

    asyncio.run(main())


def test_a_nack_is_not_answered() -> None:
    async def main() -> None:
        sent: list[int] = []
        sender: Any = SimpleNamespace(_retransmit=sent.append)
        await RTCRtpSender._handle_rtcp_packet(sender, RtcpRtpfbPacket(1, 1, 1, [7] * 1000))
        assert sent == []

    asyncio.run(main())


def an_association() -> Any:
    association: Any = RTCSctpTransport(RTCDtlsTransport.__new__(RTCDtlsTransport))
    association._last_received_tsn = 0
    return association


def data_chunk(tsn: int, stream_id: int = 0) -> DataChunk:
    chunk = DataChunk(flags=2)  # the first of several
    chunk.tsn, chunk.stream_id, chunk.user_data = tsn, stream_id, b"x"
    return chunk


def test_unfinished_messages_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(RTCDtlsTransport, "_state", None, raising=False)
        association = an_association()
        for number in range(2 * MAX_FRAGMENTS):
            await association._receive_data_chunk(data_chunk(1 + number))
        assert len(association._inbound_streams[0].reassembly) == MAX_FRAGMENTS
        for stream_id in range(1, aiortc_guards.MAX_STREAMS):
            association._get_inbound_stream(stream_id)
        with pytest.raises(ValueError, match="streams"):
            await association._receive_data_chunk(data_chunk(5000, stream_id=999))

    asyncio.run(main())


def test_a_sack_of_more_than_was_sent_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(RTCDtlsTransport, "_state", None, raising=False)
        association = an_association()
        before = association._last_sacked_tsn
        chunk = SackChunk()
        chunk.cumulative_tsn, chunk.gaps = before, [(1, 65535)] * 300
        association._local_tsn = (before + 10) % 2**32
        association._last_sacked_tsn = (before - 1) % 2**32
        await association._receive_sack_chunk(chunk)
        assert association._last_sacked_tsn == (before - 1) % 2**32

    asyncio.run(main())


def test_a_connection_is_closed_although_its_offer_was_broken() -> None:
    async def main() -> None:
        connection = RTCPeerConnection()
        sdp = (Path(__file__).parents[1] / "data" / "sdp" / "safari.sdp").read_text()
        sound = sdp[: sdp.index("m=application")]
        broken = sound.replace("a=mid:0", "a=mid:1")  # the group's first section is missing
        await connection.setRemoteDescription(RTCSessionDescription(broken, "offer"))
        assert [each.receiver.transport for each in connection.getTransceivers()] == [None]
        await connection.close()

    asyncio.run(main())


def test_sound_is_handed_on_unread_and_stun_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[bytes] = []
    read: list[bytes] = []
    parse = stun.parse_message

    def parse_message(data: bytes) -> stun.Message:
        read.append(data)
        return parse(data)

    monkeypatch.setattr(aioice.stun, "parse_message", parse_message)
    protocol = aioice.ice.StunProtocol.__new__(aioice.ice.StunProtocol)
    protocol.id = 1
    protocol.transactions = {}
    protocol.receiver = SimpleNamespace(data_received=lambda data, component: received.append(data))  # type: ignore[assignment]
    protocol.local_candidate = SimpleNamespace(component=1)  # type: ignore[assignment]
    sound, handshake = bytes([0x80, 111]) + bytes(40), bytes([22, 254, 253]) + bytes(40)
    response = bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, bytes(12)))
    for data in (sound, handshake, response, b"", bytes(8)):
        protocol.datagram_received(data, ("127.0.0.1", 5000))
    assert received == [sound, handshake, b"", bytes(8)]
    assert read == [response, b"", bytes(8)]
