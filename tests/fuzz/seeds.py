"""Real inputs to begin fuzzing with: packets made by encoders, SDP of browsers, events of the API."""

import json
import os
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from aioice import stun
from aiortc.rtcsctptransport import (
    CookieEchoChunk,
    DataChunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    InitChunk,
    ReconfigChunk,
    SackChunk,
    ShutdownChunk,
    StreamAddOutgoingParam,
    StreamResetOutgoingParam,
    StreamResetResponseParam,
)
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    pack_remb_fci,
)

from voice_agent import audio
from voice_agent.media import red, rtp
from voice_agent.media.opus import OpusEncoder
from voice_agent.testing import tone

SSRC = 0x1234
UFRAG, PASSWORD = "abcd", "0123456789abcdef012345"
SDP = Path(__file__).parents[1] / "data" / "sdp"


@cache
def opus_packets() -> tuple[bytes, ...]:
    """A second of sound that changes, with copies for FEC, then silence as DTX sends it."""
    noise = np.random.default_rng(0).normal(0, 2000, audio.SAMPLE_RATE).astype(np.int16)
    swelling = tone(1, hz=300) * np.linspace(0, 1, audio.SAMPLE_RATE)
    encoder = OpusEncoder()
    spoken = [encoder.encode(frame) for frame in audio.frames((swelling + noise / 4).astype(np.int16))]
    return (*spoken, b"\xf8", b"\xf8\xff")


def rtp_packets() -> list[bytes]:
    """Plain, with a header extension, with padding, with sources."""
    payload = opus_packets()[0]
    plain = rtp.build(rtp.RtpPacket(111, False, 7, 960, SSRC, payload))
    extension = struct.pack("!HH", 0xBEDE, 1) + b"\x10\xff\x00\x00"
    extended = bytes([plain[0] | 0x10]) + plain[1:12] + extension + payload
    padded = bytes([plain[0] | 0x20]) + plain[1:] + b"\x00\x00\x03"
    sourced = bytes([plain[0] | 0x02]) + plain[1:12] + bytes(8) + payload
    return [plain, extended, padded, sourced]


def red_payloads() -> list[bytes]:
    """With no copy, one and two."""
    first, second, third = opus_packets()[:3]
    copies = [(1920, first), (960, second)]
    return [red.build(111, third, copies[start:]) for start in range(3)]


def datagrams() -> list[bytes]:
    """For `targets.link`: RTP in order, with copies, with timestamps that leap, with another source."""

    def stream(count: int, leap: int, ssrc: int = SSRC) -> bytes:
        sent = [
            rtp.build(rtp.RtpPacket(111, False, n, n * leap & 0xFFFFFFFF, ssrc, payload))
            for n, payload in enumerate(opus_packets()[:count])
        ]
        return b"".join(bytes([len(each)]) + each for each in sent)

    copied = [rtp.build(rtp.RtpPacket(63, False, 9, 8640, SSRC, payload)) for payload in red_payloads()]
    redundant = b"".join(bytes([len(each)]) + each for each in copied if len(each) < 256)
    leaping = b"".join(stream(2, 2**32 - 1) for _ in range(8))
    return [stream(20, 960), stream(3, 960) + redundant, leaping, stream(3, 960) + stream(3, 960, SSRC + 1)]


def packet_scripts() -> list[bytes]:
    """For `targets.receive`: in order, with holes, reordered, stalled, starting anew, damaged."""
    steady = bytes([0x00, 0]) * 50
    hole = steady + bytes([0x01, 0, 131]) + steady
    reordered = steady + bytes([0x01, 0, 130, 0x81, 1, 127, 0x01, 0, 130]) + steady
    stalled = steady + bytes([0x43, 0, 0x83, 250, 0x03, 0]) + bytes([0x80, 0]) * 10 + steady
    anew = steady + bytes([0x02, 0]) + struct.pack("!HI", 65530, 2**32 - 960) + steady
    damaged = steady + bytes([0x08, 0, 3, 255, 255, 0x0C, 0, 2, 0x04, 0, 2, 8, 8]) + steady
    copied = bytes([0x20, 0]) * 20 + bytes([0x21, 0, 131]) + bytes([0x10, 0]) * 20
    foreign = bytes([0x61, 0, 131, 3, 192]) + bytes(8) + steady
    return [steady, hole, reordered, stalled, anew, damaged, copied, foreign]


def srtp_packets() -> list[bytes]:
    """RTP, and each kind of RTCP."""
    report = RtcpReceiverInfo(SSRC, 10, 3, 1000, 20, 0, 0)
    sender = RtcpSenderInfo(16_000_000_000_000_000_000, 960, 10, 1000)
    reports = bytes(RtcpSrPacket(1, sender, [report]))
    sources = bytes(RtcpSdesPacket([RtcpSourceInfo(1, [(1, b"caller")])]))
    return [
        *rtp_packets(),
        reports + sources,
        bytes(RtcpRrPacket(1, [report])),
        bytes(RtcpByePacket([1])),
        bytes(RtcpRtpfbPacket(1, 1, SSRC, [7, 9])),
        bytes(RtcpPsfbPacket(RTCP_PSFB_APP, 1, 0, pack_remb_fci(64_000, [SSRC]))),
    ]


def stun_messages() -> list[bytes]:
    """A check with the right password, one without, an answer to nobody, and no STUN."""
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, bytes(12))
    request.attributes |= {"USERNAME": f"{UFRAG}:wxyz", "PRIORITY": 1, "ICE-CONTROLLING": 5}
    request.attributes["USE-CANDIDATE"] = None
    bare = bytes(request)
    request.add_message_integrity(PASSWORD.encode())
    response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, bytes(12))
    response.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.1", 4711)
    response.add_fingerprint()
    return [bytes(request), bare, bytes(response), rtp_packets()[0]]


