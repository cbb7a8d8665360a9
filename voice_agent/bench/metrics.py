"""The formulas of the benchmark. Pure: sounds, texts and times in, figures out."""

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from voice_agent.audio import SAMPLE_RATE
from voice_agent.message import Samples
from voice_agent.spoken import CJK

Mask = npt.NDArray[np.bool_]
STEP_S = 0.01
"""Speech and non-speech are compared in steps of 10 ms, as voice activity detection is commonly scored."""
WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:['\u2019][^\W_{CJK}]+)*")


# --- words ----------------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """What is compared of a text: words without case and punctuation; a Chinese character is a word."""
    return WORD.findall(text.casefold().replace("\u2019", "'"))


def characters(text: str) -> list[str]:
    """The same by characters, without spaces: for Chinese, and for anything that joins its words."""
    return list("".join(words(text)))


def edit_distance(reference: Sequence[Hashable], found: Sequence[Hashable]) -> int:
    """The fewest substitutions, deletions and insertions that make one of the other (Levenshtein 1966; by
    the dynamic programming of Wagner and Fischer 1974)."""
    row = list(range(len(found) + 1))
    for number, wanted in enumerate(reference, 1):
        diagonal, row[0] = row[0], number
        for index, came in enumerate(found, 1):
            substituted = diagonal + (wanted != came)
            diagonal = row[index]
            row[index] = min(substituted, row[index] + 1, row[index - 1] + 1)
    return row[-1]


@dataclass
class ErrorRate:
    """Edits over the length of the reference, summed over utterances as NIST's sclite does: WER of words,
    CER of characters. More than 1 where much was invented."""

    errors: int = 0
    length: int = 0

    def add(self, reference: Sequence[Hashable], found: Sequence[Hashable]) -> None:
        """Count an utterance."""
        self.errors += edit_distance(reference, found)
        self.length += len(reference)

    @property
    def rate(self) -> float:
        """0 without a reference."""
        return self.errors / self.length if self.length else 0.0


# --- speech and silence ---------------------------------------------------------------------------


class Span(NamedTuple):
    """From one time to another, in seconds."""

    start_s: float
    end_s: float


class Found(NamedTuple):
    """Speech as a detector told of it."""

    span: Span
    """Where it says that the speech is."""
    start_known_s: float
    """Audio time at which it told of the start."""
    end_known_s: float
    pause_known_s: float | None = None
    """Audio time of its latest hint that the voice may have ended, if it gave one."""


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans that touch or overlap, as one; in order."""
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and span.start_s <= whole[-1].end_s:
            whole[-1] = Span(whole[-1].start_s, max(whole[-1].end_s, span.end_s))
        else:
            whole.append(span)
    return whole


def mask(spans: Iterable[Span], steps: int) -> Mask:
    """True in each 10 ms that lie in a span."""
    inside = np.zeros(steps, np.bool_)
    for start_s, end_s in spans:
        inside[max(0, round(start_s / STEP_S)) : max(0, round(end_s / STEP_S))] = True
    return inside


@dataclass
class Confusion:
    """Steps of speech and of none, told right or wrong (ETSI EN 301 708 counts them so)."""

    hits: int = 0
    misses: int = 0
    false_alarms: int = 0
    rejections: int = 0

    def add(self, truth: Mask, found: Mask) -> None:
        """Count a recording."""
        self.hits += int((truth & found).sum())
        self.misses += int((truth & ~found).sum())
        self.false_alarms += int((~truth & found).sum())
        self.rejections += int((~truth & ~found).sum())

    @property
    def miss_rate(self) -> float:
        """Of the speech."""
        return self.misses / max(1, self.hits + self.misses)

    @property
    def false_alarm_rate(self) -> float:
        """Of what is no speech."""
        return self.false_alarms / max(1, self.false_alarms + self.rejections)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.hits / max(1, 2 * self.hits + self.false_alarms + self.misses)


def onset_delays_s(truth: Sequence[Span], found: Sequence[Found]) -> list[float]:
    """How long after each true start it was known. Starts that were missed, or that fell into what was
    already taken for speech, are counted by the rates and left out here."""
    delays = []
    for span in truth:
        here = [one for one in found if one.start_known_s < span.end_s and one.end_known_s > span.start_s]
        if here and here[0].start_known_s >= span.start_s:
            delays.append(here[0].start_known_s - span.start_s)
    return delays


def end_delays_s(truth: Sequence[Span], found: Sequence[Found]) -> list[float]:
    """How long after each true end it was known, less than 0 where it was told too early. Ends that were
    missed, because the next speech began before they were told, are left out."""
    return [one.end_known_s - span.end_s for span, one in _ended(truth, found)]


def pause_delays_s(truth: Sequence[Span], found: Sequence[Found]) -> list[float]:
    """The same of the latest hint before each of these ends, if there was one."""
    return [
        one.pause_known_s - span.end_s for span, one in _ended(truth, found) if one.pause_known_s is not None
    ]


def _ended(truth: Sequence[Span], found: Sequence[Found]) -> Iterator[tuple[Span, Found]]:
    """Each true stretch with the last of those found in it, if that ended before the next true one began."""
    for number, span in enumerate(truth):
        next_s = truth[number + 1].start_s if number + 1 < len(truth) else np.inf
        here = [one for one in found if one.start_known_s < span.end_s and one.end_known_s > span.start_s]
        if here and here[-1].end_known_s < next_s:
            yield span, here[-1]


# --- sound ----------------------------------------------------------------------------------------


def si_sdr_db(reference: Samples, estimate: Samples) -> float:
    """Scale-invariant signal-to-distortion ratio, both of shape (n,) (Le Roux et al. 2019, "SDR - half-baked
    or well done?", ICASSP, equation 3, of signals without their means)."""
    wanted, came = (sound.astype(np.float64) - sound.mean() for sound in (reference, estimate))
    target = wanted * (np.dot(wanted, came) / np.dot(wanted, wanted))
    distortion = np.sum(np.square(came - target))
    return float(10 * np.log10(np.sum(np.square(target)) / max(distortion, 1e-9)))


def delay_samples(reference: Samples, estimate: Samples, most: int) -> int:
    """By how much an estimate is late, 0 to `most` samples: where their cross-correlation is greatest."""
    wanted, came = reference.astype(np.float64), estimate.astype(np.float64)
    size = 1 << (len(wanted) + len(came) - 1).bit_length()
    correlation = np.fft.irfft(np.conj(np.fft.rfft(wanted, size)) * np.fft.rfft(came, size), size)
    return int(np.argmax(np.abs(correlation[: most + 1])))


def erle_db(before: Samples, after: Samples) -> float:
    """Echo return loss enhancement: the echo's power before a canceller over that behind it, in dB (ITU-T
    G.168, 3.2.7), while only the echo sounds."""
    power = [float(np.mean(np.square(sound.astype(np.float64)))) for sound in (before, after)]
    return float(10 * np.log10(max(power[0], 1e-3) / max(power[1], 1e-3)))


def percentile(values: Sequence[float], percent: float) -> float:
    """Between the nearest ranks, linearly (NumPy's default); NaN of nothing."""
    return float(np.percentile(values, percent)) if values else float("nan")


def seconds(samples: Samples) -> float:
    """The length of a sound."""
    return len(samples) / SAMPLE_RATE
