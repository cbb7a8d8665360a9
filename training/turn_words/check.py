"""How good the weights are on lines they were not trained on."""

import time
from collections.abc import Sequence
from pathlib import Path

from extensions.turn._words import classify
from extensions.turn._words.model import LABELS
from training.turn_words import data


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
        lines.append(f"{language} a line takes {took_ms:.2f} ms")
        if show_wrong:
            lines += [
                f"  {LABELS[ex.label]} taken for {f.label} ({f.probability:.2f}): {ex.text}"
                for ex, f in wrong
            ]
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part:4} of {whole:4}  {part / max(1, whole):6.1%}"
