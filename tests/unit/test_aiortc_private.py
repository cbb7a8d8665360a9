"""What `voice_agent.media.aiortc_private` relies on inside aiortc. When this fails, aiortc has changed:
look at what moved in the named class and mend that one module."""

import asyncio
import inspect
from types import SimpleNamespace
from typing import Any

import aioice.ice
from aiortc import RTCPeerConnection, RTCRtpReceiver
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtp import RtcpReceiverInfo

from voice_agent.media import rtp
from voice_agent.media.aiortc_private import Reception, allow_loopback
from voice_agent.media.rtp import RtpPacket


def test_datagrams_come_by_a_method_of_the_ice_connection() -> None:
    source = inspect.getsource(aioice.ice.StunProtocol.datagram_received)
    assert "self.receiver.data_received(data, self.local_candidate.component)" in source
    assert list(inspect.signature(aioice.ice.Connection.data_received).parameters) == [
        "self",
        "data",
        "component",
    ]
    assert "self._queue.put_nowait((data, component))" in inspect.getsource(
        aioice.ice.Connection.data_received
    )


def test_the_transport_has_its_keys_where_we_look() -> None:
    source = inspect.getsource(RTCDtlsTransport)
    assert "self._rx_srtp: Session = None" in source
    assert "self._tx_srtp: Session = None" in source
    assert "self._connection = gatherer._connection" in inspect.getsource(RTCIceTransport)


def test_packets_leave_by_the_nominated_pair() -> None:
    source = inspect.getsource(aioice.ice.Connection.sendto)
    assert "active_pair = self._nominated.get(component)" in source
    assert "active_pair.protocol.send_data(data, active_pair.remote_addr)" in source
    assert "self.transport.sendto(data, addr)" in inspect.getsource(aioice.ice.StunProtocol.send_data)


def test_the_receiver_keeps_its_statistics_where_we_look() -> None:
    assert "self.__remote_streams: dict[int, StreamStatistics]" in inspect.getsource(RTCRtpReceiver)
    assert list(inspect.signature(StreamStatistics).parameters) == ["clockrate"]
    statistics = StreamStatistics(rtp.CLOCK)
    for number in (65_534, 65_535, 1):
        statistics.add(rtp.RtpPacket(111, False, number, 960 * number, 1, b""))  # type: ignore[arg-type]
    assert (statistics.packets_received, statistics.packets_lost) == (3, 1)


def test_the_sender_keeps_what_it_reports_where_we_write() -> None:
    source = inspect.getsource(RTCRtpSender)
    for name in ("ntp_timestamp", "rtp_timestamp", "octet_count", "packet_count", "rtt"):
        assert f"self.__{name}" in source
    assert "await recipient._handle_rtcp_packet(packet)" in inspect.getsource(RTCDtlsTransport)
    assert "data = await self.__track.recv()" in inspect.getsource(RTCRtpSender._next_encoded_frame)


def test_sender_and_receiver_have_the_attributes() -> None:
    async def main() -> None:
        connection = RTCPeerConnection()
        transceiver = connection.addTransceiver("audio")
        assert transceiver.receiver._RTCRtpReceiver__remote_streams == {}  # type: ignore[attr-defined]
        sender = transceiver.sender
        assert sender._RTCRtpSender__packet_count == 0  # type: ignore[attr-defined]
        assert sender._RTCRtpSender__rtt is None  # type: ignore[attr-defined]
        assert 0 <= sender._ssrc < 1 << 32
        assert sender.transport.transport._connection._nominated == {}
        await connection.close()

    asyncio.run(main())


def test_loopback_is_offered_only_where_there_is_nothing_else() -> None:
    allow_loopback()
    allow_loopback()
    assert aioice.ice.get_host_addresses(use_ipv4=False, use_ipv6=False) == ["127.0.0.1"]
    assert (
        "127.0.0.1" not in aioice.ice.get_host_addresses(True, False)
        or len(aioice.ice.get_host_addresses(True, False)) == 1
    )


def test_the_jitter_that_is_reported_fits_into_its_field() -> None:
    streams: dict[int, Any] = {}
    reception = Reception(SimpleNamespace(_RTCRtpReceiver__remote_streams=streams))
    for number in range(1000):
        timestamp = 0 if number % 2 else 2**32 - 1
        reception.count(RtpPacket(111, False, number, timestamp, 7, b""))
        streams[7]._last_arrival -= 10**7  # minutes pass between two packets
    assert streams[7]._jitter_q4 >> 4 > 0xFFFFFFFF
    assert bytes(RtcpReceiverInfo(7, 0, 0, streams[7].max_seq, streams[7].jitter, 0, 0))
