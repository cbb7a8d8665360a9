"""From data files to weights: draw the texts, add what recognisers make of them, fit, calibrate."""

import random
from dataclasses import replace

import numpy as np

from extensions.turn._words.features import hashed, names
from extensions.turn._words.model import LABELS, Weights
from extensions.turn._words.tokens import Token, is_chinese, tokens
from training.turn_words import data, fit

SEED = 1
EVENING = 0.75
"""How far the rarer labels are weighed up: 0 not at all, 1 to the same weight."""
SHORT = 8.0
"""How much more a text of one word counts: there are few of them, and callers say them often."""
STRANGE = 0.5
"""Share of the words of open classes that are made unknown in the second copy of each text."""
OPEN = ("NOUN", "ADJ", "VTRANS", "VINTR", "QINGK", "MEASURE")
"""Classes of the lexicon that new words join; so do words outside it."""


def train(seed: int = SEED) -> Weights:
    """Weights from all data of this folder; the same for the same data and seed."""
    rng = random.Random(seed)
    texts, labels, importance = [], [], []
    for language in data.LANGUAGES:
        examples = data.training_examples(language, seed)
        shares = [(len(examples) / (len(LABELS) * count)) ** EVENING for count in data.counts(examples)]
        for example in examples:
            words = tokens(example.text)
            for copy in (words, _with_strange_words(words, rng)):
                texts.append(hashed(names(copy)))
                labels.append(example.label)
                importance.append(example.importance * shares[example.label] * (1 + SHORT / len(words)))
    weights = fit.fit(texts, labels, np.array(importance, np.float32), seed)
    return calibrated(weights)


def calibrated(weights: Weights) -> Weights:
    """The same with what fits the held-out lines of each language."""
    temperature = np.ones(len(data.LANGUAGES), np.float32)
    offset = np.zeros((len(data.LANGUAGES), len(LABELS)), np.float32)
    for index, language in enumerate(data.LANGUAGES):
        examples = data.held_out_examples(language) + data.held_out_beginnings(language)
        evidence = np.array([weights.evidence(example.text) for example in examples], np.float64)
        labels = np.array([example.label for example in examples])
        temperature[index], offset[index] = fit.calibration(evidence, labels)
    return replace(weights, temperature=temperature, offset=offset)


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
