"""From data files to weights: draw the texts, add what recognisers make of them, fit, calibrate."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from extensions.turn._words.features import Keys, hashed, names
from extensions.turn._words.model import LABELS, Weights
from extensions.turn._words.tokens import Token, is_chinese, tokens
from training.turn_words import data, fit

SEED = 1
EVENING = 0.75
"""How far the rarer labels are weighed up: 0 not at all, 1 to the same weight."""
ASIDES = 0.15
"""How much all asides of a language count against all else."""
SHORT = 8.0
"""How much more a text of one word counts: there are few of them, and callers say them often."""
STRANGE = 0.5
"""Share of the words of open classes that are made unknown in the second copy of each text."""
OPEN = ("NOUN", "ADJ", "VTRANS", "VINTR", "QINGK", "MEASURE")
"""Classes of the lexicon that new words join; so do words outside it."""


def train(seed: int = SEED) -> Weights:
    """Weights from all data of this folder; the same for the same data and seed."""
    rng = random.Random(seed)
    directed, aside = _Texts(), _Texts()
    for language in data.LANGUAGES:
        examples = data.training_examples(language, seed)
        shares = [(len(examples) / (len(LABELS) * count)) ** EVENING for count in data.counts(examples)]
        others = data.asides(language, seed)
        for example in examples:
            hashes = directed.add(example, example.label, shares[example.label], rng)
            aside.texts += hashes
            aside.labels += [0, 0]
            aside.importance += [1.0, 1.0]
        for example in others:
            aside.add(example, 1, len(examples) / len(others) * ASIDES, rng)
    return calibrated(fit.together(directed.fitted(seed), aside.fitted(seed)))


class _Texts:
    """What is learned from."""

    def __init__(self) -> None:
        self.texts: list[Keys] = []
        self.labels: list[int] = []
        self.importance: list[float] = []

    def add(self, example: data.Example, label: int, share: float, rng: random.Random) -> list[Keys]:
        """A text, and a copy of it with strange words; the hashes of both."""
        words = tokens(example.text)
        hashes = [hashed(names(copy)) for copy in (words, _with_strange_words(words, rng))]
        self.texts += hashes
        self.labels += [label] * len(hashes)
        self.importance += [example.importance * share * (1 + SHORT / len(words))] * len(hashes)
        return hashes

    def fitted(self, seed: int) -> fit.Fitted:
        return fit.fit(self.texts, self.labels, np.array(self.importance, np.float32), seed)


def calibrated(weights: Weights) -> Weights:
    """The same with what fits the held-out lines of each language: not their sentences cut at every word, as
    many a beginning could be either.
    """
    temperature, offset = weights.temperature.copy(), weights.offset.copy()
    for index, language in enumerate(data.LANGUAGES):
        lines = data.held_out_examples(language)
        asides = data.held_out_asides(language)
        evidence, labels = _evidence(weights, lines)
        temperature[index, :-1], offset[index, :-1] = fit.calibration(evidence[:, :-1], labels)
        evidence, labels = _evidence(weights, lines + asides)
        both = np.stack([np.zeros(len(evidence)), evidence[:, -1]], axis=1)
        temperature[index, -1], shift = fit.calibration(both, (labels == data.ASIDE_LABEL).astype(int))
        offset[index, -1] = shift[1] - shift[0]
    return replace(weights, temperature=temperature, offset=offset)


def _evidence(
    weights: Weights, examples: Sequence[data.Example]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    evidence = np.array([weights.evidence(example.text) for example in examples], np.float64)
    return evidence, np.array([example.label for example in examples])


def _with_strange_words(words: list[Token], rng: random.Random) -> list[Token]:
    """A copy with words of the same class that nobody has seen, as a recogniser makes them up."""
    return [
        Token(_strange(word, rng), word.kind)
        if (word.kind.startswith("x") or word.kind in OPEN) and rng.random() < STRANGE else word
        for word in words
    ]  # fmt: skip


def _strange(word: Token, rng: random.Random) -> str:
    if is_chinese(word.text):
        return chr(rng.randrange(0x4E00, 0x9FFF))
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=4)) + word.text[-3:]
