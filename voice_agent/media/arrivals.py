"""What the times at which packets come tell: jitter, how late reordered ones are, what should be here."""

from math import inf

from voice_agent.audio import SAMPLE_RATE

PATIENCE_S = (0.015, 0.12)
"""Least and most that a hole waits for its packet once a later one has come."""
FIRST_REORDERING_S = 0.03
"""Assumed until it is known how late this network's reordered packets are."""
REORDERING_HALF_LIFE_S = 10.0
BASE_S = 2.0
"""The promptest packet is that of the last two to four seconds: clocks drift, routes change."""


class Arrivals:
    """What the times of arrival tell about the network."""

    def __init__(self) -> None:
        self.jitter_s = 0.0
        """Interarrival jitter (RFC 3550, 6.4.1)."""
        self._reordering_s = FIRST_REORDERING_S
        self._reordered_s: float | None = None
        """When that was so."""
        self.restart()

    def restart(self) -> None:
        """Another stream: its clock has nothing to do with that of the one before."""
        self.latest_s = -inf
        """When the latest packet came."""
        self._transit_s: float | None = None
        """Arrival minus time of sending, of the latest packet."""
        self._promptest_s = (inf, inf)
        """The least of it in this stretch of BASE_S and the one before."""
        self._stretch_s = 0.0
        """When this stretch began."""

    def add(self, at: int, now: float) -> None:
        """A packet that begins at a sample has come."""
        transit_s = now - at / SAMPLE_RATE
        if self._transit_s is None:
            self._transit_s, self._stretch_s = transit_s, now
        this_s, last_s = self._promptest_s
        if now - self._stretch_s >= BASE_S:
            this_s, last_s, self._stretch_s = inf, this_s, now
        self._promptest_s = min(this_s, transit_s), last_s
        change_s = abs(transit_s - self._transit_s)
        self.jitter_s += (change_s - self.jitter_s) / 16
        self._transit_s, self.latest_s = transit_s, now

    def reordered(self, late_s: float, now: float) -> None:
        """A packet came this long after its successor."""
        self._reordering_s = max(self._expected_s(now), late_s)
        self._reordered_s = now

    def patience_s(self, now: float) -> float:
        """How long after its successor a packet may still come."""
        least, most = PATIENCE_S
        return min(most, max(least, 1.25 * self._expected_s(now)))

    def sample_at(self, now: float) -> int:
        """The sample that the promptest packet would bring now."""
        return int((now - min(self._promptest_s)) * SAMPLE_RATE)

    def _expected_s(self, now: float) -> float:
        if self._reordered_s is None:
            self._reordered_s = now
        age_s = max(0.0, now - self._reordered_s)
        return float(self._reordering_s * 0.5 ** (age_s / REORDERING_HALF_LIFE_S))
