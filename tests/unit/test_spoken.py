"""spoken: words and their times in written text, clauses joined."""

import pytest

from voice_agent.spoken import join, spread_words, word_spans


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
