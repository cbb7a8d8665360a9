"""What callers say of the floor itself in any trade: "go on", "let me speak", "wait". floor.json has them."""

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import chain
from typing import Literal

from voice_agent import spoken

Kind = Literal["", "backchannel", "stop", "words"]
"""Nothing; "I am listening"; "let me speak"; anything else."""
Tokens = tuple[str, ...]


@dataclass(frozen=True)
class Phrases:
    """Of all languages at once: a caller of one language knows others, and no phrase means two things."""

    backchannels: frozenset[Tokens]
    """A text that is made of these alone is a sign of listening."""
    stops: frozenset[Tokens]
    """A text that begins or ends with one wants the floor at once."""

    def kind(self, text: str, final: bool = True) -> Kind:
        """What a text that was said over the agent's voice is. One that is not `final` may go on: "i" counts
        as the beginning of "i see"."""
        tokens = tokens_of(text)
        if not tokens:
            return ""
        made_of = self._cuts(tokens)
        if len(tokens) in made_of:
            return "backchannel"
        if any(tokens[: len(stop)] == stop or tokens[-len(stop) :] == stop for stop in self.stops):
            return "stop"
        may_become = not final and any(tokens[start:] in self._beginnings for start in made_of)
        return "backchannel" if may_become else "words"

    def _cuts(self, tokens: Tokens) -> set[int]:
        """After how many tokens the text can be cut so that what is before is backchannels without a rest."""
        reachable = {0}
        for end in range(1, len(tokens) + 1):
            if any(tokens[start:end] in self.backchannels for start in reachable):
                reachable.add(end)
        return reachable

    @cached_property
    def _beginnings(self) -> frozenset[Tokens]:
        return frozenset(phrase[:end] for phrase in self.backchannels for end in range(1, len(phrase)))

    def with_more(self, backchannels: Iterable[str], stops: Iterable[str]) -> "Phrases":
        """These and a vertical's own; its own word counts where both name a phrase."""
        never, always = frozenset(map(tokens_of, backchannels)), frozenset(map(tokens_of, stops))
        return Phrases((self.backchannels | never) - always, (self.stops | always) - never)


def tokens_of(text: str) -> Tokens:
    """The words of a text, a Chinese character each, without case, punctuation and width."""
    text = unicodedata.normalize("NFKC", text).lower()
    words = (text[start:end] for start, end in spoken.word_spans(text))
    return tuple(word for raw in words if (word := "".join(c for c in raw if c.isalnum() or c in "'’")))


@cache
def common_phrases() -> Phrases:
    """Those that mean the same in every conversation."""
    every = _by_language().values()
    return Phrases(frozenset(), frozenset()).with_more(
        chain.from_iterable(kinds["backchannels"] for kinds in every),
        chain.from_iterable(kinds["stops"] for kinds in every),
    )


def sentences(language: str) -> list[str]:
    """All phrases of a language, for a recogniser that must know what callers may say; none twice."""
    return list(dict.fromkeys(chain.from_iterable(_by_language().get(language, {}).values())))


@cache
def _by_language() -> Mapping[str, Mapping[str, list[str]]]:
    file = files("voice_agent.dialogue").joinpath("floor.json")
    phrases: dict[str, dict[str, list[str]]] = json.loads(file.read_text("utf-8"))
    return phrases
