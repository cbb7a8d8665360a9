"""From RTP packets to frames of sound: in order, at once, and in a time that never stops.

A recogniser has no loudspeaker to keep fed, so there is nothing to buffer for: a packet that is next in
order is decoded as it comes. What is missing is waited for as long as the network's own reordering
suggests, then filled, from the copy in its successor (in-band FEC) or by concealment. A whole copy that comes
with a successor (RED) is played at once.

Audio time is the sender's RTP clock, in slots of 20 ms. Two rules follow where it and the network differ:

- When nothing comes for GAP_S, `poll` fills the slots that pass in real time, `gap=True`: concealment that
  fades to the caller's background. After a pause that the sender announced (DTX) it is silence, not a gap.
- What comes after all is used: its frames carry the slots of their own time, so slots may *go back*, and
  a real frame replaces the filling of its slot. No time is counted twice, and no sound is thrown away.

Pure: the caller of `push` and `poll` says what time it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from voice_agent.audio import FRAME, SAMPLE_RATE
from voice_agent.media import opus
from voice_agent.media.arrivals import Arrivals
from voice_agent.media.opus import DTX_BYTES, RTP_TICKS
from voice_agent.media.receive_statistics import ReceiveStatistics
from voice_agent.media.red import Block
from voice_agent.media.slots import Filling, Frame, Slots
from voice_agent.message import Samples

GAP_S = 0.2
"""When nothing has come for so long, audio time goes on without. Longer than most stalls of a mobile
network, in which nothing is lost: what was merely late then comes without filling in its midst."""
LONGEST_FILL = SAMPLE_RATE
"""Samples filled at once. What is longer is skipped: time goes on, nothing is made up for it."""
MOST_MISSING = 3000
"""Packets. A number farther from the expected one, either way, is that of a new stream."""
AHEAD_S = 5.0
"""So is a timestamp this far ahead of the clock."""
MOST_MISSED = 500
"""Lost packets that are remembered, in case they come late."""
MOST_WAITING = 100
"""Packets that wait beyond a hole; with more of them the hole is given up at once. Two seconds of sound."""
DTX_S = 0.6
"""So long after it the pause is believed: libopus repeats it every 0.4 s, and the next may be late."""


@dataclass(slots=True)
class _Packet:
    payload: bytes
    timestamp: int
    at: int
    """Its first sample on the stream's time axis."""
    arrived_s: float
    copy: bool = False
    """It came with a later packet."""


