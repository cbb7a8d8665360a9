"""Whether the words so far are a finished utterance, an unfinished one, or a request to wait; and for whom.

Text alone, English and Chinese, without punctuation or case. See docs/turn-words.md; the model is trained by
`python -m training.turn_words`.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from extensions.turn._words.model import probabilities, shipped
from extensions.turn._words.tokens import is_chinese

Label = Literal["finished", "unfinished", "wait"]


class Finish(NamedTuple):
    """What the words tell."""

    label: Label
    """The most probable."""
    probabilities: Mapping[Label, float]
    """Of each label; they sum to 1."""
    aside: float = 0.0
    """Probability that they are meant for somebody else than the agent, whatever they are."""

    @property
    def probability(self) -> float:
        """That the label is right."""
        return self.probabilities[self.label]

    def weighted(self, odds: Mapping[Label, float]) -> "Finish":
        """The same with what else is known, by Bayes' rule: `odds` says how many times as likely as usual a
        label is, such as {"finished": 3} where a yes or no was asked for. Labels left out are as usual.
        """
        raised = {label: p * odds.get(label, 1.0) for label, p in self.probabilities.items()}
        total = sum(raised.values())
        if total <= 0:
            return self
        return _most_probable({label: p / total for label, p in raised.items()}, self.aside)

    def as_json(self) -> dict[str, object]:
        """For a line of JSON."""
        rounded = {label: round(p, 4) for label, p in self.probabilities.items()}
        return {
            "label": self.label,
            "probability": rounded[self.label],
            "probabilities": rounded | {"aside": round(self.aside, 4)},
        }


def classify(text: str, language: str = "") -> Finish:
    """Judge a transcript, interim or final; about 0.1 ms for a sentence.

    Its characters tell its language; `language` (BCP 47) is that of the call, and counts where it has only
    digits or Latin letters. A text without a word is unfinished.
    """
    *shares, aside = probabilities(shipped(), text, chinese=is_chinese(text) or language.startswith("zh"))
    return _most_probable(dict(zip(get_args(Label), shares, strict=True)), aside)


def prepare() -> None:
    """Read the weights now instead of at the first text; some milliseconds."""
    classify("hello")


def _most_probable(found: Mapping[Label, float], aside: float) -> Finish:
    return Finish(max(found, key=lambda label: found[label]), found, aside)


__all__ = ["Finish", "Label", "classify", "prepare"]
