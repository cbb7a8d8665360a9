"""When the words of a clause are spoken, as it is written: from what a voice tells of what it said."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voice_agent import spoken
from voice_agent.message import Word
from voice_agent.speakable import Spoken

LEARN = 0.3
"""How much of what the latest clause shows of a voice's pace is believed."""


@dataclass
class Pace:
    """How slowly a voice speaks, against a usual rate; learned from what it has said."""

    slowness: float = 1.0

    def guess_s(self, text: str) -> float:
        """How long it will take for a text."""
        return _usual_s(text) * self.slowness

    def learn(self, text: str, took_s: float) -> None:
        """It took so long for a text."""
        if usual_s := _usual_s(text):
            self.slowness += LEARN * (took_s / usual_s - self.slowness)


def _usual_s(text: str) -> float:
    words = spoken.spread_words(text)
    return words[-1].end_s if words else 0.0


def written_words(text: str, known: Sequence[tuple[int, float]], duration_s: float) -> tuple[Word, ...]:
    """The words of the clause as they are written, each from its start to the next one's.

    `known` says at which place in the text a spoken word begins, and when, both in order. A written word that
    begins several spoken ones ("$20") takes the first; one within a spoken word (Chinese) its share.
    """
    spans = spoken.word_spans(text)
    if not spans:
        return ()
    places = [place for place, _ in known]
    anchors = [(0, 0.0)]
    for start, end in spans:
        first = bisect_left(places, start)
        if start > 0 and first < len(places) and places[first] < end:
            anchors.append((start, known[first][1]))
    anchors.append((len(text), duration_s))
    at, at_s = np.array(anchors).T
    starts = np.interp([start for start, _ in spans], at, at_s).tolist()
    ends = [*starts[1:], duration_s]
    return tuple(
        Word(text[start:end], begins, ends_s)
        for (start, end), begins, ends_s in zip(spans, starts, ends, strict=True)
    )


def spread(text: str, said: Spoken, duration_s: float | None = None) -> tuple[Word, ...]:
    """Guess them by the length of what is said: "$20" takes as long as "twenty dollars".

    With `duration_s` they fill just that time, else they go at a usual rate of speech.
    """
    words = spoken.spread_words(said.text, duration_s)
    spans = spoken.word_spans(said.text)
    known = [(said.origin[start], word.start_s) for (start, _), word in zip(spans, words, strict=True)]
    return written_words(text, known, duration_s or (words[-1].end_s if words else 0.0))
