"""Softmax regression by AdaGrad, in NumPy; then what is small is dropped and the rest rounded to bytes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from extensions.turn._words.model import LABELS, Weights

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
EPOCHS = 4
BATCH = 1024
RATE = 0.05
DECAY = 2e-5
"""L2 penalty for each step; a step that does not touch a feature leaves it to the next that does."""
RARE = 3
"""A feature of fewer texts is not learned."""
PULL = 0.1
"""Of the offsets to zero: the held-out lines are a few hundred, and easier than what strangers say."""
MAX_FEATURES = 160_000
"""What remains of them, the heaviest; keeps the file under a megabyte."""


class Fitted(NamedTuple):
    """What each feature tells."""

    keys: npt.NDArray[np.uint32]
    """Ascending; shape (n,)."""
    values: Floats
    """Shape (n, classes)."""


def fit(
    texts: Sequence[npt.NDArray[np.uint32]], labels: Sequence[int], importance: Floats, seed: int
) -> Fitted:
    """Train on texts given as feature hashes. `importance` weighs each text in the loss; shape (n,)."""
    vocabulary, frequency = np.unique(np.concatenate(texts), return_counts=True)
    vocabulary, frequency = vocabulary[frequency >= RARE], frequency[frequency >= RARE]
    rows = [_rows(vocabulary, text) for text in texts]
    decay = (DECAY / np.minimum(1, frequency * (BATCH / len(texts)))).astype(np.float32)
    weights = _adagrad(rows, np.array(labels), importance, decay, np.random.default_rng(seed))
    return Fitted(vocabulary, weights - weights.mean(axis=1, keepdims=True))


def _rows(vocabulary: npt.NDArray[np.uint32], text: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    at = np.searchsorted(vocabulary, text)
    at[at == len(vocabulary)] = 0
    known: npt.NDArray[np.int64] = at[vocabulary[at] == text]
    return known


def _adagrad(
    rows: Sequence[npt.NDArray[np.int64]],
    labels: npt.NDArray[np.int64],
    importance: Floats,
    decay: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Each step changes the weights of the features that its texts have; `decay` is theirs, shape (n,)."""
    features, classes = len(decay), int(labels.max()) + 1
    weights = np.zeros((features, classes), np.float32)
    squares = np.full((features, classes), 1e-2, np.float32)
    for _ in range(EPOCHS):
        order = rng.permutation(len(rows))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            flat = np.concatenate([rows[index] for index in chosen])
            owner = np.repeat(np.arange(len(chosen)), [len(rows[index]) for index in chosen])
            evidence: Matrix = np.stack(
                [np.bincount(owner, weights[flat, one], len(chosen)) for one in range(classes)],
                axis=1,
                dtype=float,
            )
            error = softmax(evidence)
            error[np.arange(len(chosen)), labels[chosen]] -= 1
            error *= importance[chosen, None] / len(chosen)
            touched, place = np.unique(flat, return_inverse=True)
            gradient = np.stack(
                [np.bincount(place, error[owner, one], len(touched)) for one in range(classes)], axis=1
            ).astype(np.float32)
            gradient += decay[touched, None] * weights[touched]
            squares[touched] += gradient * gradient * 1e4
            weights[touched] -= RATE * gradient * 1e2 / np.sqrt(squares[touched])
    return weights


def together(labels: Fitted, aside: Fitted) -> Weights:
    """The weights of both questions beside each other: those of LABELS, and for the second of two classes the
    evidence against the first. What is small is dropped, the rest rounded to bytes.
    """
    keys = np.union1d(labels.keys, aside.keys)
    values = np.zeros((len(keys), len(LABELS) + 1), np.float32)
    values[np.searchsorted(keys, labels.keys), :-1] = labels.values
    values[np.searchsorted(keys, aside.keys), -1] = aside.values[:, 1] - aside.values[:, 0]
    size = np.abs(values).max(axis=1)
    step = float(np.quantile(size, 0.9999)) / 127
    heavy = np.sort(np.argsort(-size, kind="stable")[:MAX_FEATURES])
    heavy = heavy[size[heavy] > step / 2]
    rounded = np.clip(np.rint(values[heavy] / step), -127, 127).astype(np.int8)
    columns = (2, len(LABELS) + 1)
    return Weights(keys[heavy], rounded, step, np.ones(columns, np.float32), np.zeros(columns, np.float32))


def softmax(evidence: Matrix) -> Matrix:
    """Probabilities; shape (n, classes), each row sums to 1."""
    powers: Matrix = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def calibration(evidence: Matrix, labels: npt.NDArray[np.int64]) -> tuple[float, Floats]:
    """The temperature, at least 1, and the offsets, shape (classes,), of least log loss on held-out lines.

    Each label counts the same; a slight pull to (1, 0).
    """
    classes = evidence.shape[1]
    onto = np.eye(classes)[labels]
    share = 1 / (classes * onto.sum(axis=0)[labels])
    scale, offset = 1.0, np.zeros(classes)
    for _ in range(4000):
        error = (softmax(evidence * scale + offset) - onto) * share[:, None]
        scale = min(1.0, scale - 0.02 * float((error * evidence).sum()))
        offset -= 0.2 * (error.sum(axis=0) + PULL * offset)
    return 1 / scale, offset.astype(np.float32)
