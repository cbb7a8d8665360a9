"""The small model: which intent a text is, and how sure that is. Plain NumPy, trained in a moment.

TF-IDF of word 1-2-grams and character 2-5-grams, ridge regression onto the intents. Ridge regression
gives its leave-one-out predictions in closed form, so all the calibration is on texts not trained on.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from voice_agent.dialogue import slots
from voice_agent.dialogue.schema import PLACEHOLDER
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.spoken import is_cjk

Matrix = npt.NDArray[np.float64]
RIDGE = 0.3
"""Chosen by leave-one-out accuracy on the customer service vertical; flat from 0.1 to 1."""
REJECTED_IN_SCOPE = 0.05
"""The threshold is set so that this share of what the model would get right is rejected."""


class Guess(NamedTuple):
    """The most likely intent."""

    intent: str
    probability: float
    """That it is right, and the text is in scope at all; 0..1."""


def ngrams(text: str) -> Counter[str]:
    """Features of a text: "w:" word 1-2-grams and "c:" character 2-5-grams, with their counts."""
    words = slots.mask_digits(text)
    found = Counter(f"w:{word}" for word in words)
    found.update(f"w:{a} {b}" for a, b in itertools.pairwise(words))
    chars = "^"
    for word in words:
        chars += word if is_cjk(word[0]) and is_cjk(chars[-1]) else f" {word}"
    chars += "$"
    for size in range(2, 6):
        found.update(f"c:{chars[at : at + size]}" for at in range(len(chars) - size + 1))
    return found


@dataclass(frozen=True)
class IntentModel:
    """A trained classifier; `classify` takes well under a millisecond."""

    intents: Sequence[str]
    idf: dict[str, float]
    unknown_idf: float
    """Of a feature never seen: it takes its share of the text's length, and so of every score."""
    rows: dict[str, int]
    weights: Matrix
    """Shape (features, intents)."""
    calibration: Matrix
    """Logistic regression over (1, best score, its lead), shape (3,)."""
    threshold: float
    """Below this probability a text counts as unknown."""
    loo_accuracy: float
    """Share of the examples that are classified right when left out."""

    def classify(self, text: str) -> Guess:
        """The most likely intent of a text; of an empty one, the first with probability 0."""
        weighted = self._weigh(text)
        if not weighted:
            return Guess(self.intents[0], 0.0)
        known = [(self.rows[name], value) for name, value in weighted.items() if name in self.rows]
        index = np.array([row for row, _ in known], dtype=np.intp)
        scores = np.array([value for _, value in known]) @ self.weights[index]
        probability = _sigmoid(_evidence(scores[None]) @ self.calibration)
        return Guess(self.intents[int(scores.argmax())], float(probability[0]))

    def _weigh(self, text: str) -> dict[str, float]:
        return _tf_idf(ngrams(text), self.idf, self.unknown_idf)


def train(examples: Sequence[tuple[str, str]], out_of_scope: Iterable[str] = ()) -> IntentModel:
    """Fit a model to (text, intent) pairs, and to texts that belong to none. Under a second for 1000."""
    texts = [text for text, _ in examples] + list(out_of_scope)
    intents = list(dict.fromkeys(intent for _, intent in examples))
    labels = np.array([intents.index(intent) for _, intent in examples] + [-1] * (len(texts) - len(examples)))
    counts = [ngrams(text) for text in texts]
    frequency = Counter(name for count in counts for name in count)
    idf = {name: 1 + math.log((1 + len(texts)) / (1 + df)) for name, df in frequency.items()}
    unknown_idf = 1 + math.log(1 + len(texts))
    rows = {name: row for row, name in enumerate(idf)}
    features = np.zeros((len(texts), len(rows)), np.float32)
    for line, count in enumerate(counts):
        for name, value in _tf_idf(count, idf, unknown_idf).items():
            features[line, rows[name]] = value
    targets = np.equal.outer(labels, np.arange(len(intents))).astype(float)
    kernel = features @ features.T
    inverse = np.linalg.inv(kernel + RIDGE * np.eye(len(texts)))
    dual = inverse @ targets
    left_out = targets - dual / np.diag(inverse)[:, None]
    right = left_out.argmax(axis=1) == labels
    evidence = _evidence(left_out)
    calibration = _fit_logistic(evidence, right)
    probabilities = _sigmoid(evidence @ calibration)
    return IntentModel(
        intents=intents,
        idf=idf,
        unknown_idf=unknown_idf,
        rows=rows,
        weights=features.T @ dual,
        calibration=calibration,
        threshold=float(np.quantile(probabilities[right], REJECTED_IN_SCOPE)),
        loo_accuracy=float(right[labels >= 0].mean()),
    )


@cache
def intent_model(vertical: str, language: str) -> IntentModel:
    """The model of a vertical (name or path) in a language, trained when it is first asked for."""
    data = load_vertical(vertical)
    examples = [
        (PLACEHOLDER.sub(" 0000 ", text), intent.name)
        for intent in data.intents
        for text in intent.examples.get(language, ())
    ]
    return train(examples, data.out_of_scope.get(language, ()))


def _tf_idf(counts: Counter[str], idf: dict[str, float], unknown_idf: float) -> dict[str, float]:
    """Weights of unit length, words and characters making up half of it each."""
    weighted = {name: (1 + math.log(count)) * idf.get(name, unknown_idf) for name, count in counts.items()}
    squares = {"w": 0.0, "c": 0.0}
    for name, value in weighted.items():
        squares[name[0]] += value * value
    scale = {kind: math.sqrt(0.5 / square) if square else 0.0 for kind, square in squares.items()}
    return {name: value * scale[name[0]] for name, value in weighted.items()}


def _evidence(scores: Matrix) -> Matrix:
    """What the probability depends on: the best score and its lead over the second; shape (n, 3)."""
    ordered = np.sort(scores, axis=1)
    best = ordered[:, -1]
    return np.stack([np.ones_like(best), best, best - ordered[:, -2]], axis=1)


def _sigmoid(x: Matrix) -> Matrix:
    return 1 / (1 + np.exp(-x))


def _fit_logistic(evidence: Matrix, right: npt.NDArray[np.bool_], penalty: float = 1e-2) -> Matrix:
    """Logistic regression by Newton's method, with a slight L2 penalty so that it always ends."""
    weights = np.zeros(evidence.shape[1])
    for _ in range(25):
        p = _sigmoid(evidence @ weights)
        gradient = evidence.T @ (p - right) + penalty * weights
        hessian = (evidence * (p * (1 - p))[:, None]).T @ evidence + penalty * np.eye(len(weights))
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights
