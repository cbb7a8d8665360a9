"""What happens to packets on their way: pure, so that it runs on any clock; seeded, so that it happens again.

A packet meets, in this order: random loss, the queue (drop-tail), gaps, the link's rate, the delay. Times are
seconds since the network's start and must not go back from one packet to the next.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, fields
from random import Random
from typing import Literal, NamedTuple

from voice_agent.network.profile import Gaps, LinkSettings, Profile
from voice_agent.network.trace import Capacity, Rates, Trace

Direction = Literal["down", "up"]
"""To the caller, from the caller."""


@dataclass
class Counts:
    """Packets, each of which is `delivered`, `lost`, `lost_in_gaps` or `overflowed`."""

    sent: int = 0
    delivered: int = 0
    lost: int = 0
    """At random."""
    lost_in_gaps: int = 0
    overflowed: int = 0
    """The queue had no room."""
    held: int = 0
    """Of the delivered ones: waited for the end of a gap."""
    reordered: int = 0
    """Of the delivered ones: sent on a longer way."""
    duplicated: int = 0
    """Of the delivered ones: came twice."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Counts)))


class Link:
    """One direction under one set of settings."""

    def __init__(self, settings: LinkSettings, direction: Direction, seed: str, trace: Trace | None) -> None:
        self.counts = Counts()
        self._settings = settings
        self._random = Random(f"{seed}/{direction}")
        self._loss = _Loss(settings, self._random)
        self._delay = _Delay(settings, self._random)
        self._gaps = [
            _GapTimes(gaps, Random(f"{seed}/{'both' if gaps.both_ways else direction}/gaps {number}"))
            for number, gaps in enumerate(settings.gaps)
        ]
        self._capacity: Capacity | None = None
        if trace is not None:
            self._capacity = trace.capacity()
        elif settings.rate_mbit_s is not None:
            self._capacity = Rates.steady(settings.rate_mbit_s)
        self._queue: deque[tuple[float, int]] = deque()
        """When each packet that still waits will have left, and its size."""
        self._queued_bytes = 0
        self._free_s = 0.0
        """When the last packet will have left."""
        self._gap_end_s = 0.0
        """Of the last gap that held a packet."""
        self._latest_s = 0.0
        """When the last packet that keeps its order will arrive."""

    def push(self, size: int, now_s: float) -> tuple[float, ...]:
        """Send a packet of so many bytes; returns when it arrives: not at all, once, or twice."""
        self.counts.sent += 1
        if self._loss.next():
            self.counts.lost += 1
            return ()
        if not self._room(size, now_s):
            self.counts.overflowed += 1
            return ()
        begin_s = max(now_s, self._free_s)
        end_s = self._end_of_gaps(begin_s)
        if end_s is None:
            self.counts.lost_in_gaps += 1
            return ()
        if end_s > begin_s:
            self._gap_end_s = end_s
        self.counts.held += now_s < self._gap_end_s
        left_s = self._capacity.sent(end_s, size) if self._capacity else end_s
        self._free_s = left_s
        if left_s > now_s:
            self._queue.append((left_s, size))
            self._queued_bytes += size
        self.counts.delivered += 1
        return self._arrivals(left_s)

    def _room(self, size: int, now_s: float) -> bool:
        while self._queue and self._queue[0][0] <= now_s:
            self._queued_bytes -= self._queue.popleft()[1]
        return self._queued_bytes + size <= self._settings.queue_bytes

    def _end_of_gaps(self, begin_s: float) -> float | None:
        """When the packet that is first in the queue can leave, None if it is lost in a gap."""
        moved = True
        while moved:
            moved = False
            for gaps in self._gaps:
                end_s = gaps.end_of_gap_at(begin_s)
                if end_s is not None and gaps.lost:
                    return None
                if end_s is not None:
                    begin_s, moved = end_s, True
        return begin_s

    def _arrivals(self, left_s: float) -> tuple[float, ...]:
        settings = self._settings
        arrives_s = left_s + self._delay.at(left_s)
        if self._happens(settings.reorder):
            self.counts.reordered += 1
            arrives_s = max(arrives_s, self._latest_s) + settings.reorder_ms / 1000
        else:
            self._latest_s = arrives_s = max(arrives_s, self._latest_s)
        if self._happens(settings.duplicate):
            self.counts.duplicated += 1
            return arrives_s, arrives_s
        return (arrives_s,)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._random.random() < share


class Path:
    """One direction of a profile, across its handover."""

    def __init__(self, profile: Profile, direction: Direction, seed: int | str = 1) -> None:
        self._link = _link(profile, direction, f"{seed}")
        self._before = Counts()
        self._handover = profile.handover
        self._after = _link(profile.after, direction, f"{seed}/after") if profile.after else None

    @property
    def counts(self) -> Counts:
        return self._before + self._link.counts

    def push(self, size: int, now_s: float) -> tuple[float, ...]:
        """As `Link.push`."""
        if self._handover is not None and now_s >= self._handover.at_s:
            if now_s < self._handover.at_s + self._handover.hole_ms / 1000:
                self._before += Counts(sent=1, lost_in_gaps=1)
                return ()
            if self._after is not None:
                self._before, self._link, self._after = self._before + self._link.counts, self._after, None
        return self._link.push(size, now_s)


