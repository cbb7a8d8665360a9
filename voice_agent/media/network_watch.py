"""How the network treats a call, once a second: for its metrics, its events, and the wish for copies."""

from dataclasses import dataclass, replace

from voice_agent import metrics
from voice_agent.media.adaptation import Redundancy
from voice_agent.media.receive import ReceivePath
from voice_agent.media.receive_statistics import ReceiveStatistics
from voice_agent.media.rtp_link import RtpLink, SendStatistics


@dataclass(frozen=True)
class NetworkReport:
    """What has happened since the report before."""

    received: ReceiveStatistics
    """Of the caller's sound."""
    sent: SendStatistics
    """Of the agent's, as the caller reports it."""
    copies: bool
    """The agent's packets carry copies."""
    ask_for_copies: bool | None
    """What to ask the caller for from now on; None for no change."""


class NetworkWatch:
    """Of one call."""

    def __init__(self, receive: ReceivePath, link: RtpLink) -> None:
        self._receive = receive
        self._link = link
        self._redundancy = Redundancy()
        self._before = ReceiveStatistics()

    def report(self, now: float) -> NetworkReport:
        """To be called about once a second."""
        statistics = replace(self._receive.statistics)
        counted, self._before = statistics.since(self._before), statistics
        sent = self._link.statistics
        _count(counted, sent)
        before = self._redundancy.on
        asked = self._redundancy.report(counted.loss, sent.rtt_s, now)
        possible = self._link.takes_copies
        return NetworkReport(
            counted, sent, self._link.sending.redundant, asked if possible and asked != before else None
        )


def _count(counted: ReceiveStatistics, sent: SendStatistics) -> None:
    for fate in ("received", "lost", "recovered", "concealed", "late"):
        metrics.PACKETS.labels(fate).inc(getattr(counted, fate))
    metrics.GAPS.inc(counted.gap_s)
    metrics.JITTER.observe(counted.jitter_s)
    metrics.WAIT.observe(counted.wait_s)
    if sent.rtt_s is not None:
        metrics.ROUND_TRIP.observe(sent.rtt_s)
        metrics.SENT_LOSS.observe(sent.loss)
