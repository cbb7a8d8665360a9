"""`python -m training.turn_words` trains and writes the weights; with `--check` it only tries them."""

import argparse
from pathlib import Path

from extensions.turn import _words
from extensions.turn._words.model import WEIGHTS, shipped
from training.turn_words import check, data
from training.turn_words.train import SEED, train


def main() -> None:
    """Train, or check, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m training.turn_words", description=__doc__)
    parser.add_argument("--check", action="store_true", help="try the weights as they are")
    parser.add_argument(
        "--folder", type=Path, default=data.HELD_OUT, help="with LANGUAGE_LABEL.txt files to try them on"
    )
    parser.add_argument("--wrong", action="store_true", help="print the lines that are judged wrong")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    if not arguments.check:
        path = Path(_words.__file__).with_name(WEIGHTS)
        train(arguments.seed).save(path)
        shipped.cache_clear()
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    print(check.report(arguments.folder, arguments.wrong))


if __name__ == "__main__":
    main()
