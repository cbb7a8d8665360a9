"""A transcript as words and their classes: without case, punctuation, spaces between Chinese, or stutter."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from voice_agent.spoken import CJK, IS_CJK, is_cjk

PIECE = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
APOSTROPHE = re.compile(r"['\u2019\u02bc`]")
FILLERS = "FILLER"
NUMBERS = ("NUM", "TENS", "HUNDRED", "FIGURE")
LONGEST_ZH = 5
"""Characters of the longest word in lexicon_zh.txt."""
MEASURES = frozenset(
    "个位件张条本台部次份杯瓶双只家间套块元斤号天年月日点遍趟种些层栋辆把封页场段项笔周门首口头面道句顿粒片根颗枝支棵朵盒箱袋包桶碗"
    "盘壶串排列队群对副幅扇座所艘架匹届期集章篇款样类批组班节堂桌番阵股滴团堆束枚名户圈步声眼度"
)
"""Chinese characters that count things after a number or "this", whatever they are elsewhere."""
COUNTED = ("NUM", "TENS", "DEM")
ENDINGS = (
    ("ing", "x-ing"), ("ed", "x-ed"), ("ly", "x-ly"), ("tion", "x-n"), ("sion", "x-n"), ("ment", "x-n"),
    ("ness", "x-n"), ("ity", "x-n"), ("ful", "x-adj"), ("able", "x-adj"), ("ible", "x-adj"), ("ous", "x-adj"),
    ("ive", "x-adj"), ("al", "x-adj"), ("er", "x-er"), ("s", "x-s"),
)  # fmt: skip
"""English endings that tell a class, the first that fits; other words are "x"."""


class Token(NamedTuple):
    """A word."""

    text: str
    kind: str
    """Its class: one of the lexicon's, or "x" and what its form tells."""


def is_chinese(text: str) -> bool:
    """Whether a text is judged as Chinese: it holds a Chinese character."""
    return bool(IS_CJK.search(text))


def tokens(text: str) -> list[Token]:
    """The words of a text. Fillers and repeated words count only where the text ends with them."""
    plain = APOSTROPHE.sub("", unicodedata.normalize("NFKC", text)).lower().translate(_simplified())
    chinese = is_chinese(plain)
    pieces = PIECE.findall(plain)
    if chinese:
        pieces = _join_characters(pieces)
    found: list[Token] = []
    for piece in pieces:
        found.extend(_chinese(piece) if is_cjk(piece[0]) else [Token(piece, _english_kind(piece))])
    return _without_stutter(found)


def _join_characters(pieces: list[str]) -> list[str]:
    """Chinese that was written with spaces between the characters, without them."""
    joined: list[str] = []
    for piece in pieces:
        if joined and is_cjk(piece[0]) and is_cjk(joined[-1][0]):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _chinese(run: str) -> list[Token]:
    """Part a run of Chinese characters into the lexicon's words, the longest first; others stay alone."""
    kinds = lexicon("zh")
    found: list[Token] = []
    at = 0
    while at < len(run):
        for size in range(min(LONGEST_ZH, len(run) - at), 0, -1):
            word = run[at : at + size]
            if word in kinds or size == 1:
                kind = kinds.get(word, "x")
                if word in MEASURES and found and found[-1].kind in COUNTED:
                    kind = "MEAS"
                found.append(Token(word, kind))
                at += size
                break
    return found


def _english_kind(word: str) -> str:
    if word.isdigit():
        return "FIGURE"
    kind = lexicon("en").get(word)
    if kind is not None:
        return kind
    return next((kind for end, kind in ENDINGS if word.endswith(end) and len(word) > len(end) + 2), "x")


def _without_stutter(found: list[Token]) -> list[Token]:
    """Drop fillers that more words follow, and words said twice: "i um i want" is "i want".

    Digits are said twice on purpose, and a Chinese verb is doubled to soften it.
    """
    kept: list[Token] = []
    for index, token in enumerate(found):
        if token.kind == FILLERS and index < len(found) - 1:
            continue
        doubled = kept and kept[-1] == token and token.kind not in NUMBERS
        if not (doubled and (token.kind != "x" or not is_cjk(token.text[0]))):
            kept.append(token)
    return kept


@cache
def lexicon(language: str) -> Mapping[str, str]:
    """Word to class, of "en" or "zh"."""
    kinds: dict[str, str] = {}
    for line in _lines(f"lexicon_{language}.txt"):
        kind, *words = line.split()
        for word in words:
            kinds.setdefault(word, kind)
    return kinds


@cache
def _simplified() -> Mapping[int, str]:
    """Traditional characters to simplified ones, for those that are frequent in speech."""
    return {ord(pair[0]): pair[1] for line in _lines("simplified.txt") for pair in line.split()}


def _lines(name: str) -> list[str]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