class ReceivePath:
    """One incoming Opus stream."""

    def __init__(self, *, fill_pauses: bool = True) -> None:
        """Without `fill_pauses` nothing stands in for the pauses that the sender announces: for a listener
        that has no audio time to keep."""
        self._fill_pauses = fill_pauses
        self.statistics = ReceiveStatistics()
        self._arrivals = Arrivals()
        self._decoder = opus.OpusDecoder()
        self._filling = Filling(self._decoder)
        self._slots = Slots()
        self._waiting: dict[int, _Packet] = {}
        """Packets beyond a hole, by unwrapped sequence number."""
        self._missed: dict[int, float] = {}
        """Given up: sequence number to when its successor came. The newest MOST_MISSED."""
        self._next: int | None = None
        self._at = 0
        """The sample after the last one decoded."""
        self._filled_to = 0
        """The first slot that has neither sound nor filling."""
        self._reference = (0, 0)
        """An RTP timestamp and its sample."""
        self._length = FRAME
        """Samples in the last packet, the best guess for a lost one."""
        self._pausing = False
        """The sender has announced a pause."""

    def push(
        self,
        sequence: int,
        timestamp: int,
        payload: bytes,
        now: float,
        copies: Sequence[Block] = (),
    ) -> list[Frame]:
        """Take a packet: its 16-bit sequence number, 32-bit timestamp and payload, when it came, in
        seconds of any clock, and the copies of the packets just before it, oldest first. Returns the frames
        that are ready."""
        self.statistics.received += 1
        number, at = self._unwrap(sequence), self._place(timestamp)
        if self._next is None or self._is_new_stream(number, at if payload else self._at, now):
            if not payload:
                return []
            number, at = sequence, self._begin(sequence, timestamp)
        assert self._next is not None
        if payload:
            self._arrivals.add(at, now)
            self.statistics.jitter_s = self._arrivals.jitter_s
        for back, copy in enumerate(reversed(copies), start=1):
            self._take_copy(number - back, timestamp - copy.offset, copy.payload, now)
        waiting = self._waiting.get(number)
        if number < self._next or (waiting is not None and not waiting.copy):
            self._too_late(number, now)
        else:
            later = [packet.arrived_s for other, packet in self._waiting.items() if other > number]
            if later:
                self._arrivals.reordered(now - min(later), now)
            self._waiting[number] = _Packet(payload, timestamp, at, now)
        return self._ready(now)

    @property
    def waiting(self) -> bool:
        """Whether sound waits for a packet that is missing."""
        return bool(self._waiting)

    def poll(self, now: float) -> list[Frame]:
        """What must not wait any longer for packets; to be called every 20 ms."""
        frames = self._ready(now)
        if self._next is None or now - self._arrivals.latest_s < GAP_S:
            return frames
        due = self._arrivals.sample_at(now - GAP_S) // FRAME
        if due - self._filled_to > LONGEST_FILL // FRAME:
            self._filled_to = due
        pausing = self._pausing and now - self._arrivals.latest_s < DTX_S
        while self._filled_to < due:
            frames.append(Frame(self._filling.make(FRAME), self._filled_to, not pausing))
            self._filled_to += 1
            self.statistics.gap_s += FRAME / SAMPLE_RATE
        return frames

    # --- where a packet belongs ---

    def _unwrap(self, sequence: int) -> int:
        """The number nearest to the expected one that ends in these 16 bits (RFC 3550, A.1)."""
        if self._next is None:
            return sequence
        return self._next + _signed(sequence - self._next, 16)

    def _place(self, timestamp: int) -> int:
        """The sample at which a packet begins."""
        reference, at = self._reference
        return at + _signed(timestamp - reference, 32) // RTP_TICKS

    def _is_new_stream(self, number: int, at: int, now: float) -> bool:
        assert self._next is not None
        if abs(number - self._next) > MOST_MISSING:
            return True
        return number >= self._next and not self._at <= at <= self._arrivals.sample_at(now + AHEAD_S)

    def _begin(self, sequence: int, timestamp: int) -> int:
        """A stream begins, or begins anew after what has been played; returns its first sample."""
        start = max(-(-self._at // FRAME), self._filled_to) * FRAME
        self._waiting.clear()
        self._missed.clear()
        self._arrivals.restart()
        self._next, self._at = sequence, start
        self._reference = (timestamp, start)
        self._pausing = False
        return start

    def _take_copy(self, number: int, timestamp: int, payload: bytes, now: float) -> None:
        """A copy is as good as the packet, where that has not come."""
        assert self._next is not None
        at = self._place(timestamp)
        if payload and number >= self._next and at >= self._at and number not in self._waiting:
            self._waiting[number] = _Packet(payload, timestamp & 0xFFFFFFFF, at, now, copy=True)

    def _too_late(self, number: int, now: float) -> None:
        successor_came_s = self._missed.pop(number, None)
        if successor_came_s is None:
            self.statistics.duplicate += 1
        else:
            self.statistics.late += 1
            self._arrivals.reordered(now - successor_came_s, now)

    # --- what is ready ---

    def _ready(self, now: float) -> list[Frame]:
        frames: list[Frame] = []
        while self._waiting:
            assert self._next is not None
            packet = self._waiting.pop(self._next, None)
            if packet is not None:
                frames += self._play(packet, now)
                self._next += 1
                continue
            successor_came_s = min(packet.arrived_s for packet in self._waiting.values())
            in_time = now < successor_came_s + self._arrivals.patience_s(now)
            if in_time and len(self._waiting) <= MOST_WAITING:
                break
            frames += self._give_up(min(self._waiting), successor_came_s)
        return frames

    def _play(self, packet: _Packet, now: float) -> list[Frame]:
        assert self._next is not None
        if not packet.payload:  # padding: it has a number, but no sound
            return []
        frames = []
        if self._fill_pauses or not self._pausing:
            frames = self._fill_to(packet.at, gap=False)  # numbers without a hole: the sender paused
        try:
            samples = self._decoder.decode(packet.payload)
        except ValueError:
            self.statistics.broken += 1
            return frames + self._fill_to(packet.at + self._length, gap=True)
        samples = self._filling.heard(samples)
        self._length = len(samples)
        self._pausing = len(packet.payload) <= DTX_BYTES
        if packet.copy:
            self.statistics.recovered += 1
            self._miss(self._next, self._next + 1, packet.arrived_s)
        self._reference = (packet.timestamp, packet.at)
        self.statistics.wait_s += (now - packet.arrived_s - self.statistics.wait_s) / 16
        overlap = max(0, self._at - packet.at)  # the packet before was longer than it said
        return frames + self._write(packet.at + overlap, samples[overlap:], gap=False)

    def _give_up(self, first: int, successor_came_s: float) -> list[Frame]:
        """Fill the hole before packet `first`."""
        assert self._next is not None
        successor = self._waiting[first]
        self._miss(self._next, first, successor_came_s)
        self._next = first
        if successor.at <= self._at or not _has_copy(successor.payload):
            return self._fill_to(successor.at, gap=True)
        length = min(self._length, successor.at - self._at)
        frames = self._fill_to(successor.at - length, gap=True)
        try:
            samples = self._decoder.recover(successor.payload, length)
        except ValueError:
            return frames + self._fill_to(successor.at, gap=True)
        self.statistics.recovered += 1
        samples = self._filling.heard(samples)
        return frames + self._write(successor.at - length, samples, gap=False)

    def _miss(self, first: int, end: int, successor_came_s: float) -> None:
        """The packets from `first` up to `end` are not there when their time has come."""
        self.statistics.lost += end - first
        self._missed.update(dict.fromkeys(range(first, end), successor_came_s))
        while len(self._missed) > MOST_MISSED:
            del self._missed[next(iter(self._missed))]

    def _fill_to(self, end: int, gap: bool) -> list[Frame]:
        """Fill up to a sample what has not been filled already."""
        start = max(self._at, self._filled_to * FRAME)
        self._at = max(self._at, end)
        if end <= start:
            return []
        if end - start > LONGEST_FILL:
            start = end - LONGEST_FILL
        frames = []
        while start < end:
            length = min(FRAME, end - start)
            frames += self._write(start, self._filling.make(length), gap)
            start += length
        return frames

    def _write(self, at: int, samples: Samples, gap: bool) -> list[Frame]:
        frames = self._slots.write(at, samples, gap)
        self._at = max(self._at, at + len(samples))
        if frames:
            self._filled_to = max(self._filled_to, frames[-1].slot + 1)
        return frames


def _has_copy(payload: bytes) -> bool:
    return len(payload) > DTX_BYTES and opus.has_copy(payload)


def _signed(value: int, bits: int) -> int:
    """The number nearest to 0 that is equal in the lowest bits."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
