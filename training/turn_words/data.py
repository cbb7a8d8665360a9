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
FINISHED = LABELS.index("finished")
STOPS = (".", "。")
"""In said.txt: where a speaker who stops may have finished."""
STOP_COUNTS = 6.0
"""How much a finished beginning of those counts; there are fewer of them than of unfinished ones."""
SUBJECTS = ("SUBJ", "YOU", "IT", "IM", "IVE", "POSS", "ART", "NOUN", "NOBODY", "DEM")
BEGUN = 5
"""Words of the longest unfinished beginning that is put after a finished clause."""
SUBORDINATE = {
    "en": [
        ("if", ["", "then"]), ("when", [""]), ("whenever", [""]), ("since", [""]), ("after", [""]),
        ("before", [""]), ("although", [""]), ("even though", [""]), ("unless", [""]), ("while", [""]),
        ("as soon as", [""]), ("once", [""]), ("until", [""]), ("every time", [""]), ("even if", [""]),
        ("now that", [""]), ("in case", [""]), ("the last time", [""]), ("as long as", [""]),
        ("not only that but because", [""]),
    ],
    "zh": [
        ("如果", ["", "那", "就", "的话"]), ("要是", ["", "那", "的话"]), ("虽然", ["但是", "可是", ""]),
        ("既然", ["那", ""]), ("因为", ["所以", ""]), ("自从", ["以后", ""]), ("每次", ["的时候", ""]),
        ("只要", ["就", ""]), ("万一", ["", "那"]), ("不但", ["而且"]), ("尽管", ["但是", ""]),
        ("等", ["以后", "之后"]), ("当", ["的时候"]), ("就算", ["", "也"]), ("不是", ["而是", "是"]),
        ("除非", ["不然", "否则"]), ("由于", ["所以", ""]),
        ("昨天", ["的时候", "之后"]), ("听说", ["可是", ""]),
    ],
}  # fmt: skip
"""What opens a clause that waits for another, and what may stand between the two."""
LATER = {
    "en": [
        "but",
        "because",
        "so",
        "although",
        "and",
        "and then",
        "which means",
        "except that",
        "until",
        "and now",
    ],
    "zh": ["但是", "因为", "所以", "可是", "然后", "而且", "不过", "结果", "后来", "没想到", "可"],
}
"""What joins a clause to a finished one."""
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
    importance: float = 1.0
    """How much it counts in training."""


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
    said = said_examples(FOLDER / language / "said.txt", spaced)
    for text, label, _ in [*said, *_joined(said, language, rng)]:
        if label == FINISHED or text not in labels:
            labels.setdefault(text, set()).add(label)
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
    counts = {text: importance for text, _, importance in said}
    return [
        Example(text, min(found), counts.get(text, 1.0))
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


def held_out_beginnings(language: str) -> list[Example]:
    """Every beginning of sentences of fields that no sentence of said.txt is about."""
    return said_examples(HELD_OUT / f"{language}_said.txt", spaced=language == "en")


def said_examples(path: Path, spaced: bool) -> list[Example]:
    """Every beginning of the sentences of a file: finished before a full stop, unfinished elsewhere."""
    found: dict[str, int] = {}
    for line in grammar.read_lines(path):
        words: list[str] = []
        for word in line.split():
            text = (" " if spaced else "").join(words)
            if word in STOPS:
                found[text] = FINISHED
            elif words and found.get(text) != FINISHED:
                found[text] = UNFINISHED
            if word not in STOPS:
                words.append(word)
    return [Example(text, label, STOP_COUNTS if label == FINISHED else 1.0) for text, label in found.items()]


def _joined(said: Sequence[Example], language: str, rng: random.Random) -> list[Example]:
    """Subordinate clauses without a main clause, which are unfinished, and with one, which are finished."""
    clauses = [text for text, label, _ in said if label == FINISHED and _is_statement(text, language)]
    begun = [text for text, label, _ in said if label == UNFINISHED and len(tokens(text)) <= BEGUN]
    between = " " if language == "en" else ""
    found = []
    for clause in clauses:
        for opener, middles in rng.sample(SUBORDINATE[language], 4):
            opened = opener + between + clause
            found.append(Example(opened, UNFINISHED))
            middle = rng.choice(middles)
            whole = opened + between * bool(middle) + middle + between + rng.choice(clauses)
            found.append(Example(whole, FINISHED))
            if middle:
                found.append(Example(opened + between + middle, UNFINISHED))
        later = rng.choice(LATER[language])
        found.append(Example(clause + between + later, UNFINISHED))
        found.append(Example(clause + between + later + between + rng.choice(clauses), FINISHED))
        joins = (later, rng.choice(LATER[language]), "" if language == "zh" else "and")
        found += [
            Example(clause + between * bool(join) + join + between + rng.choice(begun), UNFINISHED)
            for join in joins
        ]
    return found


def _is_statement(text: str, language: str) -> bool:
    """Whether a short finished text can be a clause of a longer one: it begins with its subject."""
    words = tokens(text)
    if not 3 <= len(words) <= (10 if language == "en" else 14):
        return False
    asks = any(word.kind in ("MA", "WHAT", "NE") for word in words) if language == "zh" else False
    return not asks and words[0].kind in SUBJECTS and not any(w.kind in ("IF", "BECAUSE") for w in words)


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
