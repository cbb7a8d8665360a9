"""Written text against spoken words: where words lie, how long they take, how clauses join.

English and Chinese together: a Chinese character is a word of its own, as no spaces part them.
"""

import re
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text as it is to be said aloud."""

    text: str
    origin: tuple[int, ...]
    """For each of its characters the place in the written text that it comes from; never falls."""


TLD = "com|org|net|edu|gov|info|io|ai|app|dev|shop|cn|co|uk|us|eu|de|jp|example"
SYMBOLS = (
    "\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff"  # emoji, arrows, shapes
    "\ufe0e\ufe0f\u200d\u20e3\x00-\x08\x0b-\x1f\x7f"  # what joins emoji; control characters
)
WRITTEN = re.compile(
    rf"""
      !?\[(?P<label>[^\]\n]*)\]\([^)\s]*\)                                    # [label](url)
    | (?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
    | (?:https?://)?(?:www\.)?(?P<host>[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:{TLD})\b)(?P<path>(?:/[\w./%-]*[\w/])?)
      (?:[?\#][\w=&%.+-]*[\w=])?
    | (?:(?P<before>(?:\b(?:number|code)(?:\s+is|:)?|[单编账帐]号|号码|尾号|验证码|电话)[是为：:\s]*)\#?|\#)
      (?P<digits>\d{{3,}})
    | (?P<number_sign>\#(?=\d))
    | (?P<markup>^[ \t]*(?:\#{{1,6}}[ \t]+|[-*•][ \t]+|>[ \t]+) | ```\w*\n? | [`~|]+
        | \*\*+ | (?<![\d\s])\* | \*(?![\d\s]) | (?<!\w)_+ | _+(?!\w))
    | (?P<symbol>[{SYMBOLS}]+)
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
"""What is written otherwise than it is said."""


def speakable(text: str, language: str = "en") -> Spoken:
    """Leave out markup, emoji and control characters, spell addresses, and say digit by digit what the
    text calls a number or a code ("order number 1234", "#1234", "订单号1234").
    """
    chinese = language.startswith("zh")
    pieces: list[tuple[str, int, bool]] = []  # what is said, where it comes from, whether it is a copy
    at = 0
    for match in WRITTEN.finditer(text):
        pieces.append((text[at : match.start()], at, True))
        pieces += _said(match, chinese)
        at = match.end()
    pieces.append((text[at:], at, True))
    origin = [start + copied * index for said, start, copied in pieces for index in range(len(said))]
    return Spoken("".join(said for said, _, _ in pieces), tuple(origin))


def _said(match: re.Match[str], chinese: bool) -> list[tuple[str, int, bool]]:
    if match["label"] is not None:
        return [(match["label"], match.start("label"), True)]
    if match["email"]:
        return [(_spell(match["email"], chinese), match.start(), False)]
    if match["host"]:
        return [(_spell(match["host"] + match["path"].rstrip("/"), chinese), match.start(), False)]
    if match["digits"]:
        digits = [(f"{digit} ", match.start("digits") + i, False) for i, digit in enumerate(match["digits"])]
        last = (match["digits"][-1], match.end() - 1, False)
        return [(match["before"] or "", match.start(), True), *digits[:-1], last]
    if match["number_sign"] and not chinese:
        return [("number ", match.start(), False)]
    return []


def _spell(address: str, chinese: bool) -> str:
    names = {"@": "艾特", ".": "点", "/": "斜杠"} if chinese else {"@": "at", ".": "dot", "/": "slash"}
    return re.sub(r"[@./]", lambda sign: f" {names[sign[0]]} ", address)
