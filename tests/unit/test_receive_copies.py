"""Copies of earlier packets (RED) in the receive path, and concealment that does not click."""

import numpy as np
import pytest

from voice_agent import audio
from voice_agent.media.opus import OpusDecoder, OpusEncoder
from voice_agent.media.receive import ReceivePath
from voice_agent.media.red import Block
from voice_agent.media.slots import Frame
from voice_agent.message import Samples

COUNT = 100


@pytest.fixture(scope="module")
def voice() -> Samples:
    """Two seconds that sound like a voice to a codec."""
    t = np.arange(COUNT * audio.FRAME) / audio.SAMPLE_RATE
    phase = np.cumsum(120 + 30 * np.sin(2 * np.pi * 3 * t)) / audio.SAMPLE_RATE
    pulses = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 20))
    return audio.to_int16(0.1 * pulses * (1 + 0.5 * np.sin(2 * np.pi * 4 * t)))


@pytest.fixture(scope="module")
def packets(voice: Samples) -> list[bytes]:
    encoder = OpusEncoder(loss_percent=0)  # no in-band FEC: what is recovered comes from whole copies
    return [encoder.encode(frame) for frame in audio.frames(voice)]


class Line:
    """Packets that each carry copies of the `depth` before, pushed in any order."""

    def __init__(self, packets: list[bytes], depth: int = 1) -> None:
        self.path, self.packets, self.depth = ReceivePath(), packets, depth

    def push(self, index: int, now: float) -> list[Frame]:
        back = range(min(self.depth, index), 0, -1)
        copies = tuple(Block(111, 960 * k, self.packets[index - k]) for k in back)
        return self.path.push(index, 960 * index, self.packets[index], now, copies)

    def deliver(self, indices: list[int]) -> dict[int, Frame]:
        return {frame.slot: frame for index in indices for frame in self.push(index, 0.02 * index)}


def without(*lost: int) -> list[int]:
    return [index for index in range(COUNT) if index not in lost]


def test_lost_packets_are_played_bit_exact_and_at_once(packets: list[bytes]) -> None:
    line = Line(packets)
    frames = line.deliver(without(20, 40, 41, 60))
    decoder = OpusDecoder()
    exact = [decoder.decode(packet) for packet in packets]
    assert all(np.array_equal(frames[slot].samples, exact[slot]) for slot in range(40))
    assert [slot for slot in range(COUNT) if frames[slot].gap] == [40], "of two in a row one copy has come"
    statistics = line.path.statistics
    assert (statistics.lost, statistics.recovered, statistics.concealed) == (4, 3, 1)


def test_deeper_copies_bridge_longer_holes(packets: list[bytes]) -> None:
    line = Line(packets, depth=2)
    frames = line.deliver(without(40, 41))
    assert not any(frames[slot].gap for slot in range(COUNT))
    assert line.path.statistics.recovered == 2


def test_a_copy_makes_waiting_for_a_late_packet_needless(packets: list[bytes]) -> None:
    line = Line(packets)
    line.deliver(list(range(10)))
    assert [frame.slot for frame in line.push(11, 0.22)] == [10, 11]
    assert line.push(10, 0.23) == []
    statistics = line.path.statistics
    assert (statistics.lost, statistics.late, statistics.duplicate, statistics.loss) == (1, 1, 0, 0.0)


def test_a_packet_replaces_its_copy_that_still_waits(packets: list[bytes]) -> None:
    line = Line(packets)
    line.deliver(list(range(10)))
    assert line.push(13, 0.26) == [], "10 and 11 are missing: 12 waits as a copy, 13 itself"
    line.push(12, 0.262)
    line.push(11, 0.264)  # brings 10
    statistics = line.path.statistics
    assert (statistics.lost, statistics.recovered, statistics.duplicate) == (1, 1, 0)


def test_a_copy_from_before_the_stream_began_is_not_played(packets: list[bytes]) -> None:
    path = ReceivePath()
    frames = path.push(0, 0, packets[1], 0.0, (Block(111, 960, packets[0]),))
    assert [frame.slot for frame in frames] == [0]
    assert path.statistics.lost == 0


def test_concealment_makes_no_larger_step_than_the_voice(packets: list[bytes]) -> None:
    """One packet lost, and three in a row, at every place in turn; a click is a step between two samples."""
    decoder = OpusDecoder()
    decoded = np.concatenate([decoder.decode(packet) for packet in packets])
    largest = np.abs(np.diff(decoded.astype(int))).max()
    for first in range(10, COUNT - 10):
        for lost in ((first,), (first, first + 1, first + 2)):
            path = ReceivePath()
            frames: dict[int, Frame] = {}
            for index in without(*lost):
                for frame in path.push(index, 960 * index, packets[index], 0.02 * index):
                    frames[frame.slot] = frame
                for frame in path.poll(0.02 * index + 0.01):
                    frames[frame.slot] = frame
            around = [frames[slot].samples for slot in range(first - 2, first + 6)]
            assert all(frames[slot].gap for slot in lost)
            assert np.abs(np.diff(np.concatenate(around).astype(int))).max() <= largest
