"""What is measured at the caller's ear: sound and times in, figures out. Pure.

All of it rests on one question: which samples sound above a level? It is asked of windows of 5 ms, so
that a click does not count, and answered with single samples, so that the figures are exact.

- voiced: the caller's own sound, down to 40 dB below its loudest 5 ms. In a noisy recording 10 dB above
  the noise instead, but never less than 20 dB below the loudest.
- audible: the agent's sound above -50 dB of full scale.
- stopped: the agent's last audible sample before the server said that it had cut the reply; where it
  does not say so, before a pause of 0.3 s.
- ducked: the agent's last sample before that which is less than 12 dB below its loudest 5 ms in the
  second before the interruption.
- taken back: the server did not say that it had cut the reply, and the agent spoke on after 0.3 s of
  silence, or of a voice that was ducked. Then it has not stopped.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from voice_agent.audio import FRAME, FRAME_S, FULL_SCALE, SAMPLE_RATE, SILENCE_DB
from voice_agent.message import Samples

Floats = npt.NDArray[np.float64]
WINDOW = SAMPLE_RATE * 5 // 1000
"""Samples, 5 ms."""
AUDIBLE_DB = -50.0
"""dB of full scale. The agent's silence is digital, so there is no noise beneath."""
PAUSE_S = 0.3
"""A voice pauses for less between words. Between sentences it may pause longer, which is why the
server's word for the end of a reply is taken first."""
CUT_S = 0.1
"""Sound sent before the news of a cut may be heard this long after it: 20 ms of frame and the way."""
SURELY_S = 1.0
"""A pause of this length is an end, whatever the server says."""
DUCKED_DB = 12.0
BEFORE_S = 1.0
"""How far before an interruption the agent's level is looked for."""


class Span(NamedTuple):
    """Samples from `first` to `last`, both included."""

    first: int
    last: int


def levels_db(samples: Samples) -> Floats:
    """RMS level of the 5 ms that begin at each sample, in dB of full scale; shape (n - WINDOW + 1,)."""
    total = np.concatenate(([0.0], np.cumsum(np.square(samples / FULL_SCALE))))
    mean = (total[WINDOW:] - total[:-WINDOW]) / WINDOW
    levels: Floats = 10 * np.log10(np.maximum(mean, 10 ** (SILENCE_DB / 10)))
    return levels


def sounding(samples: Samples, threshold_db: float) -> npt.NDArray[np.intp]:
    """The samples that reach a level and lie in 5 ms whose RMS is above it, rising."""
    padded = np.concatenate((samples, np.zeros(max(0, WINDOW - len(samples)), np.int16)))
    loud = np.concatenate((levels_db(padded) > threshold_db, np.zeros(WINDOW, bool)))
    windows = np.cumsum(loud)  # loud windows that begin up to each sample
    windows[WINDOW:] -= windows[:-WINDOW].copy()
    reaches = np.abs(samples.astype(np.int32)) >= 10 ** (threshold_db / 20) * FULL_SCALE
    return np.flatnonzero(reaches & (windows[: len(samples)] > 0))


def voiced(utterance: Samples) -> Span | None:
    """The first and the last voiced sample of what a caller says; None for silence."""
    if len(utterance) < WINDOW:
        return None
    levels = levels_db(utterance)
    loudest, floor = float(levels.max()), float(np.percentile(levels, 5))
    if loudest <= SILENCE_DB:
        return None
    found = sounding(utterance, min(max(loudest - 40, floor + 10), loudest - 20))
    return Span(int(found[0]), int(found[-1]))


