"""One function for each parser that reads the network: any bytes in, and only the documented errors out.

The property tests beside this file and the coverage-guided fuzzer (`python -m benchmarks.fuzz`) share them.
A target raises for what must not happen; how long it takes and what it leaves behind its caller sees.
"""

import asyncio
import itertools
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import google_crc32c
import numpy as np
from aioice import Candidate, Connection
from aioice.ice import StunProtocol
from aiortc.rtcdtlstransport import RTCDtlsTransport, RtpRouter, State
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtcsctptransport import RTCSctpTransport
from aiortc.rtp import HeaderExtensionsMap, RtcpReceiverInfo
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tests.fuzz import seeds
from voice_agent.audio import FRAME
from voice_agent.calls.events import EventLog
from voice_agent.errors import InputError
from voice_agent.http import bodies
from voice_agent.http.refusal import CallRefused
from voice_agent.media import aiortc_guards, red, rtp
from voice_agent.media.aiortc_private import Reception
from voice_agent.media.heard_log import HeardLog
from voice_agent.media.peer import Peer
from voice_agent.media.receive import MOST_MISSED, MOST_WAITING, ReceivePath
from voice_agent.media.rtp_link import RtpLink
from voice_agent.media.send import PayloadTypes
from voice_agent.message import Heard
from voice_agent.network import candidates
from voice_agent.realtime.commands import Commands
from voice_agent.realtime.conversation import Conversation

MOST_FRAMES = 60 * 50
"""A minute of sound at once is more than any packets in order may give."""


class Packet(NamedTuple):
    """One that comes, or time that passes."""

    sequence: int
    timestamp: int
    payload: bytes | None
    """None: nothing comes."""
    wait_s: float
    """Since the one before."""
    copies: tuple[red.Block, ...] = ()


@dataclass(frozen=True)
class Target:
    """A parser to be fuzzed."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    """Real inputs to begin with."""
    max_bytes: int = 1500


class Reader:
    """Takes numbers and bytes from fuzzed input; zeros after its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, length: int) -> bytes:
        """The next so many bytes, fewer at the end."""
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def number(self, size: int) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"))


# --- sound ---


def read_rtp(data: bytes) -> None:
    """A datagram as RTP."""
    try:
        packet = rtp.parse(data)
    except ValueError:
        return
    assert len(packet.payload) <= len(data) - rtp.HEADER.size
    assert rtp.parse(rtp.build(packet)) == packet


def read_red(data: bytes) -> None:
    """A payload as redundant audio."""
    try:
        *copies, own = red.parse(data)
    except ValueError:
        return
    assert len(copies) <= red.MAX_COPIES
    assert sum(len(block.payload) for block in (*copies, own)) <= len(data)
    again = red.parse(red.build(own.payload_type, own.payload, [(c.offset, c.payload) for c in copies]))
    assert [block.payload for block in again] == [block.payload for block in (*copies, own)]


def receive(data: bytes) -> None:
    """A caller's packets, of which the input says what is wrong with each."""
    check_receive_path(_packets(data))


def _packets(data: bytes) -> Iterator[Packet]:
    real, reader = seeds.opus_packets(), Reader(data)
    sequence = timestamp = index = 0
    while reader:
        kind, wait_ms = reader.number(1), reader.number(1)
        wait_s = wait_ms / 1000 if kind & 0x80 else 0.02
        if kind & 3 == 0:
            sequence, timestamp = sequence + 1, timestamp + 960
        elif kind & 3 == 1:
            jump = reader.number(1) - 128
            sequence, timestamp = sequence + jump, timestamp + 960 * jump
        elif kind & 3 == 2:
            sequence, timestamp = reader.number(2), reader.number(4)
        else:
            yield Packet(0, 0, None, wait_s * (1 + 100 * (kind >> 6 & 1)))
            continue
        index += 1
        payload = real[index % len(real)]
        if kind & 0x0C == 0x04:
            payload = reader.take(reader.number(1))
        elif kind & 0x0C == 0x08:
            place = reader.number(1) % len(payload)
            payload = payload[:place] + reader.take(2) + payload[place + 2 :]
        elif kind & 0x0C == 0x0C:
            payload = payload[: reader.number(1)]
        copies = [red.Block(111, 960 * back, real[(index - back) % len(real)]) for back in (2, 1)]
        if kind & 0x40:
            copies = [red.Block(111, reader.number(2), reader.take(8)) for _ in copies]
        carried = tuple(copies[2 - (kind >> 4 & 3) % 3 :])
        yield Packet(sequence & 0xFFFF, timestamp & 0xFFFFFFFF, payload, wait_s, carried)


