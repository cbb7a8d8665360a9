"""What `voice_agent.media.aiortc_private` relies on inside aiortc. When this fails, aiortc has changed:
look at what moved in its `rtcrtpreceiver.py` and mend that one module."""

import asyncio
import inspect

import aioice.ice
from aiortc import RTCPeerConnection, RTCRtpReceiver
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtcrtpsender import RTCRtpSender

from voice_agent.media.aiortc_private import allow_loopback


def test_the_transport_hands_packets_to_the_receivers_method() -> None:
    source = inspect.getsource(RTCDtlsTransport)
    assert "receiver._handle_rtp_packet(packet, arrival_time_ms=" in source
    assert list(inspect.signature(RTCRtpReceiver._handle_rtp_packet).parameters) == [
        "self",
        "packet",
        "arrival_time_ms",
    ]


def test_the_receiver_keeps_its_statistics_and_codecs_where_we_look() -> None:
    source = inspect.getsource(RTCRtpReceiver)
    assert "self.__remote_streams: dict[int, StreamStatistics]" in source
    assert "self.__codecs: dict[int, RTCRtpCodecParameters]" in source
    assert list(inspect.signature(StreamStatistics).parameters) == ["clockrate"]


def test_the_sender_takes_encoded_packets() -> None:
    source = inspect.getsource(RTCRtpSender._next_encoded_frame)
    assert "isinstance(data, Frame)" in source
    assert "self.__encoder.pack(data)" in source


def test_a_receiver_has_the_attributes() -> None:
    async def main() -> None:
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("audio").receiver
        assert receiver._RTCRtpReceiver__remote_streams == {}  # type: ignore[attr-defined]
        assert receiver._RTCRtpReceiver__codecs == {}  # type: ignore[attr-defined]
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
