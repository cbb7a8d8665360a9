"""Whatever comes from the network: no error but the documented ones, no hang, nothing left behind."""

import gc
import logging
import signal
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import seeds
from tests.fuzz.targets import TARGETS, Packet, check_receive_path
from voice_agent.http.bodies import MAX_BODY
from voice_agent.media import red

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
LEFT_BYTES = 500
"""For each input; `cryptography` keeps some 150 for each certificate. A connection has 50,000."""
HANGS_S = 60.0
"""Processor time, some thirty times what the longest input takes: quadratic work takes minutes."""
# Starlette leaves the file of a form that is cut off to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is refused is logged, thousands of times."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@st.composite
def damaged(draw: st.DrawFn, real: list[bytes]) -> bytes:
    """A real input with some bytes changed, taken out, or put in."""
    data = draw(st.sampled_from(real))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        piece = draw(
            st.binary(max_size=8) | st.sampled_from([data[start:end] * 3, b"", b"\r\n", b"\xff" * 4])
        )
        data = data[:start] + piece + data[end:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_real_inputs_are_taken(name: str) -> None:
    for real in TARGETS[name].seeds():
        TARGETS[name].run(real)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs_are_taken_or_refused(name: str) -> None:
    target = TARGETS[name]

    @FEW
    @given(damaged(target.seeds()) | st.binary(max_size=target.max_bytes))
    def test(data: bytes) -> None:
        target.run(data)

    test()


PAYLOAD = (
    st.sampled_from(seeds.opus_packets())
    | st.binary(max_size=60)
    | st.just(b"")
    | st.integers(0, 255).map(lambda length: bytes(length % 4) + b"\xf8" * length)
)


COPIES = st.lists(st.builds(red.Block, st.just(111), st.integers(0, 20_000), PAYLOAD), max_size=8)
PACKET = st.builds(
    Packet,
    st.integers(0, 65535) | st.integers(0, 60),
    st.integers(0, 2**32 - 1) | st.integers(0, 60).map(lambda number: 960 * number),
    st.none() | PAYLOAD,
    st.sampled_from([0.0, 0.001, 0.02, 0.25, 7.0]),
    COPIES.map(tuple),
)


@FEW
@given(st.lists(PACKET, max_size=60))
def test_packets_of_any_order_and_time(packets: list[Packet]) -> None:
    check_receive_path(iter(packets))


@FEW
@given(st.permutations(range(40)), st.sets(st.integers(0, 39)), st.sampled_from([0.0, 0.01, 0.02, 0.1]))
def test_packets_lost_and_shuffled(order: list[int], lost: set[int], wait_s: float) -> None:
    real = seeds.opus_packets()
    check_receive_path(Packet(n, 960 * n, real[n], wait_s) for n in order if n not in lost)


def long(piece: bytes) -> bytes:
    return piece * (MAX_BODY // len(piece))


OFFER = seeds.offers()[0]
LATENCY = b'{"type": "voice_agent.latency", "response_id": "1", "voice_to_voice_ms": '
FORM = b"multipart/form-data; boundary=b\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("answer", OFFER + long(b"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n")),
        ("answer", OFFER + long(b"a=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n")),
        ("answer", OFFER + long(b"a=rtpmap:111 opus/48000/2\r\n")),
        ("answer", OFFER + long(b"a=group:BUNDLE 0 1\r\n")),
        ("answer", OFFER + b"a=fingerprint:" + long(b"sha-256 00:")),
        ("answer", OFFER + b"a=fmtp:111 " + long(b"a=1;")),
        ("answer", OFFER + b"a=ice-pwd:" + long(b"x")),
        ("answer", OFFER + long(b"\n")),
        ("answer", long(b"1")),
        ("rewrite", long(b"m=audio 9 UDP\r\n")),
        ("rewrite", long(b"a=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n")),
        ("trickle", long(b"a=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n")),
        ("body", FORM + long(b"--b\r\n")),
        ("body", FORM + long(b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n')),
        ("body", FORM + b"--b\r\n" + long(b"A: b\r\n")),
        ("body", FORM + long(b"\r\n--")),
        ("body", FORM + b'--b\r\nContent-Disposition: form-data; name="sdp"; filename="' + long(b'\\"')),
        ("command", long(b"[")),
        ("command", b'{"type": ' + long(b"9")),
        ("command", b'{"type": "' + long(b"\\u0000") + b'"}'),
        ("event", long(b"[")),
        ("event", b'{"type": ' + long(b"9") + b"}"),
        (
            "event",
            b'{"type": "voice_agent.latency", "response_id": "1", "voice_to_voice_ms": 1' + bytes(48) * 9,
        ),
        (
            "event",
            b'{"type":"voice_agent.latency","response_id":"1","voice_to_voice_ms":' + b"9" * 400 + b"}",
        ),
        ("receive", bytes([0x02, 0, 0, 9, 0, 0, 0, 9]) * 1000),
        ("receive", bytes([0x01, 0, 255]) * 1000),
        ("receive", bytes([0x81, 0, 130]) * 1000),
        ("sctp", b"\x04\x00\x05\x08" + bytes(0x0504)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value[:9]!r}-{len(value)}",
)
def test_the_longest_inputs_do_not_hang(name: str, data: bytes) -> None:
    def give_up(*_: object) -> None:
        pytest.fail(f"hangs: not done after {HANGS_S:.0f} s of processor time")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_S)
    try:
        TARGETS[name].run(data)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize("name", ["answer", "trickle", "sctp", "stun", "srtp", "body", "receive"])
def test_nothing_is_left_behind(name: str) -> None:
    """Memory after many inputs is that after some; what is refused is forgotten too."""
    target = TARGETS[name]
    inputs = [data for real in target.seeds() for data in (real, real[: len(real) // 2], real[:-1] + b"\xff")]

    def kept() -> int:
        for data in inputs:
            target.run(data)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        kept(), kept()
        before = kept()
        for _ in range(5):
            after = kept()
        assert (after - before) / (5 * len(inputs)) < LEFT_BYTES
    finally:
        tracemalloc.stop()
