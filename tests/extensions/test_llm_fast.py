"""The small model as an extension: answers, declines, and state that follows the caller's words."""

import sqlite3
from pathlib import Path

import pytest

from extensions.llm.fast import FastLlm
from voice_agent.errors import ModelError, TurnError
from voice_agent.message import Declined, Expecting, Message, Prompt, Text, Utterance
from voice_agent.testing import Outbox, attach, collect, run


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_AGENT_STATE", str(tmp_path))


def prompts(*lines: str, language: str = "en") -> list[Message]:
    """Turns whose answers are all heard to some length."""
    history: tuple[Utterance, ...] = ()
    result: list[Message] = []
    for turn, line in enumerate(lines, 1):
        result.append(Prompt(line, language, history, turn=turn))
        history = (*history, Utterance("user", line), Utterance("assistant", "..."))
    return result


def answers(*lines: str, language: str = "en") -> list[str]:
    emitted = run(collect(FastLlm(), *prompts(*lines, language=language)))
    return [text.text for text in emitted.of(Text)]


def test_an_answer_is_one_final_text() -> None:
    emitted = run(collect(FastLlm(), Prompt("how much is shipping", turn=3)))
    assert emitted.of(Text) == [
        Text("Delivery costs 4 dollars 95, and it is free from 50 dollars.", final=True, turn=3)
    ]


def test_what_it_does_not_know_is_declined() -> None:
    prompt = Prompt("what is the capital of france", turn=1)
    declined = run(collect(FastLlm(), prompt)).of(Declined)
    assert declined[0].prompt == prompt and "not sure enough" in declined[0].reason


def test_min_probability_can_be_set() -> None:
    emitted = run(collect(FastLlm(min_probability=1.0), Prompt("how much is shipping", turn=1)))
    assert emitted.of(Declined)


def test_a_prompt_can_name_a_flow() -> None:
    emitted = run(collect(FastLlm(), Prompt("", flow="callback", turn=1), Prompt("555 0123", turn=2)))
    assert "5 5 5 0 1 2 3" in emitted.of(Text)[-1].text


def test_an_unknown_flow_ends_the_reply() -> None:
    with pytest.raises(TurnError, match="no flow 'nowhere'"):
        run(collect(FastLlm(), Prompt("", flow="nowhere", turn=1)))


def test_the_recogniser_is_told_when_digits_are_asked_for_and_when_no_more() -> None:
    emitted = run(collect(FastLlm(), *prompts("where is my order", "one two three four", "goodbye")))
    asked_for = [(e.answer, e.min_length, e.max_length) for e in emitted.of(Expecting)]
    assert asked_for == [("digits", 4, 4), ("free", 0, 0), ("free", 0, 0)]


def test_of_a_number_that_was_begun_the_rest_is_asked_for() -> None:
    emitted = run(collect(FastLlm(), *prompts("where is my order", "two three")))
    rest = emitted.of(Expecting)[-1]
    assert (rest.answer, rest.min_length, rest.max_length) == ("digits", 2, 2)


def test_a_question_for_a_choice_is_no_question_for_digits() -> None:
    emitted = run(collect(FastLlm(), *prompts("i want to return order 2345")))
    assert emitted.of(Expecting)[-1].answer == "free"


def test_several_slots_in_one_sentence() -> None:
    (first,) = answers("i want to return order 2345 because it is broken")
    assert first == "Shall I start the return of the reading lamp, because it is damaged?"


def test_a_return_is_stored(tmp_path: Path) -> None:
    answers("return order two three four five", "i changed my mind", "yes please")
    connection = sqlite3.connect(tmp_path / "customer_service.sqlite")
    assert connection.execute("SELECT order_number, reason FROM returns").fetchall() == [
        ("2345", "changed_mind")
    ]
    connection.close()


def test_an_order_on_its_way_cannot_be_returned() -> None:
    assert "still on its way" in answers("return order 1234")[0]


def test_no_ends_a_return_unbooked(tmp_path: Path) -> None:
    assert "I won't" in answers("my order 2345 arrived broken", "no")[-1]
    connection = sqlite3.connect(tmp_path / "customer_service.sqlite")
    assert connection.execute("SELECT count(*) FROM returns").fetchone() == (0,)
    connection.close()


