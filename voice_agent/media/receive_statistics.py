"""What has become of the packets of an incoming stream."""

from dataclasses import dataclass


@dataclass
class ReceiveStatistics:
    """Counted in packets, unless said otherwise."""

    received: int = 0
    lost: int = 0
    """Were not there when their time came."""
    recovered: int = 0
    """Of those, played from a copy in a later packet; the others are concealed."""
    late: int = 0
    """Came after their place had been filled. Counted in `lost` too."""
    duplicate: int = 0
    broken: int = 0
    """Were not Opus."""
    gap_s: float = 0.0
    """Seconds filled while nothing came."""
    jitter_s: float = 0.0
    """Interarrival jitter (RFC 3550, 6.4.1), seconds."""
    wait_s: float = 0.0
    """What the sound has waited here for missing packets, mean over about the last 16, seconds."""

    @property
    def concealed(self) -> int:
        """Packets lost without a copy."""
        return self.lost - self.recovered

    @property
    def loss(self) -> float:
        """Share of the packets sent that never came, 0..1."""
        missing = max(0, self.lost - self.late)
        return missing / (self.received + missing) if missing else 0.0

    def since(self, before: "ReceiveStatistics") -> "ReceiveStatistics":
        """What has been counted since an earlier copy; jitter and wait as they are."""
        return ReceiveStatistics(
            received=self.received - before.received,
            lost=self.lost - before.lost,
            recovered=self.recovered - before.recovered,
            late=self.late - before.late,
            duplicate=self.duplicate - before.duplicate,
            broken=self.broken - before.broken,
            gap_s=self.gap_s - before.gap_s,
            jitter_s=self.jitter_s,
            wait_s=self.wait_s,
        )
