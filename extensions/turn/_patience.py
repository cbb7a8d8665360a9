"""How long to wait in the caller's silence before it is an answer's turn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from extensions.turn._words import Finish, Label
from voice_agent.dialogue import slots
from voice_agent.dialogue.floor import Tokens, tokens_of
from voice_agent.message import Answer

TOO_EARLY = 1.25
"""Each time the caller went on after the agent thought he had ended, it waits so much longer,"""
IN_TIME = 0.97
"""and each time it was right, so much less,"""
SLOWEST = 2.0
"""but never more than twice as long as at first."""
SURE, MAYBE_MORE = 0.95, 0.6
"""Probabilities that the caller is done which follow from what was asked, or is always asked."""
BELIEVED = 0.4
"""Words of which the recogniser is less sure tell nothing."""
UNKNOWN = 0.35
"""Probability that the caller is done where the words tell nothing."""
NOTHING_UNDERSTOOD: Mapping[Label, float] = {"finished": UNKNOWN, "unfinished": 1 - UNKNOWN, "wait": 0.0}


class Waiting(NamedTuple):
    """For how long, and for what."""

    seconds: float
    finished: float
    """Probability that the caller is done."""
    hold: bool
    """He asks the agent to wait."""
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
    expected: Answer = "free"
    """What the agent has asked for last."""
    pace: float = 1.0
    """How much more time than others this caller takes, 1..2."""
    _judged: tuple[tuple[str, str, float, Answer], Waiting] | None = field(default=None, repr=False)

    def wait(self, text: str, language: str, confidence: float = 1.0) -> Waiting:
        """After this text, of which the recogniser is so sure."""
        key = (text, language, confidence, self.expected)
        if self._judged is None or self._judged[0] != key:
            self._judged = key, self._judge(text, language, confidence)
        waiting = self._judged[1]
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
        return Waiting(self.least_s * (self.most_s / self.least_s) ** (1 - done), done, hold, aside)


def _with_expectation(done: float, text: str, expected: Answer) -> float:
    """A short answer to a yes-or-no question is whole. Who dictates pauses between groups."""
    if expected == "yes_no" and slots.yes_no(text) is not None:
        return max(done, SURE)
    return min(done, MAYBE_MORE) if expected in ("digits", "letters", "email") else done