def check_receive_path(packets: Iterator[Packet]) -> None:
    """Push them, poll between them, and hold the path to what its docstring promises."""
    path, now = ReceivePath(), 1000.0
    given: Counter[int] = Counter()
    """How often each slot was given: with its sound, and with filling before it came."""
    for sequence, timestamp, payload, wait_s, copies in packets:
        now += wait_s
        ready = path.poll(now)
        if payload is not None:
            ready += path.push(sequence, timestamp, payload, now, copies)
        assert len(ready) <= MOST_FRAMES, f"{len(ready)} frames at once"
        for frame in ready:
            assert frame.samples.shape == (FRAME,) and frame.samples.dtype == np.int16
            assert frame.slot >= 0
            given[frame.slot] += 1
            assert given[frame.slot] <= 2, f"slot {frame.slot} is given a third time"
        assert len(path._missed) <= MOST_MISSED and len(path._waiting) <= MOST_WAITING


def link(data: bytes) -> None:
    """Datagrams, after decryption, from RTP and RED to frames, and the report that aiortc sends of them."""
    path, streams = ReceivePath(), dict[int, Any]()
    now = itertools.count(1000)

    def received(sequence: int, timestamp: int, payload: bytes, copies: tuple[red.Block, ...]) -> None:
        assert len(path.push(sequence, timestamp, payload, next(now) / 50, copies)) <= MOST_FRAMES

    rtp_link = RtpLink(lambda: np.zeros(FRAME, np.int16), received)
    rtp_link.sending.types = PayloadTypes(111, 63)
    rtp_link._reception = Reception(SimpleNamespace(_RTCRtpReceiver__remote_streams=streams))
    reader = Reader(data)
    while reader:
        datagram = reader.take(reader.number(1))
        if rtp.is_rtp(datagram):
            with suppress(ValueError):
                rtp_link._received(rtp.parse(datagram))
    for ssrc, stream in streams.items():
        lost = stream.fraction_lost, stream.packets_lost
        assert len(bytes(RtcpReceiverInfo(ssrc, *lost, stream.max_seq, stream.jitter, 0, 0))) == 24
    assert len(streams) <= 1


# --- aiortc's own parsers, behind our guards ---


@cache
def _loop() -> asyncio.AbstractEventLoop:
    aiortc_guards.install()
    return asyncio.new_event_loop()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, and leave no task behind."""
    loop = _loop()
    try:
        loop.run_until_complete(work)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
    assert not asyncio.all_tasks(loop)


def _transport() -> Any:
    """A DTLS transport that is connected to nobody."""
    transport: Any = RTCDtlsTransport.__new__(RTCDtlsTransport)
    transport._role, transport._state = "server", State.CONNECTED
    transport._rtp_router = RtpRouter()
    transport._rtp_header_extensions_map = HeaderExtensionsMap()
    transport._stats_id = "transport"

    async def send(data: bytes) -> None:
        pass

    transport._send_rtp = transport._send_data = send
    return transport


def take_srtp(data: bytes) -> None:
    """RTP and RTCP, after decryption, as aiortc's transport reads, routes and handles them."""

    async def main() -> None:
        transport = _transport()
        uris = (
            "ssrc-audio-level",
            "toffset",
            "sdes:mid",
            "sdes:rtp-stream-id",
            "sdes:repaired-rtp-stream-id",
        )
        extensions = [f"urn:ietf:params:rtp-hdrext:{uri}" for uri in uris]
        extensions.append("http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time")
        parameters = [RTCRtpHeaderExtensionParameters(id=n, uri=uri) for n, uri in enumerate(extensions, 1)]
        transport._rtp_header_extensions_map.configure(SimpleNamespace(headerExtensions=parameters))
        sender: Any = RTCRtpSender("audio", transport)
        transport._rtp_router.register_sender(sender, ssrc=sender._ssrc)
        transport._rtp_router.senders[seeds.SSRC] = sender
        sender._ssrc = seeds.SSRC
        await transport._handle_rtp_data(data, arrival_time_ms=0)
        await transport._handle_rtcp_data(data)

    _run(main())


def take_stun(data: bytes) -> None:
    """A datagram as it reaches ICE, from anybody."""

    async def main() -> None:
        connection: Any = Connection(False, local_username=seeds.UFRAG, local_password=seeds.PASSWORD)
        protocol: Any = StunProtocol(connection)
        protocol.transport = SimpleNamespace(sendto=lambda *_: None)
        protocol.local_candidate = Candidate("1", 1, "udp", 1, "127.0.0.1", 9, "host")
        protocol.datagram_received(data, ("127.0.0.1", 4711))
        assert connection._queue.qsize() <= 1

    _run(main())


def take_sctp(data: bytes) -> None:
    """Chunks of SCTP in one packet, with a header and a checksum that are right."""

    async def main() -> None:
        association: Any = RTCSctpTransport(_transport())
        association._association_state = association.State.ESTABLISHED
        association._last_received_tsn = association._reconfig_response_seq = 0
        association._remote_port = 5000
        association._inbound_streams_count = 65535
        association._local_verification_tag = association._remote_verification_tag = 1
        header = b"\x13\x88\x13\x88" + bytes([0, 0, 0, 0 if data[:1] == b"\x01" else 1])
        checksum = google_crc32c.value(header + bytes(4) + data).to_bytes(4, "little")
        try:
            await association._handle_data(header + checksum + data)
        finally:
            for cancel in ("_t1_cancel", "_t2_cancel", "_t3_cancel", "_reconfig_timer_cancel"):
                getattr(association, cancel)()

    _run(main())


