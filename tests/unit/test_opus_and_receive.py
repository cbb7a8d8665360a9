"""Opus by libopus, and the receive path: order, holes, gaps, pauses, and a time that never stops."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_agent import audio
from voice_agent.media.arrivals import PATIENCE_S
from voice_agent.media.opus import OpusDecoder, OpusEncoder, has_copy
from voice_agent.media.receive import GAP_S, MOST_WAITING, ReceivePath
from voice_agent.media.slots import Frame
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


class Line:
    """A network: packets go in with the time at which they come out, and a clock polls every 20 ms."""

    def __init__(self, packets: Sequence[bytes], packet_ms: int = 20, first: int = 0, clock: int = 0) -> None:
        self.path = ReceivePath()
        self.packets = packets
        self.ticks = packet_ms * 48
        self.packet_s = packet_ms / 1000
        self.first, self.clock = first, clock
        self.now = 0.0
        self.out: list[Frame] = []
        self.came: list[float] = []
        """When each frame came out."""

    def push(self, index: int, payload: bytes | None = None, *, paused_s: float = 0.0) -> list[Frame]:
        """Packet `index`, at `now`; its timestamp is later by a pause of the sender's."""
        timestamp = self.clock + index * self.ticks + round(paused_s * 48_000)
        data = self.packets[index] if payload is None else payload
        frames = self.path.push((self.first + index) & 0xFFFF, timestamp & 0xFFFFFFFF, data, self.now)
        return self._keep(frames)

    def poll_until(self, until_s: float) -> list[Frame]:
        """Let time pass, in steps of 20 ms."""
        frames: list[Frame] = []
        while self.now + 1e-9 < until_s:
            self.now = min(until_s, self.now + 0.02)
            frames += self._keep(self.path.poll(self.now))
        return frames

    def deliver(self, arrivals: Iterable[tuple[int, float]]) -> "Line":
        """Packets at their times of arrival, polled between them."""
        for index, arrival_s in sorted(arrivals, key=lambda item: item[1]):
            self.poll_until(arrival_s)
            self.push(index)
        return self

    def _keep(self, frames: list[Frame]) -> list[Frame]:
        self.out += frames
        self.came += [self.now] * len(frames)
        return frames

    def sound(self) -> Samples:
        """What is known in the end, one frame for each slot."""
        slots = {frame.slot: frame.samples for frame in self.out}
        return np.concatenate([slots[slot] for slot in sorted(slots)])

    def gaps(self) -> list[int]:
        """The slots whose sound never came."""
        return sorted(slot for slot, gap in {frame.slot: frame.gap for frame in self.out}.items() if gap)


def on_time(indices: Iterable[int], packet_s: float = 0.02) -> list[tuple[int, float]]:
    return [(index, index * packet_s) for index in indices]


def test_a_voice_survives_encoding_and_decoding(voice: Samples, packets: list[bytes]) -> None:
    decoder = OpusDecoder()
    decoded = np.concatenate([decoder.decode(packet) for packet in packets])
    assert len(decoded) == len(voice)
    assert abs(audio.level_db(decoded) - audio.level_db(voice)) < 1.5


def test_packets_in_order_come_out_at_once(packets: list[bytes]) -> None:
    line = Line(packets)
    for index in range(PACKETS):
        line.now = index * 0.02
        (frame,) = line.push(index)
        assert frame.samples.shape == (audio.FRAME,)
        assert (frame.slot, frame.gap) == (index, False)


def test_two_packets_that_change_places_are_both_used(packets: list[bytes]) -> None:
    line = Line(packets).deliver([*on_time(range(10)), (11, 0.20), (10, 0.22), *on_time(range(12, 20))])
    assert [frame.slot for frame in line.out] == list(range(20))
    assert not line.gaps()
    assert (line.path.statistics.lost, line.path.statistics.late) == (0, 0)


def test_a_lost_packet_is_recovered_from_its_successor(packets: list[bytes], voice: Samples) -> None:
    lost = next(i for i in range(30, PACKETS) if has_copy(packets[i + 1]))
    line = Line(packets).deliver(on_time(i for i in range(PACKETS) if i != lost))
    assert [frame.slot for frame in line.out] == list(range(PACKETS))
    assert not line.gaps(), "a copy is evidence"
    statistics = line.path.statistics
    assert (statistics.lost, statistics.recovered, statistics.concealed) == (1, 1, 0)
    hole = slice(lost * audio.FRAME, (lost + 1) * audio.FRAME)
    assert abs(audio.level_db(line.sound()[hole]) - audio.level_db(voice[hole])) < 3