def test_corrections() -> None:
    said = answers("return order 2345", "damaged", "no sorry it's order two zero two six", "yes")
    assert "wool blanket" in said[2] and "7 0 0 1" in said[3]
    assert "linen tablecloth" in answers("where is order one two three four no one two three five")[0]
    assert "wool blanket" in answers("where is order 1234", "no i meant order 2026")[1]


def test_cancel_and_repeat_in_a_flow() -> None:
    said = answers("start a return", "what did you say", "never mind", "say that again")
    assert said[1] == said[0]
    assert said[2].startswith("All right") and said[3] == said[2]


def test_repeat_of_what_another_node_said() -> None:
    history = (Utterance("user", "capital of france"), Utterance("assistant", "Paris."))
    emitted = run(collect(FastLlm(), Prompt("what did you say", history=history, turn=1)))
    assert emitted.of(Text)[0].text == "Paris."


def test_another_flow_in_the_middle_takes_what_is_known() -> None:
    said = answers("return order 2345", "where is my order")
    assert "has been delivered" in said[1]


def test_a_flow_gives_up_after_three_misses() -> None:
    said = answers("where is my order", "blah blah", "hmm so", "la la la", "mumble", "murmur", "drone")
    assert said[3].startswith("I can't sort this out") and said[3].endswith("callback?")
    assert said[6].startswith("I'm sorry, I can't take that down")


def test_a_wrong_number_is_asked_again() -> None:
    said = answers("call me back", "555 0123", "no", "555 0124")
    assert said[2].startswith("What phone number") and "5 5 5 0 1 2 4" in said[3]


def test_the_rest_of_a_number_may_come_while_it_is_read_back() -> None:
    assert "5 5 5 0 1 2 3 4 5" in answers("call me back", "555 0123", "four five")[2]


def test_chinese_flow() -> None:
    said = answers("我想退货", "订单号是二三四五", "不喜欢", "对", language="zh")
    assert "改了主意" in said[2] and "7 0 0 1" in said[3]


def test_a_continued_turn_replaces_the_one_before() -> None:
    """The caller went on before hearing anything: its words come again, and count once."""
    history = (Utterance("assistant", "Hello."),)
    heard = (
        *history,
        Utterance("user", "where is my order"),
        Utterance("assistant", "What is your order number?"),
    )
    messages = [
        Prompt("where is my order", history=history, turn=2),
        Prompt("one two", history=heard, turn=3),
        Prompt("one two three four", history=heard, turn=4),
    ]
    assert "1 2 3 4" in run(collect(FastLlm(), *messages)).of(Text)[-1].text


def test_yes_twice_books_once(tmp_path: Path) -> None:
    asked = (Utterance("assistant", "Is that right?"),)
    messages = [*prompts("call me back", "555 0123"), Prompt("yes", history=asked, turn=3)]
    messages.append(Prompt("yes please", history=asked, turn=4))
    emitted = run(collect(FastLlm(), *messages))
    assert "colleague call you back" in emitted.of(Text)[-1].text
    connection = sqlite3.connect(tmp_path / "customer_service.sqlite")
    assert connection.execute("SELECT phone, topic FROM callbacks").fetchall() == [
        ("5550123", "call me back")
    ]
    connection.close()


def test_flush_keeps_the_flow() -> None:
    async def main() -> Outbox:
        fast = FastLlm()
        emit = attach(fast)
        fast.prepare()
        await fast.start()
        await fast.handle(Prompt("where is my order", turn=1), emit)
        fast.flush()
        await fast.handle(Prompt("1 2 3 4", history=(Utterance("user", "where is my order"),), turn=2), emit)
        return emit

    assert "1 2 3 4" in run(main()).of(Text)[-1].text


def test_calls_do_not_share_state() -> None:
    assert "order number" in answers("where is my order")[0]
    assert answers("one two")[:1] != ["1 2. And the rest?"]


def test_a_vertical_that_is_not_there() -> None:
    with pytest.raises(ModelError, match="unknown vertical 'nowhere'"):
        FastLlm(vertical="nowhere").prepare()
