"""What two channels of sound tell: when the agent spoke, gave way, was turned down, went on. Pure.

- *audible*: above -50 dB of full scale (`calls/ear.py`).
- A *stretch* of its speech lasts until it has been silent for 0.3 s: between words voices pause for less.
- *Down*: 12 dB below the loudest 5 ms of the second before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from voice_agent.audio import SAMPLE_RATE
from voice_agent.calls.ear import AUDIBLE_DB, BEFORE_S, DUCKED_DB, WINDOW, levels_db, sounding
from voice_agent.message import Samples
from voice_agent.turn_eval.caller import PAUSE_S
from voice_agent.turn_eval.material import Span

LEAST_DIP_S = 0.06
"""Down for less is the gap between two words."""
MATCH_S = 0.4
"""Of a voice so much is compared to find its place in a reply."""
SOFT_DB = -70.0
"""Above it a voice sounds that is 15 dB down; the gaps within a synthetic one are digital silence."""
LEAST_MATCH = 0.5
"""Correlation of a place that is believed."""


@dataclass(frozen=True)
class Ear:
    """The agent's channel."""

    samples: Samples

    def stretches(self) -> list[Span]:
        """When the agent spoke, oldest first."""
        return stretches(self.samples)

    def level_before(self, time_s: float) -> float:
        """Of the loudest 5 ms in the second before, in dB of full scale."""
        return _loudest(self._cut(time_s - BEFORE_S, time_s))

    def down_after(self, onset_s: float, decided_s: float, until_s: float) -> float | None:
        """How long after `onset_s` the agent is down, where it was decided at `decided_s` that it shall be:
        its last loud sample before it is down for longer than between words, but not before the decision, as
        it may have been between words anyway. None if it is not down by `until_s`."""
        before_db = self.level_before(onset_s)
        if before_db <= AUDIBLE_DB:
            return None
        piece = self._cut(onset_s, until_s + LEAST_DIP_S)
        loud = sounding(piece, before_db - DUCKED_DB) / SAMPLE_RATE
        times = np.concatenate(([0.0], loud, [len(piece) / SAMPLE_RATE]))
        decided_s -= onset_s
        for start_s, end_s in pairwise(times.tolist()):
            if end_s - start_s >= LEAST_DIP_S and end_s > decided_s:
                return float(max(start_s, decided_s))
        return None

    def _cut(self, start_s: float, end_s: float) -> Samples:
        return self.samples[max(0, round(start_s * SAMPLE_RATE)) : max(0, round(end_s * SAMPLE_RATE))]


def stretches(samples: Samples, threshold_db: float = AUDIBLE_DB, pause_s: float = PAUSE_S) -> list[Span]:
    """When something sounds, silences shorter than `pause_s` left out."""
    found = sounding(samples, threshold_db)
    if not len(found):
        return []
    breaks = np.flatnonzero(np.diff(found) >= pause_s * SAMPLE_RATE)
    firsts = np.concatenate((found[:1], found[breaks + 1]))
    lasts = np.concatenate((found[breaks], found[-1:]))
    pairs = zip(firsts.tolist(), lasts.tolist(), strict=True)
    return [Span(first / SAMPLE_RATE, (last + 1) / SAMPLE_RATE) for first, last in pairs]


def at(spans: Sequence[Span], time_s: float) -> Span | None:
    """The stretch that goes on at a time and has begun before it."""
    return next((span for span in spans if span.start_s < time_s < span.end_s), None)


def begun(spans: Sequence[Span], start_s: float, end_s: float) -> list[Span]:
    """Those that begin in a stretch of time."""
    return [span for span in spans if start_s < span.start_s <= end_s]


class Shift(NamedTuple):
    """What became of the agent's words between two moments."""

    seconds: float
    """More than 0: so much of its voice was repeated; less: lost."""
    at_s: float
    """The place in the reply up to which it had been played when it was stopped, or at the second moment."""


def shift(ear: Samples, voice: Samples, before_s: float, after_s: float) -> Shift | None:
    """Compare what was heard between two moments of the caller's time, at which the agent spoke, with what
    lies in `voice`, the reply as it was made, between the places where it was then and now. Silence does not
    count, however long. None where the places cannot be found."""
    first, second = round(before_s * SAMPLE_RATE), round(after_s * SAMPLE_RATE)
    length = round(MATCH_S * SAMPLE_RATE)
    before = _place(ear[max(0, first - length) : first], voice)
    after = _place(ear[second : second + length], voice)
    if before is None or after is None:
        return None
    before += min(length, first)
    heard_s = _sounding_s(ear[first:second])
    made_s = _sounding_s(voice[before:after]) if after >= before else -_sounding_s(voice[after:before])
    stopped = _longest_silence(ear[first:second])
    at = _place(ear[max(0, first + stopped - length) : first + stopped], voice)
    place = after if at is None else at + min(length, first + stopped)
    return Shift(heard_s - made_s, place / SAMPLE_RATE)


def _sounding_s(samples: Samples) -> float:
    """For how long it sounds, ever so softly: a voice that is turned down counts as much as a loud one."""
    return len(sounding(samples, SOFT_DB)) / SAMPLE_RATE if len(samples) else 0.0


def _longest_silence(samples: Samples) -> int:
    """The sample at which it begins."""
    found = np.concatenate(([-1], sounding(samples, SOFT_DB), [len(samples)]))
    return int(found[np.argmax(np.diff(found))]) + 1


def _place(piece: Samples, voice: Samples) -> int | None:
    """Where in a voice a piece of it lies, in samples: the highest normalised cross-correlation."""
    if len(piece) < WINDOW or len(voice) < len(piece) or not piece.any():
        return None
    wanted, whole = piece.astype(np.float64), voice.astype(np.float64)
    size = 1 << (len(whole) + len(wanted) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(wanted, size)), size)
    power = np.concatenate(([0.0], np.cumsum(np.square(whole))))
    energies = power[len(wanted) :] - power[: -len(wanted)]
    score = product[: len(energies)] / np.sqrt(np.maximum(energies, 1.0) * np.sum(np.square(wanted)))
    best = int(np.argmax(score))
    return best if score[best] >= LEAST_MATCH else None


def _loudest(samples: Samples) -> float:
    return float(levels_db(samples).max()) if len(samples) >= WINDOW else -100.0
