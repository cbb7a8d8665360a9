"""Frames on the grid of audio time, and filling for those whose sound has not come."""

from collections import deque
from typing import NamedTuple

import numpy as np

from voice_agent.audio import FRAME, FULL_SCALE, SAMPLE_RATE
from voice_agent.media.opus import OpusDecoder
from voice_agent.media.steps import StepLimit
from voice_agent.message import Samples

NOISE = np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
"""The background's, RMS 1, a second that repeats."""


class Frame(NamedTuple):
    """20 ms of the caller's sound."""

    samples: Samples
    """Shape (320,)."""
    slot: int
    """Its place in audio time, in frames since the first packet."""
    gap: bool
    """The sound did not come; this is filling."""


class Slots:
    """Cuts sound into frames that lie on the grid of audio time, whatever the lengths of the packets."""

    def __init__(self) -> None:
        self._samples: Samples = np.zeros(FRAME, np.int16)
        self._slot = 0
        self._length = 0
        self._gap = False

    def write(self, at: int, samples: Samples, gap: bool) -> list[Frame]:
        """Add sound that begins at a sample; returns the frames that are now complete."""
        if not self._length and len(samples) == FRAME and at % FRAME == 0:  # almost every packet: a frame
            self._slot = at // FRAME + 1
            return [Frame(samples, at // FRAME, gap)]
        frames = []
        while len(samples):
            slot, offset = divmod(at, FRAME)
            if (slot, offset) != (self._slot, self._length):  # time has jumped: what is unfinished is dropped
                self._samples = np.zeros(FRAME, np.int16)
                self._slot, self._length, self._gap = slot, offset, offset > 0
            count = min(FRAME - offset, len(samples))
            self._samples[offset : offset + count] = samples[:count]
            self._gap = self._gap or gap
            self._length += count
            if self._length == FRAME:
                frames.append(Frame(self._samples, slot, self._gap))
                self._samples = np.zeros(FRAME, np.int16)
                self._slot, self._length, self._gap = slot + 1, 0, False
            at, samples = at + count, samples[count:]
        return frames


class Filling:
    """Sound for what did not come: libopus's concealment, which becomes the caller's background."""

    FADE = 5 * FRAME
    """Samples: after 100 ms a concealed voice is a drone."""
    RISE = 1.02
    """By which the background may have grown with each packet: 4 dB in half a second."""
    SETTLING = 6
    """Packets after a hole in which the decoder, whose memory of the voice was wrong, may still overshoot."""
    LOUDEST = 10 ** (-50 / 20) * FULL_SCALE
    """RMS of the background at most."""
    REMEMBERED = 150
    """Packets: of real sound so much is looked at, and only when something has to be made up."""

    def __init__(self, decoder: OpusDecoder) -> None:
        self._decoder = decoder
        self._made = 0
        """Samples since the last real one."""
        self._background = 0.0
        """RMS of the quietest sound of late."""
        self._steps = StepLimit()
        self._unseen: deque[Samples] = deque(maxlen=self.REMEMBERED)
        """Real sound that has not been looked at."""
        self._settling = 0
        """Packets for which the decoder is not yet to be trusted."""

    def heard(self, samples: Samples) -> Samples:
        """Real sound has come; returns it, without the clicks that follow a hole."""
        self._made = 0
        if self._settling:
            self._settling -= 1
            return self._steps.apply(samples)
        self._unseen.append(samples)
        return samples

    def make(self, length: int) -> Samples:
        """The next so many samples, FRAME at most."""
        self._look()
        places = np.arange(self._made, self._made + length)
        fade = np.clip(1 - places / self.FADE, 0, 1)
        sound = self._background * NOISE[places % SAMPLE_RATE] * (1 - fade)
        if self._made < self.FADE:
            try:
                concealed = self._decoder.conceal(length)
            except ValueError:  # not a length that Opus knows
                concealed = np.zeros(length, np.int16)
            sound = sound + concealed * fade
        self._made += length
        self._settling = self.SETTLING
        return self._steps.apply(np.clip(np.rint(sound), -32768, 32767).astype(np.int16))

    def _look(self) -> None:
        """Learn from the real sound what the background is, and how fast the voice moves."""
        while self._unseen:
            samples = self._unseen.popleft()
            power = samples.astype(np.float32)
            rms = float(np.sqrt(np.dot(power, power) / len(power)))
            self._background = min(rms, self._background * self.RISE + 0.1, self.LOUDEST)
            self._steps.learn(samples)
