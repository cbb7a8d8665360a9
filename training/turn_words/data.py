"""Training texts with their labels, from the data files of a language."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from extensions.turn._words.model import ASIDE, LABELS
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


ASIDE_LABEL = len(LABELS)
"""That of a text which is meant for somebody else, whatever it is."""


class Example(NamedTuple):
    """A text and what it is."""

    text: str
    label: int
    """Index into LABELS, or ASIDE_LABEL."""
    importance: float = 1.0
    """How much it counts in training."""
    group: str = ""
    """The line of the data files that it was made of: what is learned from one must hold for others."""


def training_examples(language: str, seed: int = 1) -> list[Example]:
    """All training texts of a language, each once; none that is held out, or was drawn with two labels."""
    rng = random.Random(f"{seed}{language}")
    folder = FOLDER / language
    slots = grammar.read_slots(folder / "slots.txt")
    spaced = language == "en"
    long = _plain(folder / "long.txt")
    finished = _draw(folder / "finished.txt", slots, rng) | long
    whole = {grammar.without_cuts(text, spaced): group for text, group in finished.items()}
    some = list(whole)[:: max(1, len(whole) // WHOLES_USED)]
    slots[WHOLES] = grammar.Choice([grammar.Sequence([f" {text} "]) for text in some])
    drawn = _Drawn()
    for text, group in whole.items():
        drawn.add(text, FINISHED, group)
    said = said_examples(folder / "said.txt", spaced)
    for example in [*said, *_joined(said, language, rng)]:
        if example.label == FINISHED or example.text not in drawn.labels:
            drawn.add(example.text, example.label, example.group)
    for name in LABELS[1:]:
        for text, group in _draw(folder / f"{name}.txt", slots, rng).items():
            drawn.add(grammar.without_cuts(text, spaced), LABELS.index(name), group)
    certain = set(drawn.labels)
    for text, group in finished.items():
        begun = grammar.cuts(text, spaced) + (_after_open_words(text) if spaced else [])
        for cut in begun if text in long else rng.sample(begun, min(CUTS_A_TEXT, len(begun))):
            if cut not in certain:
                drawn.labels[cut] = {UNFINISHED}
                drawn.groups[cut] = group
    spared = {example.text for example in held_out_examples(language)}
    return drawn.examples(spared, {example.text: example.importance for example in said})


class _Drawn:
    """Texts with the labels they were drawn with."""

    def __init__(self) -> None:
        self.labels: dict[str, set[int]] = {}
        self.groups: dict[str, str] = {}
        """The first line that a text was made of."""

    def add(self, text: str, label: int, group: str) -> None:
        self.labels.setdefault(text, set()).add(label)
        self.groups.setdefault(text, group)

    def examples(self, spared: set[str], importance: Mapping[str, float]) -> list[Example]:
        """Those of one label."""
        return [
            Example(text, min(found), importance.get(text, 1.0), self.groups[text])
            for text, found in self.labels.items()
            if len(found) == 1 and text and text not in spared
        ]


def asides(language: str, seed: int = 1) -> list[Example]:
    """What is said to somebody else, and for each text one of its beginnings."""
    rng = random.Random(f"{seed}{language}{ASIDE}")
    folder = FOLDER / language
    spaced = language == "en"
    between = " " if spaced else ""
    spared = {example.text for example in held_out_asides(language)}
    found: dict[str, Example] = {}
    for drawn, group in _draw(folder / f"{ASIDE}.txt", grammar.read_slots(folder / "slots.txt"), rng).items():
        text = grammar.without_cuts(drawn, spaced)
        words = text.split() if spaced else [word.text for word in tokens(text)]
        begun = between.join(words[: rng.randint(2, len(words))] if len(words) > 2 else words)
        for one in (text, begun):
            if one not in spared:
                found.setdefault(one, Example(one, ASIDE_LABEL, group=group))
    return list(found.values())


def held_out_asides(language: str, folder: Path = HELD_OUT) -> list[Example]:
    """The lines of LANGUAGE_aside.txt in a folder, if it has one."""
    path = folder / f"{language}_{ASIDE}.txt"
    return [Example(line, ASIDE_LABEL) for line in grammar.read_lines(path)] if path.exists() else []


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
    found: dict[str, Example] = {}
    for number, line in enumerate(grammar.read_lines(path)):
        words: list[str] = []
        for word in line.split():
            text = (" " if spaced else "").join(words)
            if word in STOPS:
                found[text] = Example(text, FINISHED, STOP_COUNTS, f"{path.stem}{number}")
            else:
                if words and (text not in found or found[text].label != FINISHED):
                    found[text] = Example(text, UNFINISHED, 1.0, f"{path.stem}{number}")
                words.append(word)
    return list(found.values())


def _joined(said: Sequence[Example], language: str, rng: random.Random) -> list[Example]:
    """Subordinate clauses without a main clause, which are unfinished, and with one, which are finished."""
    whole = [
        example for example in said if example.label == FINISHED and _is_statement(example.text, language)
    ]
    clauses = [example.text for example in whole]
    begun = [text for text, label, *_ in said if label == UNFINISHED and len(tokens(text)) <= BEGUN]
    between = " " if language == "en" else ""
    found = []
    for clause, _, _, group in whole:
        for opener, middles in rng.sample(SUBORDINATE[language], 4):
            opened = opener + between + clause
            found.append(Example(opened, UNFINISHED, 1.0, group))
            middle = rng.choice(middles)
            both = opened + between * bool(middle) + middle + between + rng.choice(clauses)
            found.append(Example(both, FINISHED, 1.0, group))
            if middle:
                found.append(Example(opened + between + middle, UNFINISHED, 1.0, group))
        later = rng.choice(LATER[language])
        found.append(Example(clause + between + later, UNFINISHED, 1.0, group))
        found.append(Example(clause + between + later + between + rng.choice(clauses), FINISHED, 1.0, group))
        joins = (later, rng.choice(LATER[language]), "" if language == "zh" else "and")
        found += [
            Example(
                clause + between * bool(join) + join + between + rng.choice(begun), UNFINISHED, 1.0, group
            )
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


def _draw(path: Path, slots: dict[str, grammar.Choice], rng: random.Random) -> dict[str, str]:
    """Texts with their cuts, and the line that each was drawn from."""
    drawn: dict[str, str] = {}
    for number, line in enumerate(grammar.read_lines(path)):
        sequence = grammar.parse(line, slots)
        plain = sequence.width() == 1
        for _ in range(1 if plain else min(MAX_DRAWS, sequence.width() * REPEATS)):
            drawn.setdefault(sequence.draw(rng), f"{path.stem}{number}")
    return drawn


def _plain(path: Path) -> dict[str, str]:
    """Lines that stand for themselves alone."""
    return {line: f"{path.stem}{number}" for number, line in enumerate(grammar.read_lines(path))}


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