class Tape:
    """Frames of 20 ms, and the loop time at which each was sent or came."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.frames: list[Samples] = []
        self.slots: list[int] = []
        """The place of each on the sender's time axis, in frames: it jumps where the sender pauses."""
        self.filled = 0
        """Frames that stand in for lost ones."""

    def add(self, samples: Samples, time_s: float, filled: bool = False, slot: int | None = None) -> None:
        """Add a frame, shape (320,); its slot is the one after the last if it is not given."""
        self.frames.append(samples)
        self.times.append(time_s)
        self.slots.append(slot if slot is not None else self.slots[-1] + 1 if self.slots else 0)
        self.filled += filled

    def __len__(self) -> int:
        return len(self.frames)

    def between(self, start_s: float, end_s: float) -> tuple[Samples, Floats]:
        """The samples heard in a stretch of time, and when each is heard: as its frame comes, plus its
        place in the frame.
        """
        first = bisect_left(self.times, start_s - FRAME_S)
        last = bisect_left(self.times, end_s)
        samples = np.concatenate([*self.frames[first:last], np.zeros(0, np.int16)])
        places = np.arange(FRAME) / SAMPLE_RATE
        times = (np.array(self.times[first:last])[:, None] + places).ravel()
        inside = (times >= start_s) & (times < end_s)
        return samples[inside], times[inside]

    def sound(self, threshold_db: float, start_s: float, end_s: float) -> Floats:
        """When the samples above a level are heard, in a stretch of time."""
        samples, times = self.between(start_s, end_s)
        return times[sounding(samples, threshold_db)]

    def first_audible(self, start_s: float, end_s: float) -> float | None:
        """When the first audible sample in a stretch of time is heard."""
        sound = self.sound(AUDIBLE_DB, start_s, end_s)
        return float(sound[0]) if len(sound) else None

    def last_audible(self, start_s: float, end_s: float) -> float | None:
        """When the last audible sample in a stretch of time is heard."""
        sound = self.sound(AUDIBLE_DB, start_s, end_s)
        return float(sound[-1]) if len(sound) else None

    def loudest_db(self, start_s: float, end_s: float) -> float:
        """The level of the loudest 5 ms in a stretch of time."""
        samples, _ = self.between(start_s, end_s)
        return float(levels_db(samples).max()) if len(samples) >= WINDOW else SILENCE_DB


class BargeIn(NamedTuple):
    """How the agent gave way, counted from the first voiced sample of the interruption that was sent.

    None for what cannot be told: the agent was silent anyhow, or it spoke on; for the ducking also where
    no sound of its usual loudness came any more, as a soft syllable is as soft as a ducked one.
    """

    duck_ms: float | None
    stop_ms: float | None
    taken_back: bool = False
    """It gave way for a while, and went on with the same reply."""


def barge_in(heard: Tape, spoke_s: float, cut_s: float | None, until_s: float) -> BargeIn:
    """Measure the interruption that began at `spoke_s`.

    `cut_s` is when the server told that it had cut the reply, None if it did not. Nothing is looked at
    from `until_s` on.
    """
    before_db = heard.loudest_db(spoke_s - BEFORE_S, spoke_s)
    if before_db <= AUDIBLE_DB:
        return BargeIn(None, None)
    stopped_s = _stopped(heard, spoke_s, cut_s, until_s)
    loud = heard.sound(before_db - DUCKED_DB, spoke_s, until_s)
    spoke_on = stopped_s is None or heard.first_audible(stopped_s + PAUSE_S / 2, until_s) is not None
    if stopped_s is not None and (cut_s is not None or not spoke_on):
        return BargeIn(_ms(spoke_s, loud[loud < stopped_s][-1:]), (stopped_s - spoke_s) * 1000)
    softer = loud[:-1][np.diff(loud) >= PAUSE_S]
    return BargeIn(_ms(spoke_s, softer[:1]), None, taken_back=stopped_s is not None or len(softer) > 0)


def _ms(spoke_s: float, times: Floats) -> float | None:
    """Milliseconds to the one time in an array; None if it is empty."""
    return float(times[0] - spoke_s) * 1000 if len(times) else None


def _stopped(heard: Tape, spoke_s: float, cut_s: float | None, until_s: float) -> float | None:
    if cut_s is not None:
        until_s = min(until_s, cut_s + CUT_S)
    pause_s = PAUSE_S if cut_s is None else SURELY_S
    sound = np.concatenate(([spoke_s], heard.sound(AUDIBLE_DB, spoke_s, until_s)))
    pauses = np.flatnonzero(np.diff(sound) >= pause_s)
    if len(pauses):
        return float(sound[pauses[0]])
    if cut_s is None and until_s - sound[-1] < pause_s:
        return None
    return float(sound[-1])


def late_frames(times: Sequence[float], slots: Sequence[int], tolerance_s: float = FRAME_S) -> int:
    """How many frames came more than `tolerance_s` after their time.

    A frame's time is 20 ms for each slot since the one of the last second that came soonest. So a
    sender that starts its clock anew is late for one second, not for the rest of the call.
    """
    soonest: deque[tuple[int, float]] = deque()  # slots and delays, both rising: a sliding minimum
    late = 0
    for slot, time_s in zip(slots, times, strict=True):
        delay_s = time_s - slot * FRAME_S
        while soonest and soonest[-1][1] >= delay_s:
            soonest.pop()
        soonest.append((slot, delay_s))
        while slot - soonest[0][0] >= round(1 / FRAME_S):
            soonest.popleft()
        late += delay_s - soonest[0][1] > tolerance_s
    return late
