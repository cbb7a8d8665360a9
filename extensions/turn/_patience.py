"""How long to wait in the caller's silence before it is an answer's turn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from extensions.turn._words import Finish, Label
from voice_agent.dialogue import slots, values
from voice_agent.dialogue.floor import Tokens, tokens_of
from voice_agent.message import Expecting

TOO_EARLY = 1.25
"""Each time the caller went on after the agent thought he had ended, it waits so much longer,"""
IN_TIME = 0.97
"""and each time it was right, so much less,"""
SLOWEST = 2.0
"""but never more than twice as long as at first."""
SURE, MAYBE_MORE, SURELY_MORE = 0.95, 0.6, 0.0
"""Probabilities that the caller is done which follow from what was asked, or is always asked."""
BELIEVED = 0.4
"""Words of which the recogniser is less sure tell nothing."""
MORE_TO_SAY = 0.4
"""Who is less probably done than this has something left to say."""
UNKNOWN = 0.35
"""Probability that the caller is done where the words tell nothing."""
ANYTHING = Expecting("free")
NOTHING_UNDERSTOOD: Mapping[Label, float] = {"finished": UNKNOWN, "unfinished": 1 - UNKNOWN, "wait": 0.0}


class Waiting(NamedTuple):
    """For how long, and for what."""

    seconds: float
    finished: float
    """Probability that the caller is done."""
    hold: bool
    """He asks the agent to wait."""
    cut_short: bool = False
    """He has spoken past the limit, and is probably not done."""
    aside: float = 0.0
    """Probability that he speaks to somebody else."""


@dataclass
class Patience:
    """The waiting time grows by the same factor with each step of doubt: from `least_s` where the caller is
    surely done to `most_s` where he surely is not."""

    finish: Callable[[str, str], Finish]
    """Of a text and its language, "" where that is not known."""
    least_s: float
    most_s: float
    hold_probability: float = 0.5
    whole: frozenset[Tokens] = frozenset()
    """What callers of this trade say, each the whole of what they want to say."""
    expected: Expecting = ANYTHING
    """What the agent has asked for last."""
    pace: float = 1.0
    """How much more time than others this caller takes, 1..2."""
    _judged: tuple[tuple[str, str, float, Expecting], Waiting] | None = field(default=None, repr=False)

    def wait(self, text: str, language: str, confidence: float = 1.0, too_long: bool = False) -> Waiting:
        """After this text, of which the recogniser is so sure. Who speaks `too_long` is not waited for."""
        key = (text, language, confidence, self.expected)
        if self._judged is None or self._judged[0] != key:
            self._judged = key, self._judge(text, language, confidence)
        waiting = self._judged[1]
        if too_long:
            return waiting._replace(seconds=self.least_s, cut_short=waiting.finished < MORE_TO_SAY)
        return waiting._replace(seconds=min(self.most_s, waiting.seconds * self.pace))

    def went_on(self) -> None:
        """The caller had not ended when the agent thought so."""
        self.pace = min(SLOWEST, self.pace * TOO_EARLY)

    def was_right(self) -> None:
        """The caller had ended."""
        self.pace = max(1.0, self.pace * IN_TIME)

    def _judge(self, text: str, language: str, confidence: float) -> Waiting:
        known, aside = NOTHING_UNDERSTOOD, 0.0
        if text and confidence >= BELIEVED:
            found = self.finish(text, language)
            known, aside = found.probabilities, found.aside
        hold = known["wait"] >= self.hold_probability
        done = 1.0 if hold else _with_expectation(1 - known["unfinished"], text, self.expected)
        if tokens_of(text) in self.whole:
            done, aside = max(done, SURE), 0.0
        return Waiting(self.least_s * (self.most_s / self.least_s) ** (1 - done), done, hold, aside=aside)


def _with_expectation(done: float, text: str, expected: Expecting) -> float:
    """A short answer to a yes-or-no question is whole, and so is a number with all its digits; one with fewer
    is not. Who dictates pauses between groups.
    """
    if expected.answer == "yes_no":
        return done if slots.yes_no(text) is None else max(done, SURE)
    if expected.answer not in ("digits", "letters", "email"):
        return done
    said = values.at_end(expected.answer, text)
    if said and said == expected.max_length:
        return max(done, SURE)
    return min(done, SURELY_MORE if 0 < said < expected.min_length else MAYBE_MORE)
