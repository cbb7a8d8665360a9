"""What a caller sends for the benchmark of the receive path: a voice, its packets, and a network. Seeded."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from voice_agent import audio
from voice_agent.audio import FRAME_S, SAMPLE_RATE
from voice_agent.media import rtp
from voice_agent.media.rtp import RtpPacket
from voice_agent.media.send import PayloadTypes, SendPath
from voice_agent.message import Samples

TYPES = PayloadTypes(opus=111, red=63)
TICKS = round(FRAME_S * rtp.CLOCK)
Floats = npt.NDArray[np.float64]
Guard = Literal["FEC", "RED"]
"""In-band copies at a low rate, or whole ones."""


@dataclass(frozen=True)
class Scenario:
    """A network."""

    loss: float
    jitter_ms: int
    one_lost: bool = False
    """Only one packet is lost, after a fifth of the time."""

    @property
    def name(self) -> str:
        loss = "1 packet" if self.one_lost else f"{self.loss:.1%}"
        return f"{loss}, {self.jitter_ms} ms"


@dataclass
class Stream:
    """What a caller sends, and when it arrives."""

    datagrams: list[bytes]
    sent_s: Floats
    arrival_s: Floats
    """inf for what is lost."""

    def arrivals(self) -> list[int]:
        """The packets that arrive, in the order in which they do."""
        order = np.argsort(self.arrival_s, kind="stable")
        return [int(i) for i in order if np.isfinite(self.arrival_s[i])]


def voice(seconds: float, seed: int) -> Samples:
    """Pulse trains of moving pitch in four syllables a second, one second in four a pause, and some noise:
    three quarters of it are a voice, as in recorded speech."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * t)) / SAMPLE_RATE
    pulses = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 20))
    level = (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t)) * (t % 4 < 3)
    return audio.to_int16(0.1 * pulses * level + 0.0005 * rng.standard_normal(len(t)))


def encode(samples: Samples, guard: Guard = "FEC") -> list[bytes]:
    """RTP of 20 ms at 32 kbit/s with in-band FEC, and with RED a whole copy of each packet in the next:
    what a browser sends that is asked for it."""
    frames = audio.frames(samples)
    path = SendPath(lambda: next(frames))
    path.types, path.redundant = TYPES, guard == "RED"
    datagrams = []
    for number in range(len(samples) // audio.FRAME):
        packet = path.next()
        assert packet is not None
        kind, payload, timestamp, marker = packet
        datagrams.append(rtp.build(RtpPacket(kind, marker, number & 0xFFFF, timestamp, 1, payload)))
    return datagrams


def stream(datagrams: list[bytes], scenario: Scenario, seed: int) -> Stream:
    """The packets on a network; the first and the last always arrive."""
    rng = np.random.default_rng(seed)
    sent_s: Floats = np.arange(1, len(datagrams) + 1, dtype=np.float64) * FRAME_S
    way_s: Floats = np.abs(rng.normal(0, 1, len(datagrams))) * scenario.jitter_ms / 1000
    arrival_s = sent_s + way_s
    lost = rng.random(len(datagrams)) < scenario.loss
    if scenario.one_lost:
        lost[len(datagrams) // 5] = True
    lost[0] = lost[-1] = False
    arrival_s[0] = sent_s[0]
    arrival_s[lost] = np.inf
    return Stream(datagrams, sent_s, arrival_s)