def test_a_lost_packet_without_a_copy_is_concealed_without_a_click(voice: Samples) -> None:
    encoder = OpusEncoder(loss_percent=0)
    packets = [encoder.encode(frame) for frame in audio.frames(voice)]
    line = Line(packets).deliver(on_time(i for i in range(PACKETS) if i not in (20, 30, 31, 32)))
    assert line.gaps() == [20, 30, 31, 32]
    statistics = line.path.statistics
    assert (statistics.lost, statistics.recovered, statistics.concealed) == (4, 0, 4)
    steps = np.abs(np.diff(line.sound().astype(int)))
    around = steps[20 * audio.FRAME - 1 : 34 * audio.FRAME]
    whole = Line(packets).deliver(on_time(range(PACKETS)))
    assert around.max() <= np.abs(np.diff(whole.sound().astype(int))).max()


def test_a_hole_is_given_up_when_time_says_so(packets: list[bytes]) -> None:
    """One later packet is enough: no further ones are waited for."""
    line = Line(packets).deliver([*on_time(range(10)), (11, 0.22)])
    assert len(line.out) == 10
    filled = line.poll_until(0.22 + 0.06)
    assert [frame.slot for frame in filled] == [10, 11]
    assert line.path.statistics.wait_s > 0


def test_after_a_hole_sound_is_prompt_again(packets: list[bytes]) -> None:
    line = Line(packets).deliver(on_time(i for i in range(30) if i != 10))
    behind = [came - frame.slot * 0.02 for frame, came in zip(line.out, line.came, strict=True)]
    assert max(behind[:10] + behind[14:]) < 1e-6
    assert max(behind) <= 0.02 + 0.04 + 0.02


def test_a_network_that_reorders_is_given_more_time_and_one_that_does_not_less(packets: list[bytes]) -> None:
    swapped = [(i, i * 0.02 + (0.09 if i % 10 == 5 else 0)) for i in range(PACKETS)]
    line = Line(packets).deliver(swapped)
    assert line.path.statistics.late <= 1, "the first one may come too late, and teaches"
    assert line.path._arrivals.patience_s(line.now) > 0.07
    assert line.path._arrivals.patience_s(line.now + 60) == PATIENCE_S[0]


def test_a_late_packet_is_counted_and_not_played_twice(packets: list[bytes]) -> None:
    line = Line(packets).deliver([*on_time(i for i in range(12) if i != 5), (5, 0.21)])
    line.push(11)
    assert [frame.slot for frame in line.out] == list(range(12))
    statistics = line.path.statistics
    assert (statistics.lost, statistics.late, statistics.duplicate) == (1, 1, 1)


@pytest.mark.parametrize("packet_ms", [10, 20, 40, 60])
def test_packets_of_any_length_come_out_as_frames_of_20_ms(voice: Samples, packet_ms: int) -> None:
    encoder = OpusEncoder()
    size = audio.SAMPLE_RATE * packet_ms // 1000
    packets = [encoder.encode(voice[i : i + size]) for i in range(0, len(voice), size)]
    lost = 5
    arrivals = on_time([i for i in range(len(packets)) if i != lost], packet_ms / 1000)
    line = Line(packets, packet_ms).deliver(arrivals)
    assert [frame.slot for frame in line.out] == list(range(PACKETS))
    assert abs(audio.level_db(line.sound()) - audio.level_db(voice)) < 2


def test_a_stall_is_waited_for_and_what_was_late_is_whole(packets: list[bytes]) -> None:
    """Packets of 0.2-0.35 s come together at 0.36 s: nothing is filled, nothing is lost."""
    stalled = [(i, max(i * 0.02, 0.36) if i >= 10 else i * 0.02) for i in range(PACKETS)]
    line = Line(packets).deliver(stalled)
    assert [frame.slot for frame in line.out] == list(range(PACKETS))
    assert not line.gaps()
    assert line.path.statistics.gap_s == 0


def test_in_a_long_gap_time_goes_on_and_then_the_sound_takes_its_place(packets: list[bytes]) -> None:
    stalled = [(i, max(i * 0.02, 1.0) if 10 <= i < 50 else i * 0.02) for i in range(PACKETS)]
    line = Line(packets).deliver(stalled)
    before = [frame for frame, came in zip(line.out, line.came, strict=True) if came < 0.999]
    assert [frame.slot for frame in before] == list(range(len(before)))
    assert [frame.gap for frame in before] == [False] * 10 + [True] * (len(before) - 10)
    assert 0.98 - GAP_S - 0.04 <= len(before) * 0.02 <= 1.0 - GAP_S
    assert sorted({frame.slot for frame in line.out}) == list(range(PACKETS))
    assert not line.gaps(), "every packet came, and was used"
    assert np.array_equal(line.out[-1].samples, line.sound()[-audio.FRAME :])
    assert line.path.statistics.lost == 0


