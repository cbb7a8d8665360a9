"""Written text against spoken words: where words lie, how long they take, how clauses join.

English and Chinese together: a Chinese character is a word of its own, as no spaces part them.
"""

import re

from voice_agent.message import Word

CJK = "\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Ideographs and kana, for a regular expression's character class."""
IS_CJK = re.compile(f"[{CJK}]")
WIDE = CJK + "\u3000-\u303f\uff00-\uff65…—“”\u2018\u2019"
"""The same with the punctuation that is set without spaces around it in Chinese."""
WORD = re.compile(rf"[{CJK}]|[^\s{WIDE}]*[^\W_{CJK}][^\s{WIDE}]*(?:['\u2019][^\W_{CJK}]+)*")
ENDS_WIDE = re.compile(rf"[{CJK}\u3000-\u303f\uff00-\uff65]$")
SECONDS_PER_CHAR = 1 / 15
"""English at a usual rate of speech: 150-180 words a minute of 5-6 characters with their space."""
SECONDS_PER_CJK_CHAR = 1 / 4.5
"""Mandarin, 250-280 characters a minute."""


def is_cjk(char: str) -> bool:
    """Whether a character is an ideograph or kana."""
    return bool(IS_CJK.match(char))


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where each word begins and ends in the text; punctuation that touches a word belongs to it."""
    return [match.span() for match in WORD.finditer(text)]


def spread_words(text: str, duration_s: float | None = None) -> tuple[Word, ...]:
    """Guess when each word of a clause is spoken, by its length.

    With `duration_s` the words fill just that time, else they go at a usual rate of speech.
    """
    ends = [0.0]
    for char in text:
        ends.append(ends[-1] + (SECONDS_PER_CJK_CHAR if is_cjk(char) else SECONDS_PER_CHAR))
    scale = 1.0 if duration_s is None else duration_s / (ends[-1] or 1.0)
    return tuple(
        Word(text[start:end], ends[start] * scale, ends[end] * scale) for start, end in word_spans(text)
    )


def join(left: str, right: str) -> str:
    """Two clauses as one text: with a space between them, except after Chinese."""
    if not left or not right:
        return left or right
    return left + right if ENDS_WIDE.search(left) else f"{left} {right}"
