"""With `aiortc_guards`, the only place that touches what aiortc keeps private; written for aiortc 1.16.

aiortc's own receive path adds 81 ms (four frames of jitter buffer) and, after one lost packet, 280 ms
for the rest of the call; its decoder gives 48 kHz stereo. Here packets are taken from the receiver
before that path. `tests/unit/test_aiortc_private.py` fails clearly when a new aiortc moves these parts.
"""

from collections.abc import Callable
from typing import Any

import aioice.ice
from aiortc.rtcrtpreceiver import StreamStatistics

RTP_CLOCK = 48_000
"""Hz; Opus always counts RTP time so (RFC 7587)."""
RtpHandler = Callable[[int, int, bytes], None]
"""Takes a packet's 16-bit sequence number, 32-bit timestamp and payload."""


def take_packets(receiver: Any, on_packet: RtpHandler) -> None:
    """Hand the Opus packets of an RTCRtpReceiver to `on_packet` as they arrive, instead of decoding them.

    RTCP reports to the sender (loss, jitter) go on as before.
    """
    streams: dict[int, Any] = receiver._RTCRtpReceiver__remote_streams
    codecs: dict[int, Any] = receiver._RTCRtpReceiver__codecs

    async def handle(packet: Any, arrival_time_ms: int) -> None:
        codec = codecs.get(packet.payload_type)
        if codec is None or codec.name.lower() != "opus":
            return
        if packet.ssrc not in streams:
            streams[packet.ssrc] = StreamStatistics(RTP_CLOCK)
        streams[packet.ssrc].add(packet)
        on_packet(packet.sequence_number, packet.timestamp, packet.payload)

    receiver._handle_rtp_packet = handle


def allow_loopback() -> None:
    """Let ICE use 127.0.0.1 where a machine has no other address; aioice leaves it out always."""
    original = aioice.ice.get_host_addresses
    if getattr(original, "allows_loopback", False):
        return

    def with_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return original(use_ipv4, use_ipv6) or ["127.0.0.1"]

    with_loopback.allows_loopback = True  # type: ignore[attr-defined]
    aioice.ice.get_host_addresses = with_loopback
