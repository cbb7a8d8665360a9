"""What a vertical says alike in every call, so that a voice can have it ready before the first one.

A text with slots is fixed between them: of "I can't find order {order_number}. Could you say it again?" the
second clause. What stands in a slot is a caller's own, and never among these.
"""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from voice_agent.clauses import Cutter
from voice_agent.dialogue import protected
from voice_agent.dialogue.schema import Variants
from voice_agent.dialogue.vertical import Vertical, load_vertical

VALUE = "\ua66e"
"""Stands for a slot's value while a text is cut: a letter that no text of a vertical holds."""
VALUE_LENGTHS = (1, 20)
"""Where a text is cut after a slot depends on how long the value is."""


@dataclass(frozen=True)
class FixedTexts:
    """Those of one language."""

    clauses: tuple[str, ...]
    """What `text.clause`, as it is configured by default, makes of them; the greeting first."""
    runs: str
    """Every stretch of text without a slot in it, a line each."""

    def __contains__(self, clause: object) -> bool:
        """Whether a clause, however it was cut, tells nothing of a caller."""
        return isinstance(clause, str) and clause in self.runs


@cache
def fixed_texts(name_or_path: str, language: str) -> FixedTexts:
    """The fixed texts of a vertical. Raises GraphError when the vertical is not in order."""
    texts = dict.fromkeys(_templates(load_vertical(name_or_path), language))
    templates = list(dict.fromkeys(piece for text in texts for piece, _ in protected.pieces(text)))
    clauses = dict.fromkeys(clause for template in templates for clause in _clauses(template))
    runs = (" ".join(run.split()) for template in templates for run in _filled(template, "\n").split("\n"))
    return FixedTexts(tuple(clauses), "\n".join(runs))


def _clauses(template: str) -> Iterator[str]:
    """Cut a text as the beginning of a reply and as its continuation, which has longer clauses."""
    for length in VALUE_LENGTHS:
        for cutter in (Cutter(), Cutter(first_min_chars=Cutter.min_chars)):
            clauses = cutter.push(_filled(template, VALUE * length), complete=True)
            yield from (clause for clause in clauses if clause and VALUE not in clause)


def _filled(template: str, value: str) -> str:
    parts = string.Formatter().parse(template)
    return "".join(literal + (value if slot is not None else "") for literal, slot, _, _ in parts)


def _templates(vertical: Vertical, language: str) -> Iterator[str]:
    """All that the agent may say, what is said most first."""
    yield vertical.greeting[language]
    for _, phrase in vertical.phrases[language]:
        yield from [phrase] if isinstance(phrase, str) else phrase
    variants: list[Variants] = [intent.answers for intent in vertical.intents]
    for flow in vertical.flows:
        variants += [flow.confirm, flow.refused, *flow.done.values()]
        variants += flow.stop.say.values() if flow.stop else []
        variants += [text for q in flow.questions for text in (q.ask, q.again, q.more, q.unknown)]
    for by_language in variants:
        yield from by_language.get(language, ())
