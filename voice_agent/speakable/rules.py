"""How a text becomes speakable: rules that each find something written and tell what is said for it."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text as it is to be said aloud."""

    text: str
    origin: tuple[int, ...]
    """For each of its characters the place in the written text that it comes from; never falls."""


class Piece(NamedTuple):
    """Something to be said, for what is written at a place."""

    said: str
    at: int
    copied: bool = False
    """It is what is written there, character for character."""


class Rule(NamedTuple):
    """What to say for each match of a pattern, which never matches "". Pieces come in the text's order."""

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], Iterable[Piece]]


def rule(pattern: str, say: Callable[[re.Match[str]], Iterable[Piece] | str]) -> Rule:
    """A rule by a verbose pattern; a string that `say` returns stands for the whole match."""

    def pieces(match: re.Match[str]) -> Iterable[Piece]:
        said = say(match)
        return [Piece(said, match.start())] if isinstance(said, str) else said

    return Rule(re.compile(pattern, re.IGNORECASE | re.MULTILINE | re.VERBOSE), pieces)


def copied(match: re.Match[str], group: str) -> Piece:
    """A group as it is written; empty if it is not there."""
    return Piece(match[group] or "", max(match.start(group), match.start()), True)


def apply(rules: Iterable[Rule], text: str) -> Spoken:
    """Go through the text once: where several rules match, the earlier place wins, then the earlier rule."""
    pieces: list[Piece] = []
    at = 0
    for match, found in _matches(list(rules), text):
        pieces.append(Piece(text[at : match.start()], at, True))
        pieces += found.say(match)
        at = match.end()
    pieces.append(Piece(text[at:], at, True))
    origin = [piece.at + piece.copied * index for piece in pieces for index in range(len(piece.said))]
    return Spoken("".join(piece.said for piece in pieces), tuple(origin))


def _matches(rules: list[Rule], text: str) -> Iterator[tuple[re.Match[str], Rule]]:
    at = 0
    coming = [each.pattern.search(text) for each in rules]
    while True:
        for index, match in enumerate(coming):
            if match and match.start() < at:
                coming[index] = rules[index].pattern.search(text, at)
        found = [(match.start(), index) for index, match in enumerate(coming) if match]
        if not found:
            return
        index = min(found)[1]
        first = coming[index]
        assert first is not None
        yield first, rules[index]
        at = first.end()
