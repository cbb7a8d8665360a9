"""The sound of one connection, both ways: what a peer and a simulated caller have in common."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voice_agent.media import negotiation, red
from voice_agent.media.adaptation import MOST_BITRATE, Adaptation
from voice_agent.media.aiortc_private import IdleTrack, Output, Reception, take_packets
from voice_agent.media.negotiation import Copies
from voice_agent.media.pacer import Pacer
from voice_agent.media.rtp import RtpPacket
from voice_agent.media.send import PayloadTypes, SendPath
from voice_agent.message import Samples

RtpHandler = Callable[[int, int, bytes, tuple[red.Block, ...]], None]
"""Takes a packet's 16-bit sequence number, 32-bit timestamp and payload, and the copies of earlier packets
that came with it, oldest first."""

MOST_REST = 4
"""Packets of silence for which the loop is not woken. The first one after them is asked for in time."""


@dataclass
class SendStatistics:
    """Of the way out, as the far end reports it."""

    rtt_s: float | None = None
    """Round-trip time, smoothed."""
    loss: float = 0.0
    """Share of packets lost, smoothed, 0..1."""
    bitrate: int = MOST_BITRATE
    """Bits a second, without copies."""
    packets: int = 0


class RtpLink:
    """Pulls 20 ms from `source` when they are due, and hands on every packet that comes.

    `packet_ms` and `dtx` are those of SendPath. With `copies` "auto" loss decides whether packets carry
    copies, with "never" whoever sets `sending.redundant`. While `idle` is true the source is silent and may
    be asked up to MOST_REST packets late; before it speaks again somebody calls `pacer.wake`. The callbacks
    run on the loop and must not block or raise.
    """

    def __init__(
        self,
        source: Callable[[], Samples],
        on_packet: RtpHandler,
        *,
        packet_ms: int = 20,
        dtx: bool = False,
        copies: Copies = "auto",
        idle: Callable[[], bool] = lambda: False,
    ) -> None:
        self.sending = SendPath(source, packet_ms, dtx)
        self.pacer = Pacer(self._send_next, packet_ms / 1000, self._rest)
        self.statistics = SendStatistics()
        self._copies = copies
        self._idle = idle
        self._adaptation = Adaptation()
        self._on_packet = on_packet
        self._track = IdleTrack(self.pacer.start)
        self._output: Output | None = None
        self._reception: Reception | None = None

    def attach(self, transceiver: Any) -> None:
        """Take over the sound of a RTCRtpTransceiver that has its transport but no connection yet."""
        self._output = Output(transceiver.sender, self._reported)
        self._reception = Reception(transceiver.receiver)
        transceiver.sender.replaceTrack(self._track)
        take_packets(transceiver.receiver, self._received)

    def agree(self, answer: str) -> None:
        """Send and take what the final answer names. Raises ValueError without Opus."""
        self.sending.types = negotiation.payload_types(answer)
        self.sending.redundant = self._copies == "always"

    @property
    def takes_copies(self) -> bool:
        """Whether both sides can send copies when they are asked to."""
        return self.sending.types.red is not None and self._copies == "auto"

    def close(self) -> None:
        """Send nothing more."""
        self.pacer.stop()
        self._track.stop()

    def _rest(self) -> int:
        return min(MOST_REST, self.sending.rest) if self._idle() else 0

    def _send_next(self) -> None:
        packet = self.sending.next()
        if packet is not None and self._output is not None:
            self.statistics.packets += self._output.send(*packet)

    def _received(self, packet: RtpPacket) -> None:
        types = self.sending.types
        found = blocks(packet, types)
        if not found or self._reception is None:
            return
        self._reception.count(packet)
        *copies, own = found
        self._on_packet(packet.sequence_number, packet.timestamp, own.payload, tuple(copies))

    def _reported(self, loss: float, rtt_s: float | None) -> None:
        adaptation = self._adaptation
        adaptation.report(loss, rtt_s, asyncio.get_running_loop().time())
        self.sending.encoder.adapt(adaptation.bitrate, adaptation.loss_percent)
        if self._copies == "auto":
            self.sending.redundant = adaptation.redundancy.on
        told = self.statistics
        told.rtt_s, told.loss, told.bitrate = rtt_s, adaptation.redundancy.loss, adaptation.bitrate


def blocks(packet: RtpPacket, types: PayloadTypes) -> tuple[red.Block, ...]:
    """A packet's Opus frames, its own last; none if it is broken or something else."""
    if packet.payload_type == types.opus:
        return (red.Block(types.opus, 0, packet.payload),)
    if packet.payload_type != types.red:
        return ()
    try:
        found = red.parse(packet.payload)
    except ValueError:
        return ()
    return found if all(block.payload_type == types.opus for block in found) else ()