def test_a_longer_way_is_no_gap(packets: list[bytes]) -> None:
    """From packet 20 on everything takes 0.4 s longer: time is filled once, and not before every packet."""
    slower = [(i, i * 0.02 + (0.4 if i >= 20 else 0)) for i in range(PACKETS)]
    line = Line(packets).deliver(slower)
    first_slow = next(i for i, frame in enumerate(line.out) if frame.slot == 20 and not frame.gap)
    assert line.came[first_slow] == pytest.approx(0.8)
    assert [frame.slot for frame in line.out[first_slow:]] == list(range(20, PACKETS))
    assert not any(frame.gap for frame in line.out[first_slow:])
    later = [packets[i % PACKETS] for i in range(400)]
    line = Line(later).deliver((i, i * 0.02 + (0.4 if i >= 20 else 0)) for i in range(400))
    assert line.path._arrivals.sample_at(line.now) == 399 * audio.FRAME, "the longer way is the way now"


def test_after_a_gap_in_which_all_was_lost_no_time_is_counted_twice(packets: list[bytes]) -> None:
    line = Line(packets).deliver(on_time([*range(10), *range(50, PACKETS)]))
    slots = [frame.slot for frame in line.out]
    assert slots == list(range(PACKETS)), "each slot once, in order"
    assert set(line.gaps()) >= set(range(10, 49)), "the copy in packet 50 is that of 49"
    assert line.path.statistics.lost == 40
    behind = [came - frame.slot * 0.02 for frame, came in zip(line.out, line.came, strict=True)]
    assert max(behind[50 + 4 :]) < 1e-6, "prompt again after four frames"


def test_a_gap_fades_to_the_callers_background(voice: Samples) -> None:
    encoder = OpusEncoder()
    rng = np.random.default_rng(1)
    hum = (10 * rng.standard_normal(PACKETS * audio.FRAME)).astype(np.int16)
    packets = [encoder.encode(frame) for frame in audio.frames(np.concatenate((hum, voice)))]
    line = Line(packets).deliver(on_time(range(80)))
    filled = line.poll_until(80 * 0.02 + 1.0)
    assert all(frame.gap for frame in filled)
    levels = [audio.level_db(frame.samples) for frame in filled]
    assert levels[0] > -40
    assert -85 < max(levels[5:]) < -60, "10 of 32768 is -70 dB"


def test_an_announced_pause_is_silence_and_no_gap(packets: list[bytes]) -> None:
    line = Line(packets).deliver(on_time(range(10)))
    line.poll_until(0.2)
    line.push(10, payload=packets[9][:1])
    pause = line.poll_until(0.62)
    assert len(pause) > 5
    assert not any(frame.gap for frame in pause)
    line.push(11, paused_s=0.4)
    assert [frame.slot for frame in line.out] == list(range(32))
    assert line.path.statistics.lost == 0


def test_a_sender_that_did_not_send_has_lost_nothing(packets: list[bytes]) -> None:
    """Consecutive numbers, 400 ms apart in time, and no clock polls: the time between is filled."""
    line = Line(packets)
    line.push(0)
    line.now = 0.42
    line.push(1, paused_s=0.4)
    assert [frame.slot for frame in line.out] == list(range(22))
    assert line.path.statistics.lost == 0


def test_a_sender_that_begins_anew_goes_on_in_audio_time(packets: list[bytes]) -> None:
    line = Line(packets).deliver(on_time(range(20)))
    line.first, line.clock = 40_000, 1_000_000_000
    for index in range(5):
        line.now += 0.02
        (frame,) = line.push(index)
        assert (frame.slot, frame.gap) == (20 + index, False)
    assert line.path.statistics.lost == 0


def test_a_clock_that_stood_still_is_not_made_up_for(packets: list[bytes]) -> None:
    line = Line(packets)
    line.push(0)
    line.now = 3600.0
    assert len(line.path.poll(line.now)) == 0
    line.poll_until(3600.1)
    assert [frame.slot for frame in line.out[1:]] == list(range(179_990, 179_995))


