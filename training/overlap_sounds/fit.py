"""A network of one hidden layer by Adam (Kingma and Ba 2015), in NumPy."""

import numpy as np

from extensions.turn._sounds.features import Floats
from extensions.turn._sounds.model import Weights
from training.overlap_sounds.data import KINDS, Examples

HIDDEN = 48
EPOCHS = 24
BATCH = 256
RATE = 2e-3
DECAY = 0.02
"""L2 penalty, apart from the gradient (Loshchilov and Hutter 2019)."""
DROPPED = 0.3
"""Share of hidden units that are left out at each step."""
MIXED = 0.15
"""Standard deviation of noise on the measured numbers, each of variance 1."""


def fit(examples: Examples, seed: int) -> Weights:
    """The same for the same examples and seed."""
    random = np.random.default_rng(seed)
    mean, scale = examples.summaries.mean(axis=0), 1 / (examples.summaries.std(axis=0) + 0.05)
    x = ((examples.summaries - mean) * scale).astype(np.float32)
    target = np.eye(len(KINDS), dtype=np.float32)[examples.kinds]
    weight = _importance(examples)
    parts = [*_layer(random, x.shape[1], HIDDEN), *_layer(random, HIDDEN, len(KINDS))]
    first, second = [np.zeros_like(part) for part in parts], [np.zeros_like(part) for part in parts]
    size = min(BATCH, len(x))
    step, steps = 0, EPOCHS * (len(x) // size)
    for _ in range(EPOCHS):
        order = random.permutation(len(x))
        for start in range(0, len(x) - size + 1, size):
            chosen = order[start : start + size]
            batch = x[chosen] + MIXED * random.standard_normal((size, x.shape[1]), np.float32)
            kept = ((random.random(HIDDEN) >= DROPPED) / (1 - DROPPED)).astype(np.float32)
            gradients = _gradients(parts, batch, target[chosen], weight[chosen], kept)
            step += 1
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            for at, gradient in enumerate(gradients):
                first[at] += 0.1 * (gradient - first[at])
                second[at] += 0.001 * (np.square(gradient) - second[at])
                change = first[at] / (1 - 0.9**step) / (np.sqrt(second[at] / (1 - 0.999**step)) + 1e-8)
                parts[at] -= rate * (change + (DECAY * parts[at] if parts[at].ndim == 2 else 0))
    return Weights(mean.astype(np.float32), scale.astype(np.float32), *parts)


def _importance(examples: Examples) -> Floats:
    """How much each moment counts: 1 on average, each kind the same as any other, and a sound with four times
    as many moments twice as much."""
    _, clip, length = np.unique(examples.clips, return_inverse=True, return_counts=True)
    importance = 1 / np.sqrt(length[clip])
    of_kinds = np.bincount(examples.kinds, importance, len(KINDS))
    importance *= len(clip) / len(KINDS) / of_kinds[examples.kinds]
    return importance.astype(np.float32)


def _layer(random: np.random.Generator, inputs: int, outputs: int) -> list[Floats]:
    """What it starts with: what comes out has the variance of what goes in."""
    weights = random.standard_normal((inputs, outputs)) / np.sqrt(inputs)
    return [weights.astype(np.float32), np.zeros(outputs, np.float32)]


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
