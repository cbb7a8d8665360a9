"""The weights and what they say: softmax regression over hashed features, calibrated for each language.

Whom the words are meant for is asked apart from what they are: a logistic regression over the same features.
"""

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from extensions.turn._words.features import keys
from extensions.turn._words.tokens import tokens

Floats = npt.NDArray[np.float32]
LABELS = ("finished", "unfinished", "wait")
ASIDE = "aside"
WEIGHTS = "weights.npz"


@dataclass(frozen=True)
class Weights:
    """What training makes, and the package carries."""

    keys: npt.NDArray[np.uint32]
    """Hashes of the known features, ascending; shape (n,)."""
    values: npt.NDArray[np.int8]
    """Their weights in steps of `step`; shape (n, 4): a column for each of LABELS, one for ASIDE."""
    step: float
    temperature: Floats
    """What evidence is divided by, for English and Chinese; found on texts not trained on. Shape (2, 4)."""
    offset: Floats
    """What is added to it then; shape (2, 4)."""

    def evidence(self, text: str) -> Floats:
        """Sum of the weights of a text's features, those never seen left out; shape (4,)."""
        found = keys(text)
        at = np.searchsorted(self.keys, found)
        at[at == len(self.keys)] = 0
        known = at[self.keys[at] == found]
        total: Floats = self.values[known].sum(axis=0, dtype=np.float32) * np.float32(self.step)
        return total

    def save(self, path: Path) -> None:
        """Write to a compressed file that holds arrays only."""
        np.savez_compressed(
            path, keys=self.keys, values=self.values,
            step=np.float32(self.step), temperature=self.temperature, offset=self.offset,
        )  # fmt: skip


def read(path: Path) -> Weights:
    """Read what `save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return Weights(**arrays | {"step": float(arrays["step"])})


def probabilities(weights: Weights, text: str, chinese: bool) -> list[float]:
    """Of each of LABELS, which sum to 1, then of ASIDE, as calibrated for a Chinese or an English call.

    A text without a word is unfinished.
    """
    if not tokens(text):
        return [0.0, 1.0, 0.0, 0.0]
    language = int(chinese)
    evidence = weights.evidence(text) / weights.temperature[language] + weights.offset[language]
    labels, aside = evidence[:-1], float(evidence[-1])
    powers = np.exp(labels - labels.max())
    shares: list[float] = (powers / powers.sum()).tolist()
    return [*shares, 1 / (1 + math.exp(-aside))]


@cache
def shipped() -> Weights:
    """The weights that the package carries, read once per process."""
    with as_file(files(__package__).joinpath(WEIGHTS)) as path:
        return read(path)
