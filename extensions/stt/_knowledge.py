"""What an embedded recogniser of one vertical knows: words, how they are said, and what follows what."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pocketsphinx

from extensions.stt import _grammar, _language_model, _pronunciation
from voice_agent.dialogue import slots
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import ModelError
from voice_agent.message import Answer

LANGUAGE = "en"
NUMBER = re.compile(
    rf"\b(?:{'|'.join(_language_model.DIGITS)})(?: (?:{'|'.join(_language_model.DIGITS)}))+\b"
)
EXPECTED_WEIGHT = 100
"""Sentences with what is expected, such as a number, count so many times; the others are still
there, for a caller who says something else. 12.5 to 8.6 % of the words of random numbers wrong
(benchmarks.embedded_recogniser)."""


@dataclass(frozen=True)
class Asked:
    """A kind of answer that the vertical asks for."""

    said: tuple[str, ...]
    """Whole answers, with _grammar.VALUE in place of the value."""
    pronunciations: dict[str, str]
    """Of all words in them."""


@dataclass(frozen=True)
class Knowledge:
    """What a recogniser of one vertical knows; shared by all calls."""

    language_models: Mapping[Answer, _language_model.LanguageModel]
    """By what is expected, for what the vertical may ask; all have the same words."""
    pronunciations: dict[str, str]
    arpas: Mapping[Answer, str]
    asked: Mapping[Answer, Asked]


@cache
def load(vertical: str) -> Knowledge:
    """Build it from the vertical's sentences and slots, once per process."""
    loaded = load_vertical(vertical)
    sentences = loaded.sentences(LANGUAGE)
    if not sentences:
        raise ModelError(
            f"vertical '{vertical}' has no English sentences, and stt.pocketsphinx knows no others"
        )
    said: dict[Answer, list[str]] = {}
    for slot in loaded.slots.values():
        if slot.type != "choice":
            said.setdefault(slot.type, []).extend(slot.said.get(LANGUAGE, ()))
    return know(sentences, said)


def know(sentences: Sequence[str], said: Mapping[Answer, Sequence[str]] | None = None) -> Knowledge:
    """Learn sentences, and those in which each kind of answer is said.

    Raises ModelError when the package came without its model.
    """
    dictionary = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    if not dictionary.exists():
        raise ModelError(f"{dictionary} is missing: reinstall pocketsphinx from its wheel")
    numbers = [
        sentence for sentence in sentences if NUMBER.search(" ".join(_language_model.words_of(sentence)))
    ]
    expected: dict[Answer, list[str]] = {
        "free": [],
        "digits": numbers,
        "yes_no": [sentence for sentence in sentences if slots.yes_no(sentence) is not None],
        **{
            answer: [line for line in sentences if _grammar.is_answer(answer, line)]
            for answer in ("letters", "email")
            if answer in (said or {})
        },
    }
    models = {
        answer: _language_model.train([*sentences, *lines * EXPECTED_WEIGHT])
        for answer, lines in expected.items()
    }
    arpas = {answer: model.to_arpa() for answer, model in models.items()}
    pronunciations = _pronunciation.pronounce(models["free"].vocabulary, dictionary)
    return Knowledge(models, pronunciations, arpas, _asked(said or {}, dictionary))


def _asked(said: Mapping[Answer, Sequence[str]], dictionary: Path) -> dict[Answer, Asked]:
    """With the words of the grammar of each answer."""
    names = {name: _pronunciation.LETTER_NAMES[name[0]] for name in _grammar.LETTERS} | _grammar.XRAY
    asked: dict[Answer, Asked] = {}
    for answer, lines in said.items():
        words = _grammar.vocabulary(_grammar.grammar(answer, lines)) - names.keys()
        asked[answer] = Asked(tuple(lines), _pronunciation.pronounce(words, dictionary) | names)
    return asked
