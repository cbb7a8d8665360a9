"""Opus by libopus, and the receive path: order, holes, concealment, 16-bit sequence numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_agent import audio
from voice_agent.media.opus import OpusDecoder, OpusEncoder
from voice_agent.media.receive import LONGEST_FILL, ReceivePath
from voice_agent.message import Samples
from voice_agent.testing import tone

PACKETS = 60


@pytest.fixture(scope="module")
def voice() -> Samples:
    """1.2 s that sounds like a voice to a codec: a pulse train with a moving pitch and level."""
    rng = np.random.default_rng(7)
    t = np.arange(PACKETS * audio.FRAME) / audio.SAMPLE_RATE
    phase = np.cumsum(120 + 30 * np.sin(2 * np.pi * 3 * t)) / audio.SAMPLE_RATE
    pulses = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 20))
    return audio.to_int16(
        0.1 * pulses * (1 + 0.5 * np.sin(2 * np.pi * 4 * t)) + 0.001 * rng.standard_normal(len(t))
    )


@pytest.fixture(scope="module")
def packets(voice: Samples) -> list[bytes]:
    encoder = OpusEncoder()
    return [encoder.encode(frame) for frame in audio.frames(voice)]


def received(
    packets: list[bytes], order: list[int], first: int = 0
) -> tuple[ReceivePath, list[tuple[Samples, bool]]]:
    path = ReceivePath()
    out = [item for i in order for item in path.push((first + i) & 0xFFFF, packets[i])]
    return path, out


def test_a_voice_survives_encoding_and_decoding(voice: Samples, packets: list[bytes]) -> None:
    decoder = OpusDecoder()
    decoded = np.concatenate([decoder.decode(packet) for packet in packets])
    assert len(decoded) == len(voice)
    assert abs(audio.level_db(decoded) - audio.level_db(voice)) < 1.5


def test_packets_in_order_come_out_at_once(packets: list[bytes]) -> None:
    path = ReceivePath()
    for index, packet in enumerate(packets):
        ready = path.push(index, packet)
        assert [filled for _, filled in ready] == [False]
        assert ready[0][0].shape == (audio.FRAME,)


def test_two_packets_that_change_places_are_both_used(packets: list[bytes]) -> None:
    order = list(range(PACKETS))
    order[10], order[11] = order[11], order[10]
    path, out = received(packets, order)
    assert len(out) == PACKETS
    assert not any(filled for _, filled in out)
    assert (path.statistics.lost, path.statistics.late) == (0, 0)


def test_a_lost_packet_is_recovered_from_its_successor(packets: list[bytes], voice: Samples) -> None:
    order = [i for i in range(PACKETS) if i != 30]
    path, out = received(packets, order)
    assert len(out) == PACKETS
    assert [i for i, (_, filled) in enumerate(out) if filled] == [30]
    assert path.statistics.lost == 1
    whole = np.concatenate([samples for samples, _ in out])
    hole = slice(30 * audio.FRAME, 31 * audio.FRAME)
    assert abs(audio.level_db(whole[hole]) - audio.level_db(voice[hole])) < 6


def test_after_a_hole_sound_is_prompt_again(packets: list[bytes]) -> None:
    path = ReceivePath()
    for index in [*range(10), *range(11, 20)]:
        ready = path.push(index, packets[index])
    assert len(ready) == 1, "the hole is behind: one packet in, one frame out"


def test_a_late_packet_is_counted_and_not_played_twice(packets: list[bytes]) -> None:
    path, out = received(packets, [0, 1, 2, 4, 5, 6, 7, 3])
    assert len(out) == 8
    assert path.statistics.late == 1


def test_a_long_pause_of_the_sender_is_not_filled(packets: list[bytes]) -> None:
    path = ReceivePath()
    path.push(0, packets[0])
    assert len(path.push(LONGEST_FILL + 10, packets[1])) == 1
    assert path.statistics.lost == 0


def test_a_packet_that_is_not_opus_leaves_its_time_filled(packets: list[bytes]) -> None:
    path = ReceivePath()
    path.push(0, packets[0])
    out = path.push(1, b"\xff\xff\xff")
    assert [filled for _, filled in out] == [True]
    assert path.statistics.broken == 1
    assert len(path.push(2, packets[2])) == 1


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(0, 0xFFFF),
    lost=st.sets(st.integers(1, PACKETS - 5), max_size=15),
    swaps=st.lists(st.integers(1, PACKETS - 3), max_size=10),
)
def test_time_never_stops_whatever_is_lost_or_reordered(
    packets: list[bytes], first: int, lost: set[int], swaps: list[int]
) -> None:
    order = [i for i in range(PACKETS) if i not in lost]
    for i in swaps:
        if i + 1 < len(order) - 4:
            order[i], order[i + 1] = order[i + 1], order[i]
    path, out = received(packets, order, first)
    assert len(out) == PACKETS
    assert path.statistics.lost >= len(lost)
    assert path.statistics.received == len(order)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=60))
def test_any_bytes_from_the_network_are_survived(stream: list[tuple[int, bytes]]) -> None:
    path = ReceivePath()
    for sequence, payload in stream:
        for samples, _ in path.push(sequence, payload):
            assert samples.shape == (audio.FRAME,)
    assert len(path._waiting) <= LONGEST_FILL


def test_a_frame_that_opus_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot encode 100 samples"):
        OpusEncoder().encode(tone(0.1)[:100])
