"""What is told of a call's network once a second, and when the caller is asked for copies."""

import numpy as np
import pytest
from prometheus_client import REGISTRY

from voice_agent import audio
from voice_agent.media.network_watch import NetworkWatch
from voice_agent.media.opus import OpusEncoder
from voice_agent.media.receive import ReceivePath
from voice_agent.media.rtp_link import RtpLink
from voice_agent.media.send import PayloadTypes
from voice_agent.message import Samples
from voice_agent.testing import run, tone

SECOND = 50


def quiet() -> Samples:
    return np.zeros(audio.FRAME, np.int16)


async def told(link: RtpLink, loss: float, rtt_s: float) -> None:
    """A report of the far end arrives, on the loop as always."""
    link._reported(loss, rtt_s)


class Line:
    """A caller's packets, some of which are lost, watched once a second."""

    def __init__(self, red: int | None = 63) -> None:
        self.receive = ReceivePath()
        self.link = RtpLink(quiet, lambda *_: None)
        self.link.sending.types = PayloadTypes(111, red)
        self.watch = NetworkWatch(self.receive, self.link)
        self.packet = OpusEncoder().encode(tone(audio.FRAME_S))
        self.sent = 0

    def second(self, loss: float) -> bool | None:
        """A second of sound; returns what the caller is asked for."""
        for _ in range(SECOND):
            if not loss or self.sent % round(1 / loss):
                self.receive.push(self.sent % 65536, self.sent * 960, self.packet, self.sent / SECOND)
            self.sent += 1
            self.receive.poll(self.sent / SECOND)
        self.report = self.watch.report(self.sent / SECOND)
        return self.report.ask_for_copies


def test_the_caller_is_asked_once_when_loss_lasts_and_once_when_it_ends() -> None:
    line = Line()
    asked = [line.second(0.0) for _ in range(5)] + [line.second(0.05) for _ in range(10)]
    assert [word for word in asked if word is not None] == [True]
    asked = [line.second(0.0) for _ in range(30)]
    assert [word for word in asked if word is not None] == [False]


def test_a_caller_that_knows_no_copies_is_not_asked() -> None:
    line = Line(red=None)
    assert [line.second(0.05) for _ in range(10)] == [None] * 10


def test_a_report_tells_of_its_own_second_alone() -> None:
    line = Line()
    line.second(0.1)
    line.second(0.0)
    assert (line.report.received.received, line.report.received.lost) == (SECOND, 0)


def test_the_round_trip_is_counted_once_it_is_known() -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("voice_agent_round_trip_seconds_count") or 0.0

    line, before = Line(), count()
    line.second(0.0)
    assert count() == before
    run(told(line.link, 0.02, 0.15))
    line.second(0.0)
    assert count() == before + 1
    assert line.report.sent.rtt_s == 0.15 and line.report.sent.loss == pytest.approx(0.0044, abs=0.001)
