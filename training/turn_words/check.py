"""How good the weights are on lines they were not trained on."""

import time
from collections.abc import Sequence
from pathlib import Path

from extensions.turn._words import classify
from extensions.turn._words.model import ASIDE, LABELS
from training.turn_words import data

SURELY = 0.9
"""Probability from which the turn node drops what was said to somebody else."""


def recalls(examples: Sequence[data.Example]) -> list[tuple[int, int]]:
    """Of each label, how many lines are judged right and how many there are."""
    found = []
    for index, label in enumerate(LABELS):
        lines = [example.text for example in examples if example.label == index]
        found.append((sum(classify(line).label == label for line in lines), len(lines)))
    return found


def report(folder: Path, show_wrong: bool = False) -> str:
    """Of each language: how many of each label are judged right, how many others are taken for a request to
    wait, and what a decision takes.
    """
    lines = []
    for language in data.LANGUAGES:
        examples = data.held_out_examples(language, folder)
        for label, (right, count) in zip(LABELS, recalls(examples), strict=True):
            lines.append(f"{language} {label:11} {_share(right, count)}")
        began_s = time.perf_counter()
        judged = [classify(example.text) for example in examples]
        took_ms = (time.perf_counter() - began_s) * 1000 / len(examples)
        pairs = zip(examples, judged, strict=True)
        wrong = [(ex, found) for ex, found in pairs if found.label != LABELS[ex.label]]
        others = sum(LABELS[example.label] != "wait" for example in examples)
        lines.append(f"{language} false holds {_share(sum(f.label == 'wait' for _, f in wrong), others)}")
        asides = [classify(example.text).aside for example in data.held_out_asides(language, folder)]
        if asides:
            taken = sum(one >= SURELY for one in asides)
            lines.append(f"{language} {ASIDE:11} {_share(taken, len(asides))}, surely")
        for index, label in enumerate(LABELS):
            lost = sum(f.aside >= SURELY for ex, f in zip(examples, judged, strict=True) if ex.label == index)
            count = sum(ex.label == index for ex in examples)
            lines.append(f"{language} {label:11} {_share(lost, count)} surely taken for asides")
        lines.append(f"{language} a line takes {took_ms:.2f} ms")
        if show_wrong:
            lines += [
                f"  {LABELS[ex.label]} taken for {f.label} ({f.probability:.2f}): {ex.text}"
                for ex, f in wrong
            ]
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part:4} of {whole:4}  {part / max(1, whole):6.1%}"
