"""What two channels of sound tell: when the agent spoke, gave way, was turned down, went on. Pure.

- *audible*: above -50 dB of full scale (`calls/ear.py`).
- A *stretch* of the agent's speech lasts until it has been silent for 0.3 s; voices pause for less between words.
- *Down*: 12 dB below the loudest 5 ms of the second before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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

    def down_after(self, onset_s: float, until_s: float) -> float | None:
        """How long after `onset_s` the agent is down, until `until_s` at least in part: from its last loud sample
        before it is down for longer than between words. None if it is not."""
        before_db = self.level_before(onset_s)
        if before_db <= AUDIBLE_DB:
            return None
        piece = self._cut(onset_s, until_s + LEAST_DIP_S)
        loud = sounding(piece, before_db - DUCKED_DB) / SAMPLE_RATE
        times = np.concatenate(([0.0], loud, [len(piece) / SAMPLE_RATE]))
        dips = np.flatnonzero(np.diff(times) >= LEAST_DIP_S)
        return float(times[dips[0]]) if len(dips) else None

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


def shift_s(ear: Samples, voice: Samples, before_s: float, after_s: float) -> float | None:
    """By how much the agent repeated (more than 0) or lost of its voice between two moments, both of the caller's
    time, while it spoke at full loudness: where in `voice`, the reply as it was made, was it then and now? Silence of
    more than 0.3 s between them does not count. None where it cannot be told.
    """
    first, second = round(before_s * SAMPLE_RATE), round(after_s * SAMPLE_RATE)
    length = round(MATCH_S * SAMPLE_RATE)
    place_before = _place(ear[first - length : first], voice)
    place_after = _place(ear[second : second + length], voice)
    if place_before is None or place_after is None:
        return None
    between = stretches(ear[first:second], pause_s=PAUSE_S)
    edges = [0.0, *(time for span in between for time in (span.start_s, span.end_s)), after_s - before_s]
    silences = np.diff(edges)[::2]
    silent_s = float(sum(silence for silence in silences if silence >= PAUSE_S))
    went_on_s = (place_after - place_before - length) / SAMPLE_RATE
    return (after_s - before_s - silent_s) - went_on_s


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
