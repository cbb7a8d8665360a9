"""speakable: what is said of a written text, and where in it each spoken character comes from.

The tables tests/data/speakable_*.tsv, written for these tests, hold sentences and what is said for each.
"""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.clauses import Cutter
from voice_agent.speakable import Spoken, speakable
from voice_agent.spoken import word_spans

DATA = Path(__file__).parent.parent / "data"


def table(language: str) -> list[tuple[str, str, str]]:
    with (DATA / f"speakable_{language}.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return [(language, written, said) for written, said in rows]


@pytest.mark.parametrize(("language", "written", "said"), [*table("en"), *table("zh")])
def test_what_is_said(language: str, written: str, said: str) -> None:
    assert speakable(written, language).text == said


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("# Title\n- one\n- two", "en", "Title\none\ntwo"),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "en", " a, b \n\n one, two "),
        ("```py\nx = 1\n``` and ```rest", "en", " and "),
        ("a\x00b", "en", "ab"),
        ("Es kostet 20 € [leise] **heute**, jo@shop.de", "de", "Es kostet 20 €  heute, jo at shop dot de"),
        ("Order 12, or order number 345.", "en-US", "Order twelve, or order number three four five."),
        ("", "en", ""),
    ],
)  # fmt: skip
def test_what_is_said_of_more_than_a_sentence(text: str, language: str, said: str) -> None:
    assert speakable(text, language).text == said


def said_for(text: str, part: str, language: str = "en") -> str:
    """What of the spoken text comes from a part of the written one."""
    spoken = speakable(text, language)
    start = text.index(part)
    places = range(start, start + len(part))
    return "".join(c for c, at in zip(spoken.text, spoken.origin, strict=True) if at in places).strip(" ,")


@pytest.mark.parametrize(
    ("text", "language", "parts"),
    [
        ("It is $20.50 at 10:30!", "en", {"$20.50": "twenty dollars and fifty cents", "10:30": "ten thirty"}),
        ("By May 3, 2025.", "en", {"May": "May", "3,": "third", "2025": "twenty twenty-five"}),
        ("About 5 km or $3 million.", "en", {"5": "five", "km": "kilometers", "million": "million dollars"}),
        ("订单号1234，3-5天。", "zh", {"12": "一二", "34": "三四", "3-": "三", "5天": "到五天"}),
    ],
)  # fmt: skip
def test_each_written_word_has_its_own_share(text: str, language: str, parts: dict[str, str]) -> None:
    assert {part: said_for(text, part, language) for part in parts} == parts


PIECES = [
    *("Order", "the", "number", "in", "May", "Dr.", "No.", "call", "St.", "km", "a.m.", "pm", "USD"),
    *("1", "23", "4,567", "3.14", "0815", "2025", "-5", "1/2", "10:30", "$20.50", "50%", "3-5", "million"),
    *("555-123-4567", "#1234", "+1", "AB-12", "**", "_", "`", "```", "[", "](", ")", "|", "---", "<b>"),
    *("https://a.example/x?y", "jo@shop.cn", "\n", " ", "  ", ", ", ". ", "😀", "&", "°C", "¥", "%"),
    *("订单号", "电话", "年", "月", "2个", "第", "元", "到", "，", "。", "：", "13812345678", "20万"),
    *("～", "（笑）", "−", "٣", "²", "(laughs)", "\x00", "e.g.", "1st", "2025-05-03"),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=25).map("".join)
LANGUAGES = st.sampled_from(["en", "zh", "fr"])


def check(text: str, spoken: Spoken) -> None:
    assert len(spoken.origin) == len(spoken.text)
    assert list(spoken.origin) == sorted(spoken.origin), "in the order of the text"
    assert all(0 <= place < len(text) for place in spoken.origin)


@given(TEXTS, LANGUAGES)
def test_it_never_fails_and_every_spoken_character_has_its_place(text: str, language: str) -> None:
    check(text, speakable(text, language))


WORDS = [
    "hello",
    "order",
    "we",
    "are",
    "Dr",
    "maybe",
    "it's",
    "你好",
    "我们",
    "，",
    "。",
    "!",
    "—",
    "“",
    "”",
    "naïve",
]


@given(st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join), LANGUAGES)
def test_plain_words_stay_as_they_are(text: str, language: str) -> None:
    spoken = speakable(text, language)
    assert spoken.text == text and spoken.origin == tuple(range(len(text)))


@pytest.mark.parametrize(("language", "written", "said"), [*table("en"), *table("zh")])
def test_what_is_said_is_said_as_it_is(language: str, written: str, said: str) -> None:
    assert speakable(said, language).text == said


@pytest.mark.parametrize(("language", "written", "said"), [*table("en"), *table("zh")])
def test_no_clause_ends_within_a_number(language: str, written: str, said: str) -> None:
    """Cut into clauses as it comes, character by character, a sentence is said as it is in one piece."""
    cutter = Cutter(first_min_chars=1, min_chars=1)
    clauses = [clause for char in written for clause in cutter.push(char)] + cutter.push("", complete=True)
    apart = "".join(speakable(clause, language).text for clause in clauses)
    assert re.sub(r"\W", "", apart) == re.sub(r"\W", "", said)
    assert sum(len(word_spans(clause)) for clause in clauses) == len(word_spans(written))
