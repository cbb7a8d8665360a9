"""What is read out of spelled codes, names and addresses, spoken or written."""

import pytest

from voice_agent.dialogue import values
from voice_agent.dialogue.dialogue import Dialogue, DialogueState
from voice_agent.dialogue.flow import CONFIRM, FlowState
from voice_agent.dialogue.intents import intent_model
from voice_agent.dialogue.schema import Slot
from voice_agent.dialogue.spelled import CODE_WORDS, find_email, find_spelled, part_of_spelled
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.message import Expecting


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("A, B, one two three.", "AB123"),
        ("alpha bravo one two three", "AB123"),
        ("p as in bravo d for delta nine", "BD9"),
        ("my order is b like in banana two", "B2"),
        ("AB-123", "AB123"),
        ("order AB12 please", "AB12"),
        ("double s triple seven x ray", "SS777X"),
        ("it's a b c no a b d", "ABD"),
        ("my name is SMITH", "SMITH"),
        ("oscar oh zero", "OO0"),
        ("订单号是A B 一二三", "AB123"),
        ("I have a question", None),
        ("where is my order", None),
        ("", None),
    ],
)
def test_codes(text: str, code: str | None) -> None:
    assert find_spelled(text, 2, 8) == code


def test_every_code_word_stands_for_its_letter() -> None:
    spelled = " ".join(word.replace("-", " ") for word in CODE_WORDS)
    assert find_spelled(spelled, 26, 26) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize(("text", "length"), [("a b c d", 3), ("a", 8), ("b", 8)])
def test_a_code_has_its_length(text: str, length: int) -> None:
    assert find_spelled(text, 2, length) is None


def test_a_part_of_a_code_is_kept() -> None:
    assert part_of_spelled("alpha", 5) == "A"
    assert part_of_spelled("it is a b", 5) == "AB"
    assert part_of_spelled("where can i find the letter b on the label", 5) == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("my email is j dot smith at example dot com", "j.smith@example.com"),
        ("It's john_doe@mail.co.uk.", "john_doe@mail.co.uk"),
        ("John at G mail dot com.", "john@gmail.com"),
        ("b as in bravo, double s at outlook dot com", "bss@outlook.com"),
        ("juliet alpha underscore nine at web dot de", "ja_9@web.de"),
        ("a dash b plus c at mail dot example dot org", "a-b+c@mail.example.org"),
        ("我的邮箱是 a b c 艾特 example 点 com", "abc@example.com"),
        ("meet me at noon", None),
        ("i don't have one", None),
    ],
)
def test_addresses(text: str, address: str | None) -> None:
    assert find_email(text) == address


def test_a_slot_takes_what_is_of_its_type() -> None:
    said = {"en": ["{value}"]}
    code = Slot(type="letters", min_length=4, max_length=6, said=said)
    assert values.find(code, "alpha bravo one two", "en") == "AB12"
    assert values.find(code, "alpha bravo", "en") is None and values.part(code, "alpha bravo") == "AB"
    email = Slot(type="email", said=said)
    assert values.find(email, "x at example dot com", "en") == "x@example.com"
    assert values.part(email, "x at") == ""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("alpha bravo one", 3),
        ("my code is b as in bravo two", 2),
        ("AB-123", 5),
        ("It is AB123.", 5),
        ("AB-123 is my code", 0),
        ("where is my order", 0),
        ("", 0),
    ],
)
def test_how_many_letters_and_digits_a_text_ends_with(text: str, count: int) -> None:
    assert values.at_end("letters", text) == count


def test_what_has_no_length_has_none_at_the_end() -> None:
    assert values.at_end("digits", "one two") == 2
    assert values.at_end("email", "one two") == values.at_end("free", "one two") == 0


def test_the_dialogue_tells_what_it_asks_for() -> None:
    vertical = load_vertical("customer_service")
    slots = vertical.slots | {"code": Slot(type="letters", said={"en": ["{value}"], "zh": ["{value}"]})}
    dialogue = Dialogue(
        vertical.model_copy(update={"slots": slots}), "en", intent_model("customer_service", "en")
    )

    def expected(asking: str, part: str = "") -> Expecting:
        return dialogue.expects(DialogueState(FlowState("start_return", asking=asking, part=part)))

    assert [expected(asking) for asking in ("code", "order_number", "reason", CONFIRM)] == [
        Expecting("letters", 1, 15),
        Expecting("digits", 4, 4),
        Expecting("free"),
        Expecting("yes_no"),
    ]
    assert expected("order_number", part="2") == Expecting("digits", 3, 3)
    assert dialogue.expects(DialogueState()) == Expecting("free")
