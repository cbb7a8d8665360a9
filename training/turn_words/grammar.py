"""Lines that stand for many: alternatives "(a|b|)", slots "<item>", and "/" where a stop is no end.

    i'd like to / return / <item> (please|)

A slot's alternatives are a line "item: a | b" of slots.txt. All that is drawn depends on the seed alone.
"""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CUT = "/"
BETWEEN_CHARACTERS = re.compile(r"(?<=[^ -~]) | (?=[^ -~])")
PART = re.compile(r"[()|]|<\w+>|[^()|<]+")


@dataclass
class Choice:
    """Alternatives, taken in turn in a shuffled order, so that a few draws show them all."""

    alternatives: list["Sequence"]

    def __post_init__(self) -> None:
        self._waiting: list[Sequence] = []

    def draw(self, rng: random.Random) -> str:
        """One of the alternatives as text with its cuts."""
        if not self._waiting:
            self._waiting = rng.sample(self.alternatives, len(self.alternatives))
        return self._waiting.pop().draw(rng)

    def width(self) -> int:
        """How many draws show every alternative."""
        return sum(alternative.width() for alternative in self.alternatives)


@dataclass
class Sequence:
    """Texts and choices, one after the other."""

    parts: list["str | Choice"]

    def draw(self, rng: random.Random) -> str:
        """The sequence as text with its cuts."""
        return "".join(part if isinstance(part, str) else part.draw(rng) for part in self.parts)

    def width(self) -> int:
        """The width of its widest choice; 1 for plain text."""
        return max((part.width() for part in self.parts if isinstance(part, Choice)), default=1)


def parse(line: str, slots: Mapping[str, Choice]) -> Sequence:
    """Read a line. Raises ValueError for a slot that is not there or a parenthesis without its pair."""
    found = PART.findall(line)
    sequence, rest = _sequence(found, slots)
    if rest or "".join(found) != line:
        raise ValueError(f"expected pairs of parentheses and slots, got {line!r}")
    return sequence


def _sequence(parts: list[str], slots: Mapping[str, Choice]) -> tuple[Sequence, list[str]]:
    sequence = Sequence([])
    while parts and parts[0] not in ("|", ")"):
        head, parts = parts[0], parts[1:]
        if head == "(":
            alternatives = []
            while True:
                alternative, parts = _sequence(parts, slots)
                alternatives.append(alternative)
                if not parts:
                    raise ValueError("expected a closing parenthesis, got the end of the line")
                closed, parts = parts[0] == ")", parts[1:]
                if closed:
                    break
            sequence.parts.append(Choice(alternatives))
        elif head.startswith("<"):
            name = head[1:-1]
            if name not in slots:
                raise ValueError(f"expected one of the slots {', '.join(slots)}, got {name!r}")
            sequence.parts.append(slots[name])
        else:
            sequence.parts.append(head)
    return sequence, parts


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a data file, without comments and empty ones."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


def read_slots(path: Path) -> dict[str, Choice]:
    """Slots by name; a slot may use those above it."""
    slots: dict[str, Choice] = {}
    for line in read_lines(path):
        name, _, alternatives = line.partition(":")
        slots[name] = Choice([parse(part.strip(), slots) for part in alternatives.split("|")])
    return slots


def without_cuts(drawn: str, spaced: bool) -> str:
    """The text as it is said; `spaced` where spaces part words."""
    plain = " ".join(drawn.replace(CUT, " " if spaced else "").split())
    return plain if spaced else BETWEEN_CHARACTERS.sub("", plain)


def cuts(drawn: str, spaced: bool) -> list[str]:
    """What has been said at each cut, shortest first."""
    ends = [match.start() for match in re.finditer(re.escape(CUT), drawn)]
    return [text for end in ends if (text := without_cuts(drawn[:end], spaced))]