def test_jitter_is_that_of_rfc_3550(packets: list[bytes]) -> None:
    line = Line(packets)
    for index in range(PACKETS):
        line.now = index * 0.02 + (0.01 if index % 2 else 0.0)
        line.push(index)
    assert line.path.statistics.jitter_s == pytest.approx(0.01 * (1 - (15 / 16) ** (PACKETS - 1)), rel=1e-3)


def test_counts_of_a_stretch_are_differences(packets: list[bytes]) -> None:
    line = Line(packets).deliver(on_time(i for i in range(30) if i != 10))
    before = replace(line.path.statistics)
    line.deliver(on_time(i for i in range(30, PACKETS) if i not in (40, 41)))
    line.poll_until(line.now + 0.52)
    counted = line.path.statistics.since(before)
    assert (counted.received, counted.lost) == (28, 2)
    assert counted.recovered + counted.concealed == 2
    assert counted.gap_s == pytest.approx(0.3, abs=0.021)
    assert counted.jitter_s == line.path.statistics.jitter_s


def test_padding_has_a_number_but_no_sound(packets: list[bytes]) -> None:
    line = Line(packets)
    assert line.path.push(0, 0, b"", 0.0) == []
    numbers = [packets[0], b"", packets[1], packets[2]]
    for number, payload in enumerate(numbers):
        line.now = number * 0.02
        line._keep(line.path.push(number, max(0, number - 1) * 960, payload, line.now))
    assert [(frame.slot, frame.gap) for frame in line.out] == [(0, False), (1, False), (2, False)]


def test_sound_that_two_packets_claim_is_given_once(voice: Samples, packets: list[bytes]) -> None:
    line = Line(packets)
    line.push(0)
    line.push(2, OpusEncoder().encode(voice[: 2 * audio.FRAME]))  # 40 ms, and the next comes after 20
    line.push(3)
    line.push(4)
    line.poll_until(0.1)
    assert [frame.slot for frame in line.out] == [0, 1, 2, 3, 4]


def test_a_hole_is_given_up_at_once_when_too_many_wait(packets: list[bytes]) -> None:
    line = Line(packets * 4)
    line.push(0)
    for index in range(2, MOST_WAITING + 2):
        assert line.push(index) == []
    assert len(line.push(MOST_WAITING + 2)) == MOST_WAITING + 2


def test_a_packet_that_is_not_opus_leaves_its_time_filled(packets: list[bytes]) -> None:
    line = Line(packets)
    line.push(0)
    line.now = 0.02
    (frame,) = line.push(1, payload=b"\xff\xff\xff")
    assert frame.gap
    assert line.path.statistics.broken == 1
    line.now = 0.04
    assert [frame.slot for frame in line.push(2)] == [2]


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(0, 0xFFFF),
    clock=st.integers(0, 0xFFFFFFFF),
    lost=st.sets(st.integers(1, PACKETS - 6), max_size=15),
    delays_ms=st.lists(st.integers(0, 60), min_size=PACKETS, max_size=PACKETS),
)
def test_time_never_stops_whatever_is_lost_or_reordered(
    packets: list[bytes], first: int, clock: int, lost: set[int], delays_ms: list[int]
) -> None:
    delays_ms = [0, *delays_ms[1:-5], 0, 0, 0, 0, 0]
    arrivals = [(i, i * 0.02 + delays_ms[i] / 1000) for i in range(PACKETS) if i not in lost]
    line = Line(packets, first=first, clock=clock).deliver(arrivals)
    line.poll_until(line.now + 0.15)
    statistics = line.path.statistics
    assert sorted({frame.slot for frame in line.out}) == list(range(PACKETS))
    assert statistics.received == len(arrivals)
    assert statistics.lost == len(lost) + statistics.late
    assert statistics.duplicate == 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.binary(max_size=40), st.floats(0, 0.5)
        ),
        max_size=60,
    )
)
def test_any_bytes_from_the_network_are_survived(stream: list[tuple[int, int, bytes, float]]) -> None:
    path, now = ReceivePath(), 0.0
    for sequence, timestamp, payload, pause_s in stream:
        now += pause_s
        frames = path.push(sequence, timestamp, payload, now) + path.poll(now)
        assert len(frames) <= 60 * (1 + len(stream))
        assert all(frame.samples.shape == (audio.FRAME,) for frame in frames)
    path.poll(now + 1)
    assert not path._waiting, "nothing waits for ever"


def test_a_frame_that_opus_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot encode 100 samples"):
        OpusEncoder().encode(tone(0.1)[:100])