# --- signalling ---


def answer(data: bytes) -> None:
    """An SDP offer, to its answer or its refusal."""
    offer = _offline(data)

    async def main() -> None:
        async with _peer() as peer:
            with suppress(InputError):
                assert "useinbandfec=1" in await peer.answer(offer)

    _run(main())


def rewrite(data: bytes) -> None:
    """SDP on its way through the network simulator."""
    sdp = data.decode("utf-8", "replace")
    offer = candidates.replace_all(sdp, ("127.0.0.1", 4711))
    assert len(offer) <= 3 * len(sdp) + 200 * (sdp.count("m=") + 1)
    hidden = candidates.replace_each(sdp, lambda _: None)
    assert candidates.replace_each(hidden, lambda _: None) == hidden
    moved = candidates.replace_each(sdp, lambda _: ("127.0.0.1", 4711))
    assert candidates.replace_each(moved, lambda _: None) == hidden


def trickle(data: bytes) -> None:
    """A fragment of SDP with candidates, for a call under way."""
    fragment = _offline(data)

    async def main() -> None:
        async with _peer() as peer:
            await peer.answer(_offline(seeds.offers()[0]))
            with suppress(InputError):
                await peer.patch(fragment)

    _run(main())


def _offline(sdp: bytes) -> str:
    """SDP without names that would be asked of the local network."""
    return re.sub(r"(?i)[\w-]{1,63}\.local\b", "192.0.2.9", sdp.decode("utf-8", "replace"))


@asynccontextmanager
async def _peer() -> AsyncIterator[Peer]:
    """The answering side of a call, from which nothing goes to the addresses in the SDP."""

    def nothing(*_: object) -> Any:
        return None

    peer = Peer(source=nothing, on_packet=nothing, on_event=nothing, on_open=nothing, on_state=nothing)
    with patch.object(StunProtocol, "send_stun", nothing):
        try:
            yield peer
        finally:
            await peer.close()


def body(data: bytes) -> None:
    """A request for a call: its content type up to the first line end, then its body."""
    content_type, _, content = data.partition(b"\n")
    headers = [(b"content-type", content_type)]
    scope = {"type": "http", "method": "POST", "headers": headers, "query_string": b"", "app": None}

    async def read() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def main() -> None:
        try:
            offer, language = await bodies.offer(Request(scope, read))
        except (CallRefused, HTTPException):
            return
        assert len(offer) <= len(content) and 2 <= len(language) <= 40

    _run(main())


# --- events ---


def command(data: bytes) -> None:
    """Events of a client, one a line."""
    conversation = Conversation("en", "voice-agent")
    log = HeardLog()
    conversation.replies.begin(1)
    conversation.replies._replies[1].item_id = "item_9"
    log.note(Heard(1, "Hello there.", final=True), 900)
    commands = Commands(conversation, log)
    for line in data.decode("utf-8", "replace").splitlines():
        outcome = commands.receive(line)
        told = "".join(json.dumps(event, ensure_ascii=False) for event in outcome.events).encode()
        assert len(told) <= 8 * len(line.encode()) + 2000
        assert len(outcome.typed) <= 2000 and len(outcome.language) <= 20


def event(data: bytes) -> None:
    """Events of a server, as the simulated caller takes them."""
    log = EventLog()
    lines = data.decode("utf-8", "replace").splitlines()
    for time_s, line in enumerate(lines):
        log.receive(line, float(time_s))
    assert len(log.responses) + len(log.heard_as) + len(log.errors) <= 2 * len(lines)
    json.dumps([log.errors, [response.text for response in log.responses.values()]])
    assert log.playing is None or log.playing.started_s is not None
    assert log.last_begun is None or log.last_begun in log.begun_since(-1.0)


TARGETS = {
    "rtp": Target(read_rtp, seeds.rtp_packets),
    "red": Target(read_red, seeds.red_payloads),
    "receive": Target(receive, seeds.packet_scripts, 4000),
    "link": Target(link, seeds.datagrams, 4000),
    "srtp": Target(take_srtp, seeds.srtp_packets),
    "stun": Target(take_stun, seeds.stun_messages),
    "sctp": Target(take_sctp, seeds.sctp_chunks),
    "answer": Target(answer, seeds.offers, 8000),
    "rewrite": Target(rewrite, seeds.offers, 8000),
    "trickle": Target(trickle, seeds.fragments, 2000),
    "body": Target(body, seeds.bodies, 8000),
    "command": Target(command, seeds.commands, 4000),
    "event": Target(event, seeds.events, 4000),
}