def sctp_chunks() -> list[bytes]:
    """Each kind of chunk that a browser sends."""
    init = InitChunk()
    init.initiate_tag = init.initial_tsn = 1
    init.advertised_rwnd, init.outbound_streams, init.inbound_streams = 100_000, 10, 10
    init.params = [(0x8008, b"\x82\xc0"), (0xC000, b"")]
    opened = DataChunk(flags=3)
    opened.tsn, opened.protocol = 1, 50
    opened.user_data = struct.pack("!BBHLHH", 3, 0, 0, 0, 10, 0) + b"oai-events"
    said = DataChunk(flags=3)
    said.tsn, said.stream_seq, said.protocol, said.user_data = 2, 1, 51, b'{"type": "response.create"}'
    sack = SackChunk()
    sack.cumulative_tsn, sack.gaps, sack.duplicates = 5, [(2, 3)], [4]
    beat = HeartbeatChunk()
    beat.params = [(1, b"how are you?")]
    configured = ReconfigChunk()
    configured.params = [
        (13, bytes(StreamResetOutgoingParam(1, 1, 2, [0]))),
        (17, bytes(StreamAddOutgoingParam(2, 16))),
        (16, bytes(StreamResetResponseParam(1, 1))),
    ]
    skipped = ForwardTsnChunk()
    skipped.cumulative_tsn, skipped.streams = 4, [(0, 1)]
    chunks = (init, CookieEchoChunk(body=bytes(24)), sack, beat, configured, skipped, ShutdownChunk())
    return [*map(bytes, chunks), bytes(opened) + bytes(said), bytes(said)]


@cache
def offers() -> list[bytes]:
    """Of three browsers, and those of VOICE_AGENT_DATA/rtc/sdp where there is such a folder."""
    files = sorted(SDP.glob("*.sdp"))
    if folder := os.environ.get("VOICE_AGENT_DATA"):
        files += sorted((Path(folder) / "rtc" / "sdp").rglob("*.sdp"))
    return ["".join(f"{line}\r\n" for line in file.read_text().splitlines()).encode() for file in files]


def fragments() -> list[bytes]:
    """As trickled."""
    udp = "a=candidate:1 1 udp 2113937151 192.0.2.9 54321 typ host generation 0"
    tcp = "a=candidate:2 1 TCP 2105524479 192.0.2.9 9 typ host tcptype active"
    mapped = "a=candidate:3 1 udp 1677729535 198.51.100.7 61015 typ srflx raddr 192.0.2.87 rport 61015"
    six = "a=candidate:4 1 udp 2113939711 2001:db8::7c 61016 typ host"
    head = "a=ice-ufrag:a1B2\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    tail = "\r\na=end-of-candidates\r\n"
    lines = (udp, tcp, mapped, six, "\r\n".join((udp, mapped)))
    return [(head + line + tail).encode() for line in lines]


def bodies() -> list[bytes]:
    """Both forms of the request."""
    offer = offers()[0]
    session = b'{"type": "realtime", "audio": {"input": {"transcription": {"language": "zh-CN"}}}}'
    head = b'--b\r\nContent-Disposition: form-data; name="sdp"\r\nContent-Type: application/sdp\r\n\r\n'
    middle = b'\r\n--b\r\nContent-Disposition: form-data; name="session"; filename="s"\r\n\r\n'
    form = b"multipart/form-data; boundary=b\n" + head + offer + middle + session + b"\r\n--b--\r\n"
    return [b"application/sdp\n" + offer, form, form[:-20], b"application/json\n{}"]


def commands() -> list[bytes]:
    """Each event that the server takes."""
    content = [{"type": "input_text", "text": "where is my order?"}]
    item = {"type": "message", "role": "user", "id": "item_1", "content": content}
    language = {"audio": {"input": {"transcription": {"language": "zh"}}}}
    events: list[dict[str, Any]] = [
        {"type": "conversation.item.create", "event_id": "1", "item": item},
        {"type": "response.create"},
        {"type": "session.update", "session": language},
        {"type": "response.cancel"},
        {"type": "output_audio_buffer.clear"},
        {"type": "conversation.item.truncate", "item_id": "item_9", "content_index": 0, "audio_end_ms": 500},
        {"type": "nonsense", "event_id": "2"},
    ]
    return [*_lines(events), "\n".join(map(json.dumps, events)).encode()]


def events() -> list[bytes]:
    """Each event that the simulated caller takes."""
    response = {"response": {"id": "resp_1"}}
    about = {"response_id": "resp_1"}
    stages = [{"name": "llm", "ms": 150.5}]
    told: list[dict[str, Any]] = [
        {"type": "response.created"} | response,
        {"type": "output_audio_buffer.started"} | about,
        {"type": "response.output_audio_transcript.delta", "delta": "Hello"} | about,
        {"type": "response.output_audio_transcript.done", "transcript": "Hello."} | about,
        {"type": "voice_agent.heard", "text": "Hello."} | about,
        {"type": "voice_agent.route", "to": "fast", "reason": "first choice"} | about,
        {"type": "voice_agent.latency", "voice_to_voice_ms": 500.5, "stages": stages} | about,
        {"type": "output_audio_buffer.cleared"} | about,
        {"type": "output_audio_buffer.stopped"} | about,
        {"type": "conversation.item.input_audio_transcription.completed", "transcript": "hello"},
        {"type": "error", "error": {"message": "no"}},
    ]
    return [*_lines(told), "\n".join(map(json.dumps, told)).encode()]


def _lines(objects: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(value).encode() for value in objects]
