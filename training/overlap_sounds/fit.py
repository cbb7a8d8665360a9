"""A network of one hidden layer by Adam (Kingma and Ba 2015), in NumPy."""

import numpy as np

from extensions.turn._sounds.features import Floats
from extensions.turn._sounds.model import Weights
from training.overlap_sounds.data import KINDS, Examples

HIDDEN = 48
EPOCHS = 24
BATCH = 256
RATE = 2e-3
DECAY = 2e-3
"""L2 penalty, apart from the gradient (Loshchilov and Hutter 2019)."""
DROPPED = 0.3
"""Share of hidden units that are left out at each step."""
MIXED = 0.15
"""Standard deviation of noise on the measured numbers, each of variance 1."""


def fit(examples: Examples, seed: int) -> Weights:
    """Each kind counts the same, and so does each sound of a kind, however long it is."""
    random = np.random.default_rng(seed)
    mean, scale = examples.summaries.mean(axis=0), 1 / (examples.summaries.std(axis=0) + 0.05)
    x = ((examples.summaries - mean) * scale).astype(np.float32)
    target = np.eye(len(KINDS), dtype=np.float32)[examples.kinds]
    _, clip, length = np.unique(examples.clips, return_inverse=True, return_counts=True)
    weight = 1 / np.sqrt(length[clip])
    weight /= np.bincount(examples.kinds, weight, len(KINDS))[examples.kinds] * len(KINDS)
    weight = (weight * len(x)).astype(np.float32)
    parts = [
        (random.standard_normal((x.shape[1], HIDDEN)) / np.sqrt(x.shape[1])).astype(np.float32), np.zeros(HIDDEN, np.float32),
        (random.standard_normal((HIDDEN, len(KINDS))) / np.sqrt(HIDDEN)).astype(np.float32), np.zeros(len(KINDS), np.float32),
    ]  # fmt: skip
    first, second = [np.zeros_like(part) for part in parts], [np.zeros_like(part) for part in parts]
    step, steps = 0, EPOCHS * (len(x) // BATCH)
    for _ in range(EPOCHS):
        order = random.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            batch = x[chosen] + MIXED * random.standard_normal((BATCH, x.shape[1]), np.float32)
            kept = (random.random(HIDDEN) >= DROPPED) / np.float32(1 - DROPPED)
            gradients = _gradients(parts, batch, target[chosen], weight[chosen], kept.astype(np.float32))
            step += 1
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            for at, gradient in enumerate(gradients):
                first[at] += 0.1 * (gradient - first[at])
                second[at] += 0.001 * (np.square(gradient) - second[at])
                change = first[at] / (1 - 0.9**step) / (np.sqrt(second[at] / (1 - 0.999**step)) + 1e-8)
                parts[at] -= rate * (change + (DECAY * 10 * parts[at] if parts[at].ndim == 2 else 0))
    return Weights(mean.astype(np.float32), scale.astype(np.float32), *parts)


def _gradients(parts: list[Floats], x: Floats, target: Floats, weight: Floats, kept: Floats) -> list[Floats]:
    """Of the weighted cross entropy."""
    hidden, hidden_bias, out, out_bias = parts
    inside = x @ hidden + hidden_bias
    active = np.maximum(0, inside) * kept
    evidence = active @ out + out_bias
    error = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    error /= error.sum(axis=1, keepdims=True)
    error = (error - target) * (weight / len(x))[:, None]
    back = (error @ out.T) * kept * (inside > 0)
    return [x.T @ back, back.sum(axis=0), active.T @ error, error.sum(axis=0)]
