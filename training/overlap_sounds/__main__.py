"""`python -m training.overlap_sounds` trains and writes the weights; with `--check` it only tries them."""

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np

from extensions.turn import _sounds
from extensions.turn._overlap import LIKELY
from extensions.turn._sounds.model import WEIGHTS, Weights, read
from training.overlap_sounds.data import KINDS, Examples, examples, joined
from training.overlap_sounds.fit import fit

SEEDS = (1, 2, 3, 4, 5, 6)
"""A stock of sounds for each."""
SHARE = 0.5
"""How large a stock is, 1 being about 1,250 sounds."""
TRIED = 100
"""The seed of the sounds that the weights are tried on."""


def main() -> None:
    """Train, or check, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m training.overlap_sounds", description=__doc__)
    parser.add_argument("--check", action="store_true", help="try the weights as they are")
    parser.add_argument("--weights", type=Path, default=Path(_sounds.__file__).with_name(WEIGHTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="a stock of sounds for each")
    parser.add_argument("--share", type=float, default=SHARE, help="how large a stock is")
    arguments = parser.parse_args()
    path, share = arguments.weights, arguments.share
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, max_tasks_per_child=1) as pool:
        tried = pool.submit(examples, TRIED, share, True)
        if not arguments.check:
            stocks = pool.map(examples, arguments.seeds, repeat(share))
            fit(joined(list(stocks)), 1).save(path)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
        print(report(read(path), tried.result()))


def report(weights: Weights, tried: Examples) -> str:
    """How often each kind is taken for each with a probability from LIKELY, after 0.3, 0.45 and 0.6 s."""
    likely = np.array([weights.kinds(summary) for summary in tried.summaries]) >= LIKELY
    lines = []
    for first, last in ((13, 17), (20, 25), (28, 33)):
        lines.append(f"{first * 20}-{last * 20} ms     " + "".join(f"{name:>11}" for name in KINDS))
        for kind, name in enumerate(KINDS):
            chosen = (tried.kinds == kind) & (tried.frames >= first) & (tried.frames <= last)
            taken = likely[chosen].sum(axis=0) / max(1, chosen.sum())
            shares = "".join(f"{100 * share:10.0f}%" for share in taken)
            lines.append(f"{name:11} n {chosen.sum():4}{shares}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
