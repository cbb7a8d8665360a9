"""A trigram language model from a list of sentences, in the ARPA format that recognisers read.

Smoothing is Witten and Bell's (1991), interpolated: with c(h) the count of a history and t(h) the number of
different words seen after it,

    P(w | h) = (c(h w) + t(h) P(w | h')) / (c(h) + t(h)),    h' = h without its oldest word,

down to the uniform distribution over the vocabulary. It needs no held-out data and stays sound on the few
hundred sentences of a vertical, where Kneser-Ney's discounts cannot be estimated. Written with back-off
weights t(h) / (c(h) + t(h)) it is exact: an ARPA file gives the same probabilities as the formula.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

START, END = "<s>", "</s>"
ORDER = 3
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WITHIN_NUMBERS = 30
"""What follows two digits counts so many times. Any digit may follow any other, and all of them are among the
sentences, so that a word which never follows two digits is not merely rare there: Witten and Bell's smoothing
would leave such words half of the probability."""
NEVER = -99.0
"""The log probability that ARPA files give to what cannot be."""
Ngram = tuple[str, ...]


def words_of(sentence: str) -> list[str]:
    """The words of a sentence as a recogniser says them: lower case, no punctuation, digits spoken."""
    found = (match[0].lower().replace("’", "'") for match in WORD.finditer(sentence))
    return [DIGITS[int(word)] if word.isdecimal() else word for word in found]


@dataclass(frozen=True)
class LanguageModel:
    """Log10 probabilities of seen n-grams, and back-off weights of histories."""

    log_probability: dict[Ngram, float]
    back_off: dict[Ngram, float]

    @property
    def vocabulary(self) -> list[str]:
        """The words, without sentence marks."""
        return sorted(
            ngram[0] for ngram in self.log_probability if len(ngram) == 1 and ngram[0] not in (START, END)
        )

    def score(self, word: str, history: Ngram) -> float:
        """Log10 P(word | history), as a reader of the ARPA file computes it. KeyError for unknown words."""
        history = history[-(ORDER - 1) :]
        known = self.log_probability.get((*history, word))
        if known is not None:
            return known
        if not history:
            raise KeyError(word)
        return self.back_off.get(history, 0.0) + self.score(word, history[1:])

    def to_arpa(self) -> str:
        """The text of an ARPA file."""
        lines = ["\\data\\"]
        by_order = defaultdict(list)
        for ngram in sorted(self.log_probability):
            by_order[len(ngram)].append(ngram)
        lines += [f"ngram {order}={len(by_order[order])}" for order in range(1, ORDER + 1)]
        for order in range(1, ORDER + 1):
            lines += ["", f"\\{order}-grams:"]
            for ngram in by_order[order]:
                line = f"{self.log_probability[ngram]:.4f}\t{' '.join(ngram)}"
                lines.append(f"{line}\t{self.back_off[ngram]:.4f}" if ngram in self.back_off else line)
        return "\n".join([*lines, "", "\\end\\", ""])


def train(sentences: Iterable[str]) -> LanguageModel:
    """Count the sentences and smooth. Raises ValueError when there is no word in them."""
    counts: Counter[Ngram] = Counter()
    for sentence in sentences:
        if words := words_of(sentence):
            counts.update(_ngrams([START, *words, END]))
    for ngram in counts:
        if len(ngram) == ORDER and set(ngram[:-1]) <= set(DIGITS):
            counts[ngram] *= WITHIN_NUMBERS
    if not counts:
        raise ValueError("expected sentences with words in them, found none")
    history_count: Counter[Ngram] = Counter()
    followers: Counter[Ngram] = Counter()
    for ngram, count in counts.items():
        history_count[ngram[:-1]] += count
        followers[ngram[:-1]] += 1
    vocabulary_size = followers[()]

    probability: dict[Ngram, float] = {(): 1 / vocabulary_size}  # the uniform distribution, below unigrams
    for ngram in sorted(counts, key=len):
        history = ngram[:-1]
        shorter = probability[ngram[1:]]
        types = followers[history]
        probability[ngram] = (counts[ngram] + types * shorter) / (history_count[history] + types)
    del probability[()]

    log_probability = {ngram: math.log10(value) for ngram, value in probability.items()}
    log_probability[(START,)] = NEVER
    back_off = {
        history: math.log10(followers[history] / (history_count[history] + followers[history]))
        for history in history_count
        if history
    }
    return LanguageModel(log_probability, back_off)


def _ngrams(words: list[str]) -> Iterable[Ngram]:
    """All n-grams that end in a word or in the end mark; the start mark is only ever history."""
    for end in range(2, len(words) + 1):
        for order in range(1, min(ORDER, end) + 1):
            yield tuple(words[end - order : end])
