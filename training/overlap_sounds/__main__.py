"""`python -m training.overlap_sounds` trains and writes the weights; with `--check` it only tries them."""

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from extensions.turn import _sounds
from extensions.turn._sounds.model import WEIGHTS, Weights, read
from training.overlap_sounds.data import KINDS, Examples, examples
from training.overlap_sounds.fit import fit

SEEDS = (1, 2, 3, 4, 5, 6)
"""A stock of sounds for each."""
SHARE = 0.5
TRIED = 100
"""The seed of the sounds that the weights are tried on."""


def main() -> None:
    """Train, or check, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m training.overlap_sounds", description=__doc__)
    parser.add_argument("--check", action="store_true", help="try the weights as they are")
    arguments = parser.parse_args()
    path = Path(_sounds.__file__).with_name(WEIGHTS)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, max_tasks_per_child=1) as pool:
        tried = pool.submit(examples, TRIED, SHARE, True)
        if not arguments.check:
            stocks = pool.map(examples, SEEDS, [SHARE] * len(SEEDS))
            fit(joined(list(stocks)), 1).save(path)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
        print(report(read(path), tried.result()))


def joined(stocks: list[Examples]) -> Examples:
    """Several stocks as one."""
    firsts = np.cumsum([0, *(int(stock.clips.max()) + 1 for stock in stocks[:-1])])
    clips = [stock.clips + first for stock, first in zip(stocks, firsts, strict=True)]
    return Examples(
        *map(np.concatenate, zip(*(stock[:3] for stock in stocks), strict=True)), np.concatenate(clips)
    )


def report(weights: Weights, tried: Examples) -> str:
    """How often each kind is taken for each, after 0.3, 0.45 and 0.6 s."""
    found = np.array([weights.kinds(summary) for summary in tried.summaries])
    lines = []
    for first, last in ((13, 17), (20, 25), (28, 33)):
        lines.append(f"{first * 20}-{last * 20} ms     " + "".join(f"{name:>11}" for name in KINDS))
        for kind, name in enumerate(KINDS):
            chosen = (tried.kinds == kind) & (tried.frames >= first) & (tried.frames <= last)
            taken = np.bincount(found[chosen].argmax(axis=1), minlength=len(KINDS)) / max(1, chosen.sum())
            lines.append(
                f"{name:11} n {chosen.sum():4}" + "".join(f"{100 * share:10.0f}%" for share in taken)
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