def _link(profile: Profile, direction: Direction, seed: str) -> Link:
    return Link(getattr(profile, direction), direction, seed, profile.trace)


class Delivery(NamedTuple):
    """A packet that arrived."""

    number: int
    """Its place among those sent."""
    sent_s: float
    arrived_s: float


def simulate(path: Path | Link, packets: Iterable[tuple[float, int]]) -> list[Delivery]:
    """Send packets, given as time and size, and return what arrives, in the order in which it does."""
    arrived = [
        Delivery(number, sent_s, arrived_s)
        for number, (sent_s, size) in enumerate(packets)
        for arrived_s in path.push(size, sent_s)
    ]
    return sorted(arrived, key=lambda delivery: delivery.arrived_s)  # stable: equal times keep their order


class _Loss:
    """Gilbert-Elliott: a good state, in which nothing is lost, and a bad one; a step for each packet.

    With a bad stretch of b packets on average and a share p of bad packets, the chance to leave it is 1/b
    and the chance to enter it p / (b (1 - p)) (Gilbert 1960, Elliott 1963).
    """

    def __init__(self, settings: LinkSettings, random: Random) -> None:
        self._random = random
        self._share = settings.loss
        self._burst = settings.loss_burst
        self._share_in_burst = settings.loss_in_burst
        self._share_bad = settings.loss / settings.loss_in_burst
        self._bad = bool(self._share) and self._burst is not None and random.random() < self._share_bad

    def next(self) -> bool:
        """Whether the next packet is lost."""
        if not self._share:
            return False
        if self._burst is None:
            return self._random.random() < self._share
        lost = self._bad and self._random.random() < self._share_in_burst
        leave = 1 / self._burst if self._bad else self._share_bad / (self._burst * (1 - self._share_bad))
        if self._random.random() < leave:
            self._bad = not self._bad
        return lost


class _Delay:
    """A log-normal delay whose logarithm is AR(1) at any spacing of packets (Ornstein-Uhlenbeck)."""

    def __init__(self, settings: LinkSettings, random: Random) -> None:
        self._random = random
        self._memory_s = settings.jitter_memory_ms / 1000
        self._mean_s = settings.delay_ms / 1000
        # A log-normal variable with mean m and deviation s has ln-variance ln(1 + (s/m)^2).
        relative = settings.jitter_ms / settings.delay_ms if settings.delay_ms else 0.0
        variance = math.log1p(relative**2)
        self._deviation, self._centre = math.sqrt(variance), -variance / 2
        self._state = random.gauss(0, 1)
        self._last_s = 0.0

    def at(self, time_s: float) -> float:
        """The delay in seconds of a packet that leaves then."""
        if not self._deviation:
            return self._mean_s
        kept = math.exp((self._last_s - time_s) / self._memory_s) if self._memory_s else 0.0
        self._state = kept * self._state + math.sqrt(1 - kept**2) * self._random.gauss(0, 1)
        self._last_s = time_s
        return self._mean_s * math.exp(self._centre + self._deviation * self._state)


class _GapTimes:
    """When the gaps of one kind are; asked for moments that never go back."""

    def __init__(self, gaps: Gaps, random: Random) -> None:
        self.lost = gaps.lost
        self._gaps = gaps
        self._random = random
        self._start_s = self._end_s = 0.0
        self._start_s = random.uniform(0, gaps.every_s) if gaps.regular else self._pause_s()
        self._start_s = self._start_s if gaps.first_s is None else gaps.first_s
        self._end_s = self._start_s + self._length_s()

    def end_of_gap_at(self, time_s: float) -> float | None:
        """When the gap ends in which this moment lies, None if it lies in none."""
        while time_s >= self._end_s:
            self._start_s = (self._start_s + self._gaps.every_s) if self._gaps.regular else self._pause_s()
            self._end_s = self._start_s + self._length_s()
        return self._end_s if time_s >= self._start_s else None

    def _pause_s(self) -> float:
        """When the next gap begins if they come at random: as many as one `every_s`, themselves included."""
        return self._end_s + self._random.expovariate(1 / (self._gaps.every_s - self._gaps.mean_ms / 1000))

    def _length_s(self) -> float:
        """Beta-distributed between the bounds, with the mean that is asked for: even where that is in the
        middle, mostly short with a few long ones where it is low, as recorded gaps are.
        """
        least, mean, most = self._gaps.min_ms, self._gaps.mean_ms, self._gaps.max_ms
        if mean in (least, most):
            return mean / 1000
        place = (mean - least) / (most - least)
        return (least + (most - least) * self._random.betavariate(2 * place, 2 * (1 - place))) / 1000
