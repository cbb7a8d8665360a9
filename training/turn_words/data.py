"""Training texts with their labels, from the data files of a language."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from extensions.turn._words.model import LABELS
from extensions.turn._words.tokens import tokens
from training.turn_words import grammar

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "zh")
MAX_DRAWS = 1500
"""Of one line."""
REPEATS = 3
"""How often each alternative of a line is shown, beside different others."""
CUTS_A_TEXT = 2
"""Of those drawn; long.txt is cut wherever it can be."""
UNFINISHED = LABELS.index("unfinished")
WHOLES = "whole"
"""The slot for a finished text of the same language."""
WHOLES_USED = 400
OPEN_KINDS = {
    "ART", "POSS", "AND", "BUT", "BECAUSE", "IF", "OF", "FOR", "PREP", "IM", "IVE", "QUANT", "TENS",
    "TO", "SUBJ", "MODAL", "WANT",
}  # fmt: skip
"""An English text that is cut after a word of these classes is not finished, if more did follow."""
HELD_OUT = FOLDER / "held_out"


class Example(NamedTuple):
    """A text and what it is."""

    text: str
    label: int
    """Index into LABELS."""


def training_examples(language: str, seed: int = 1) -> list[Example]:
    """All training texts of a language, each once; none that is held out, or was drawn with two labels."""
    rng = random.Random(f"{seed}{language}")
    slots = grammar.read_slots(FOLDER / language / "slots.txt")
    spaced = language == "en"
    long = set(grammar.read_lines(FOLDER / language / "long.txt"))
    finished = [*_draw(FOLDER / language / "finished.txt", slots, rng), *sorted(long)]
    whole = [grammar.without_cuts(text, spaced) for text in finished]
    some = whole[:: max(1, len(whole) // WHOLES_USED)]
    slots[WHOLES] = grammar.Choice([grammar.Sequence([f" {text} "]) for text in some])
    labels: dict[str, set[int]] = {}
    for text in whole:
        labels.setdefault(text, set()).add(0)
    for label in (1, 2):
        for text in _draw(FOLDER / language / f"{LABELS[label]}.txt", slots, rng):
            labels.setdefault(grammar.without_cuts(text, spaced), set()).add(label)
    certain = set(labels)
    for text in finished:
        begun = grammar.cuts(text, spaced) + (_after_open_words(text) if spaced else [])
        for cut in begun if text in long else rng.sample(begun, min(CUTS_A_TEXT, len(begun))):
            if cut not in certain:
                labels[cut] = {UNFINISHED}
    spared = {example.text for example in held_out_examples(language)}
    return [
        Example(text, min(found))
        for text, found in labels.items()
        if len(found) == 1 and text and text not in spared
    ]


def held_out_examples(language: str, folder: Path = HELD_OUT) -> list[Example]:
    """The lines of LANGUAGE_LABEL.txt in a folder, which nothing was trained on."""
    return [
        Example(line, index)
        for index, label in enumerate(LABELS)
        for line in grammar.read_lines(folder / f"{language}_{label}.txt")
    ]


def _draw(path: Path, slots: dict[str, grammar.Choice], rng: random.Random) -> list[str]:
    drawn: dict[str, None] = {}
    for line in grammar.read_lines(path):
        sequence = grammar.parse(line, slots)
        plain = sequence.width() == 1
        for _ in range(1 if plain else min(MAX_DRAWS, sequence.width() * REPEATS)):
            drawn[sequence.draw(rng)] = None
    return list(drawn)


def _after_open_words(drawn: str) -> list[str]:
    """Where an English text can be cut because its last word asks for another."""
    words = grammar.without_cuts(drawn, spaced=True).split()
    return [
        " ".join(words[: at + 1])
        for at in range(len(words) - 1)
        if (found := tokens(words[at])) and found[0].kind in OPEN_KINDS
    ]


def counts(examples: Sequence[Example]) -> list[int]:
    """How many examples each label has."""
    return [sum(example.label == label for example in examples) for label in range(len(LABELS))]
