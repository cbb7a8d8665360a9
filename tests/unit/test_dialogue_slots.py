"""Digits in every form a caller may give them, yes and no, choices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.dialogue import slots
from voice_agent.dialogue.slots import ONES, TEENS, TENS

DIGITS = st.text("0123456789", min_size=2, max_size=15)
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")  # noqa: RUF001


def below_hundred(value: int) -> str:
    if value < 10:
        return ONES[value]
    if value < 20:
        return TEENS[value - 10]
    return TENS[value // 10 - 2] + (f" {ONES[value % 10]}" if value % 10 else "")


def pairs(digits: str) -> str:
    """ "1205" as "twelve oh five"."""
    words = []
    for at in range(0, len(digits), 2):
        tens, one = digits[at], digits[at + 1]
        words.append(f"oh {ONES[int(one)]}" if tens == "0" else below_hundred(int(tens + one)))
    return " ".join(words)


def doubled(digits: str) -> str:
    """ "5512" as "double five one two"."""
    words, at = [], 0
    while at < len(digits):
        if digits[at : at + 2] == digits[at] * 2:
            words.append(f"double {ONES[int(digits[at])]}")
            at += 2
        else:
            words.append(ONES[int(digits[at])])
            at += 1
    return " ".join(words)


def cardinal(value: int) -> str:
    """1234 as "one thousand two hundred and thirty four"."""
    thousands, hundreds, rest = value // 1000, value // 100 % 10, value % 100
    words = [f"{ONES[thousands]} thousand"] if thousands else []
    words += [f"{ONES[hundreds]} hundred"] if hundreds else []
    words += [f"and {below_hundred(rest)}" if words else below_hundred(rest)] if rest else []
    return " ".join(words)


def chinese_cardinal(value: int) -> str:
    """1005 as 一千零五."""
    names, text, skipped = "零一二三四五六七八九", "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // unit % 10
        if digit:
            text += ("零" if skipped and text else "") + names[digit] + name
        skipped = (skipped or bool(text)) and not digit
    return text


@given(DIGITS)
def test_digits_said_one_by_one(digits: str) -> None:
    values = [int(digit) for digit in digits]
    forms = [
        digits,
        " ".join(digits),
        "-".join(digits),
        digits.translate(FULL_WIDTH),
        " ".join(ONES[value] for value in values),
        ", ".join(ONES[value] for value in values).upper() + ".",
        " uh ".join(ONES[value] for value in values),
        "".join("零一二三四五六七八九"[value] for value in values),
        " ".join("〇幺二三四五六七八九"[value] for value in values),
        doubled(digits),
    ]
    if set(digits) != {"0"}:
        forms.append(" ".join("oh" if value == 0 else ONES[value] for value in values))
    for form in forms:
        assert slots.digit_runs(form) == [digits], form


@given(
    st.lists(st.tuples(st.sampled_from("0123456789"), st.sampled_from("123456789")), min_size=2, max_size=6)
)
def test_digits_said_in_pairs(parts: list[tuple[str, str]]) -> None:
    digits = "".join(tens + one for tens, one in parts)
    assert slots.digit_runs(pairs(digits)) == [digits]
    assert slots.digit_runs(pairs(digits).replace(" ", "-")) == [digits]


@given(st.integers(1000, 9999))
def test_whole_numbers(value: int) -> None:
    assert slots.digit_runs(cardinal(value)) == [str(value)]
    assert slots.digit_runs(cardinal(value).replace(" and ", " ")) == [str(value)]
    assert slots.digit_runs(chinese_cardinal(value)) == [str(value)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("my order number is one two three four", "1234"),
        ("it's 12 34 thanks", "1234"),
        ("order #1,234 please", "1234"),
        ("twelve hundred and thirty four", "1234"),
        ("twelve hundred", "1200"),
        ("one two to for", "1224"),
        ("i want to return order one two three four", "1234"),
        ("one two three for", "1234"),
        ("oh one two three four", "1234"),
        ("oh one two three", "0123"),
        ("one two three four no one two three five", "1235"),
        ("sorry i meant two zero two six", "2026"),
        ("triple five one", "5551"),
        ("订单号是一二三四", "1234"),
        ("我的订单号是幺二三四啊", "1234"),
        ("一千二百三十四", "1234"),
        ("两千零二十六", "2026"),
        ("一千二", "1200"),
        ("十二三十四", "1234"),
        ("一二三四不对一二三五", "1235"),
        ("１２３４", "1234"),  # noqa: RUF001
        ("where is my order", None),
        ("i bought two lamps and one pan", None),
        ("five digits one two three four five", None),
        ("等一下", None),
        ("", None),
    ],
)
def test_find_an_order_number(text: str, found: str | None) -> None:
    assert slots.find_digits(text, 4, 4) == found


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("one two", "12"),
        ("three", "3"),
        ("it's one", "1"),
        ("i have only one lamp", ""),
        ("等一下", ""),
        ("一", "1"),
    ],
)
def test_a_part_of_a_number(text: str, part: str) -> None:
    assert slots.part_of_digits(text, 4) == part


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("one two three four", 4),
        ("my number is one two", 2),
        ("it's 1234", 4),
        ("twenty", 2),
        ("twelve thirty four", 4),
        ("one thousand two hundred", 4),
        ("double five", 2),
        ("one two three no one two", 2),
        ("one", 1),
        ("订单号是一二三四", 4),
        ("the blue one", 0),
        ("one two three four please", 0),
        ("i want to", 0),
        ("", 0),
    ],
)
def test_how_many_digits_a_text_ends_with(text: str, count: int) -> None:
    assert slots.digits_at_end(text) == count


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    for run in slots.digit_runs(text):
        assert run.isascii() and run.isdigit()
    slots.yes_no(text)
    slots.mask_digits(text)
    assert slots.digits_at_end(text) >= 0


YES = """
yes|yeah sure|Yes, please.|that's right|okay go ahead|um yes|correct|no problem|of course|
是|是的|对的|好的|没错|可以|嗯对|没问题|不错
"""
NO = """
no|nope|no thanks|that's wrong|that's not right|no that isn't right|don't|not correct|wrong|
不是|不对|不用了|不要|错了|嗯不是
"""
NEITHER = """
what do you mean|one two three four|i don't know|not sure|how long does delivery take|
你说什么|不知道|配送要多久|
"""


def test_yes_and_no() -> None:
    for text in YES.replace("\n", "").split("|"):
        assert slots.yes_no(text) is True, text
    for text in NO.replace("\n", "").split("|"):
        assert slots.yes_no(text) is False, text
    for text in NEITHER.replace("\n", "").split("|"):
        assert slots.yes_no(text) is None, text


def test_choose_the_longest_phrase_between_word_borders() -> None:
    choices = {"damaged": ["broken"], "wrong": ["wrong one", "发错"], "none": ["one", "don't like it"]}
    assert slots.choose("It's BROKEN.", choices) == "damaged"
    assert slots.choose("you sent the wrong one", choices) == "wrong"
    assert slots.choose("i dont like it", choices) == "none"
    assert slots.choose("unbroken", choices) is None
    assert slots.choose("你们发错货了", choices) == "wrong"


def test_numbers_look_alike_to_the_intent_model() -> None:
    assert slots.mask_digits("order one two three four please") == ["order", "#", "please"]
    assert slots.mask_digits("订单1234在哪") == ["订", "单", "#", "在", "哪"]
    assert slots.mask_digits("a bigger one") == ["a", "bigger", "one"]
