"""The weights and what they say: one hidden layer over the summary of a sound."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import numpy as np

from extensions.turn._sounds.features import Floats

WEIGHTS = "weights.npz"


class Kinds(NamedTuple):
    """Probabilities that sum to 1: what a sound over the agent's voice is."""

    hum: float
    """"Mm-hm", with a closed mouth."""
    tic: float
    """A laugh, a cough, a cleared throat, a click: no words."""
    listening: float
    """"Yeah", "okay", "对": words of somebody who listens."""
    floor: float
    """It begins with "no", "wait", "sorry", "不对"."""
    words: float
    """Other words."""


UNKNOWN = Kinds(0.0, 0.0, 0.0, 0.0, 1.0)
"""Where nothing was heard of a sound, it may be anything that matters."""


@dataclass(frozen=True)
class Weights:
    """What training makes, and the package carries. float16 but for the arithmetic."""

    mean: Floats
    """Of each number of a summary; shape (SIZE,)."""
    scale: Floats
    """What it is multiplied by then."""
    hidden: Floats
    """Shape (SIZE, n)."""
    hidden_bias: Floats
    out: Floats
    """Shape (n, 5), a column for each of Kinds."""
    out_bias: Floats

    def kinds(self, summary: Floats) -> Kinds:
        """Of a sound; 0.02 ms."""
        hidden = np.maximum(0, (summary - self.mean) * self.scale @ self.hidden + self.hidden_bias)
        evidence = hidden @ self.out + self.out_bias
        powers = np.exp(evidence - evidence.max())
        return Kinds(*(powers / powers.sum()).tolist())

    def save(self, path: Path) -> None:
        """Write to a compressed file that holds arrays only."""
        np.savez_compressed(path, **{name: value.astype(np.float16) for name, value in vars(self).items()})


def read(path: Path) -> Weights:
    """Read what `save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return Weights(**{name: stored[name].astype(np.float32) for name in stored.files})


@cache
def shipped() -> Weights:
    """The weights that the package carries, read once per process."""
    with as_file(files(__package__).joinpath(WEIGHTS)) as path:
        return read(path)
