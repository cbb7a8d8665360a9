"""spoken: words and their times in written text, clauses joined, text made fit to be said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.spoken import join, speakable, spread_words, word_spans


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


def test_words() -> None:
    assert words("Hello, world! Don’t – it's $3.14.") == ["Hello,", "world!", "Don’t", "it's", "$3.14."]
    assert words("用 iPhone15，好吗？") == ["用", "iPhone15", "好", "吗"]
    assert words("— … ！ 。, -") == []


def test_words_are_spread_by_length_or_at_a_usual_rate() -> None:
    first, second = spread_words("aaa bbb", 0.7)
    assert first.start_s == 0 and second.end_s == pytest.approx(0.7)
    assert first.end_s == pytest.approx(0.3) and second.start_s == pytest.approx(0.4)
    assert spread_words("你好")[-1].end_s == pytest.approx(2 / 4.5)
    assert spread_words("a" * 15)[-1].end_s == pytest.approx(1.0)
    assert spread_words("") == ()


def test_clauses_join_with_a_space_except_after_chinese() -> None:
    assert join("One.", "Two.") == "One. Two."
    assert join("你好，", "world") == "你好，world"
    assert join("OK.", "你好") == "OK. 你好"
    assert join("", "x") == join("x", "") == "x"


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("**Hi** _there_, `you`", "en", "Hi there, you"),
        ("# Title\n- one\n- two", "en", "Title\none\ntwo"),
        ("3 * 4 is 12, snake_case", "en", "3 * 4 is 12, snake_case"),
        ("see [our page](https://a.example/x).", "en", "see our page."),
        ("https://www.shop.example.com/help/?q=1 now", "en", "shop dot example dot com slash help now"),
        ("mail jo.li@shop.cn", "en", "mail jo dot li at shop dot cn"),
        ("邮箱 jo@shop.cn", "zh", "邮箱 jo 艾特 shop 点 cn"),
        ("Great 😀👍🏽!", "en", "Great !"),
        ("order number 1234, order #5678", "en", "order number 1 2 3 4, order 5 6 7 8"),
        ("we are #1 with 1234 items for $20", "en", "we are number 1 with 1234 items for $20"),
        ("您的订单号是1234，共2000元", "zh", "您的订单号是1 2 3 4，共2000元"),
        ("a\x00b", "en", "ab"),
    ],
)
def test_what_is_said(text: str, language: str, said: str) -> None:
    assert speakable(text, language).text == said


CHARACTERS = st.sampled_from("ab1 9#*_`[](){}.@/:?=&-\n你号。，😀http") | st.characters(codec="utf-8")


@given(st.text(CHARACTERS, max_size=60), st.sampled_from(["en", "zh"]))
def test_every_spoken_character_comes_from_the_text_in_order(text: str, language: str) -> None:
    spoken = speakable(text, language)
    assert len(spoken.origin) == len(spoken.text)
    assert list(spoken.origin) == sorted(spoken.origin)
    assert all(0 <= place < len(text) for place in spoken.origin)
