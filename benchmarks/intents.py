"""What sentence embeddings would add to the small model: intents of the shipped vertical, cross-validated.

    voice-agent models pull all-MiniLM-L6-v2
    python -m benchmarks.intents

Four folds. The kernel of the n-grams and that of the embeddings are mixed; everything else (ridge regression,
calibration, threshold) is as in voice_agent/dialogue/intents.py. "Rejected" are sentences of other trades,
which no fold has seen, that fall below the threshold.
"""

import time
from collections import Counter

import numpy as np
import numpy.typing as npt

from tests.unit.test_dialogue_intents import examples, out_of_scope
from voice_agent.dialogue import intents
from voice_agent.dialogue.intents import Matrix
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.models import minilm

Indices = npt.NDArray[np.int64]
FOLDS = 4
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the embeddings in the kernel."""


def measure(language: str, model: minilm.MiniLm) -> None:
    """Print a line for each share."""
    pairs = examples(language)
    known_outside = load_vertical("customer_service").out_of_scope[language]
    outside = out_of_scope(language)
    texts = [*(text for text, _ in pairs), *known_outside, *outside]
    names = list(dict.fromkeys(name for _, name in pairs))
    labels = np.array([names.index(name) for _, name in pairs] + [-1] * (len(texts) - len(pairs)))
    embedded = model.embed(texts).astype(float)
    last = len(texts) - len(outside)
    for share in SHARES:
        right: list[bool] = []
        rejected: list[bool] = []
        for fold in range(FOLDS):
            held_out = np.arange(fold, len(pairs), FOLDS)
            known = np.setdiff1d(np.arange(last), held_out)
            features = _ngram_features(texts, known)
            kernel = (1 - share) * features @ features.T + share * embedded @ embedded.T
            asked = np.concatenate((held_out, np.arange(last, len(texts))))
            best, sure = _answers(kernel, labels, known, asked, len(names))
            right += list(best[: len(held_out)] == labels[held_out])
            rejected += list(~sure[len(held_out) :])
        figures = f"right {np.mean(right):.3f}  rejected {np.mean(rejected):.3f}"
        print(f"{language}  share of embeddings {share:4.2f}  {figures}")  # noqa: T201


def _answers(
    kernel: Matrix, labels: Indices, known: Indices, asked: Indices, count: int
) -> tuple[Indices, npt.NDArray[np.bool_]]:
    """The best intent of each text that is asked, and whether it is above the threshold."""
    inverse = np.linalg.inv(kernel[np.ix_(known, known)] + intents.RIDGE * np.eye(len(known)))
    targets = np.equal.outer(labels[known], np.arange(count)).astype(float)
    dual = inverse @ targets
    left_out = targets - dual / np.diag(inverse)[:, None]
    fits = left_out.argmax(axis=1) == labels[known]
    calibration = intents._fit_logistic(intents._evidence(left_out), fits)
    probability = intents._sigmoid(intents._evidence(left_out) @ calibration)
    threshold = np.quantile(probability[fits], intents.REJECTED_IN_SCOPE)
    scores = kernel[np.ix_(asked, known)] @ dual
    return scores.argmax(axis=1), intents._sigmoid(intents._evidence(scores) @ calibration) >= threshold


def _ngram_features(texts: list[str], known: Indices) -> Matrix:
    """TF-IDF of all texts, with what only the known ones tell."""
    counts = [intents.ngrams(text) for text in texts]
    frequency = Counter(name for at in known for name in counts[at])
    idf = {name: 1 + float(np.log((1 + len(known)) / (1 + df))) for name, df in frequency.items()}
    rows = {name: row for row, name in enumerate(idf)}
    features = np.zeros((len(texts), len(rows)))
    for line, count in enumerate(counts):
        for name, value in intents._tf_idf(count, idf, 1 + float(np.log(1 + len(known)))).items():
            if name in rows:
                features[line, rows[name]] = value
    return features


def main() -> None:
    model = minilm.load()
    for language in ("en", "zh"):
        measure(language, model)
    texts = [text for text, _ in examples("en")][:100]
    started = time.perf_counter()
    for text in texts:
        model.embed([text])
    print(f"{(time.perf_counter() - started) / len(texts) * 1000:.1f} ms to embed a text")  # noqa: T201


if __name__ == "__main__":
    main()
