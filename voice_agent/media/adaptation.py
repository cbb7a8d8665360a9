"""How to send on a network that loses: bitrate, in-band FEC and copies (RED), from what the far end reports.

Pure: whoever calls says what time it is. Loss on a radio link is made good by copies; loss of a full link is
made worse by them. The two are told apart by the round trip, which a full queue makes longer.
"""

import math

MOST_BITRATE = 32_000
"""Bits a second: wideband speech does not gain audibly above (RFC 7587, 3.1.1, recommends 16-20 for it)."""
LEAST_BITRATE = 16_000
LOSS_MEMORY_S = 4.0
"""Time in which a report's weight falls to 1/e."""
COPIES_FROM = 0.02
"""Share lost from which packets carry copies: below, concealment is hardly heard."""
COPIES_UNTIL = 0.005
COPIES_COST = 0.05
"""Copies are given up when this much more is lost with them than without."""
FULL_S = 0.1
"""Round trip above the call's shortest by which a queue shows."""
COPIES_PAUSE_S = 60.0
"""How long copies stay off after they have filled a link."""


class Redundancy:
    """Whether every packet should carry a copy of the one before."""

    def __init__(self) -> None:
        self.on = False
        self.loss = 0.0
        """Smoothed share of packets lost, 0..1."""
        self.full = False
        """The latest round trip shows a queue."""
        self._reported_s: float | None = None
        self._shortest_s = math.inf
        self._loss_without = 0.0
        self._paused_until_s = -math.inf

    def report(self, loss: float, rtt_s: float | None, now: float) -> bool:
        """The share lost since the last report and the round trip, None if not known; returns `on`."""
        passed_s = 1.0 if self._reported_s is None else max(0.0, now - self._reported_s)
        self._reported_s = now
        self.loss += (1 - math.exp(-passed_s / LOSS_MEMORY_S)) * (loss - self.loss)
        self.full = self._is_full(rtt_s)
        if self.on and (self.full or self.loss > self._loss_without + COPIES_COST):
            self.on, self._paused_until_s = False, now + COPIES_PAUSE_S
        elif self.on:
            self.on = self.loss >= COPIES_UNTIL
        elif self.loss >= COPIES_FROM and not self.full and now >= self._paused_until_s:
            self.on, self._loss_without = True, max(self.loss, loss)
        return self.on

    def _is_full(self, rtt_s: float | None) -> bool:
        if rtt_s is None:
            return False
        self._shortest_s = min(self._shortest_s, rtt_s)
        return rtt_s > self._shortest_s + FULL_S


class Adaptation:
    """The settings of one outgoing stream."""

    def __init__(self) -> None:
        self.bitrate = MOST_BITRATE
        self.redundancy = Redundancy()

    @property
    def loss_percent(self) -> int:
        """What in-band FEC is to make good: libopus spends more bits on copies the higher it is. Never
        below 5, so that it is ready when loss begins."""
        return min(30, max(5, math.ceil(100 * self.redundancy.loss)))

    def report(self, loss: float, rtt_s: float | None, now: float) -> None:
        """Take a report, as `Redundancy.report`. The bitrate follows the loss-based controller of
        draft-ietf-rmcat-gcc-02, section 6: down in proportion above 10 %, up by 5 % below 2 %."""
        self.redundancy.report(loss, rtt_s, now)
        full = self.redundancy.full
        if loss > 0.10 or full:
            self._bound(self.bitrate * (1 - 0.5 * max(loss, 0.2 if full else 0.0)))
        elif loss < 0.02:
            self._bound(self.bitrate * 1.05)

    def _bound(self, bitrate: float) -> None:
        self.bitrate = round(min(MOST_BITRATE, max(LEAST_BITRATE, bitrate)))
