"""The node itself, with the words' own judge: what reaches the session and the graph."""

import asyncio

import pytest

from extensions.turn.semantic import SemanticTurn
from voice_agent.message import (
    AudioFrame,
    Expecting,
    Heard,
    Hold,
    Message,
    Nudge,
    Playback,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Transcript,
    TurnEnded,
    TurnStarted,
    Typed,
)
from voice_agent.testing import FakeSession, Outbox, attach, collect, run, silence


def at(time_s: float) -> AudioFrame:
    return AudioFrame(silence(0.02), time_s=time_s)


def said(text: str, start_s: float = 1.0, end_s: float = 2.0, confidence: float = 0.9) -> list[Message]:
    return [
        SpeechStarted(start_s),
        SpeechEnded(end_s),
        Transcript(text, final=True, confidence=confidence, end_s=end_s),
    ]


def feed(*messages: Message, session: FakeSession | None = None) -> Outbox:
    return run(collect(SemanticTurn(), *messages, session=session))


@pytest.mark.parametrize("text", ["what are your opening hours", "我的订单什么时候到"])
def test_a_finished_question_ends_the_turn_soon(text: str) -> None:
    session = FakeSession()
    out = feed(*said(text), at(2.4), session=session)
    assert [(e.text, e.turn, e.ended_s) for e in out.of(TurnEnded)] == [(text, 1, 2.0)]
    assert not session.tentative, "it is confirmed"
    assert session.interrupts == []


def test_what_a_vertical_knows_as_a_whole_sentence_is_one() -> None:
    messages = [*said("how can i pay"), at(2.4)]
    out = run(collect(SemanticTurn(vertical="customer_service"), *messages, session=FakeSession()))
    assert [e.text for e in out.of(TurnEnded)] == ["how can i pay"]


@pytest.mark.parametrize("text", ["i would like to return the", "我想问一下那个"])
def test_an_unfinished_one_does_not(text: str) -> None:
    session = FakeSession()
    feed(*said(text), at(2.6), session=session)
    assert session.turn == len(session.tentative)


def test_a_tentative_turn_is_confirmed_only_when_it_is_over() -> None:
    session = FakeSession()
    out = feed(*said("what are your opening hours"), at(2.1), session=session)
    assert [e.turn for e in out.of(TurnEnded)] == [1]
    assert session.is_tentative(1)


def test_it_is_given_up_when_the_caller_goes_on() -> None:
    session = FakeSession()
    first = said("what are your opening hours")
    out = feed(*first, at(2.1), *said("on sundays", 2.15, 2.8), at(3.2), session=session)
    assert [e.text for e in out.of(TurnEnded)] == [
        "what are your opening hours",
        "what are your opening hours on sundays",
    ]
    assert (session.interrupts, session.tentative) == ([1], {})
    assert len(out.of(TurnStarted)) == 1


def test_the_first_silence_is_enough_to_prepare_an_answer() -> None:
    interim = Transcript("what are your opening hours", final=False, end_s=2.0, stable=27)
    session = FakeSession()
    feed(SpeechStarted(1.0), interim, SpeechPaused(2.0), session=session)
    assert session.is_tentative(1)


def test_a_chinese_pause_is_joined_without_a_space() -> None:
    out = feed(*said("我的订单号是", 1, 2), *said("一二三四", 2.2, 3), at(4.5))
    assert out.of(TurnEnded)[-1].text == "我的订单号是一二三四"


def test_a_sound_over_the_agent_turns_it_down_and_words_cut_it() -> None:
    session = FakeSession()
    speaking = [*said("what are your opening hours"), at(2.4), Heard(1, ""), Heard(1, "We are open")]
    out = feed(
        *speaking, SpeechStarted(3.0), at(3.2), Transcript("no wait", final=False, end_s=3.2), session=session
    )
    assert [p.mode for p in out.of(Playback)] == ["ducked", "full"]
    assert session.interrupts == [1]
    assert out[-2].port == "turn_started", "the reply is cut before the voice is turned up"


def test_hold_is_told_and_taken_back() -> None:
    out = feed(
        *said("hold on a second please"), at(2.4), Heard(1, "Sure."), Heard(1, "Sure.", final=True),
        *said("what are your opening hours", 5, 6), at(6.5),
    )  # fmt: skip
    assert [(e.text, e.hold) for e in out.of(TurnEnded)] == [
        ("hold on a second please", True),
        ("what are your opening hours", False),
    ]
    assert [h.on for h in out.of(Hold)] == [True, False]


def test_a_long_silence_opens_a_turn_of_the_agent() -> None:
    session = FakeSession()
    out = feed(at(0.0), at(16.0), session=session)
    assert [(n.why, n.turn) for n in out.of(Nudge)] == [("idle", 1)]


def test_a_typed_line_cuts_and_ends() -> None:
    session = FakeSession()
    out = feed(Typed("where is my order"), session=session)
    assert [(e.text, e.turn) for e in out.of(TurnEnded)] == [("where is my order", 1)]
    assert session.interrupts == [0]


@pytest.mark.parametrize("number", ["one two three four", "it's 1234", "订单号是一二三四"])
def test_a_number_with_all_its_digits_ends_the_turn_soon(number: str) -> None:
    asked_for_four = Expecting("digits", 4, 4)
    out = feed(asked_for_four, *said(number), at(2.25))
    assert [e.text for e in out.of(TurnEnded)] == [number]
    session = FakeSession()
    feed(Expecting("digits"), *said(number), at(2.25), session=session)
    assert session.turn == len(session.tentative), "of which it is not known how many there are: not so soon"


def test_a_number_without_all_its_digits_is_waited_for() -> None:
    session = FakeSession()
    messages = [Expecting("digits", 4, 4), *said("one two", 1, 2), at(3.7), *said("three four", 3.75, 4.5)]
    out = feed(*messages, at(4.75), session=session)
    assert [e.text for e in out.of(TurnEnded)] == ["one two three four"]
    assert session.interrupts == [], "nothing was prepared in vain"


def test_a_number_of_several_lengths_may_go_on_when_it_is_long_enough() -> None:
    session = FakeSession()
    seven = "five five five one two three four"
    out = feed(Expecting("digits", 7, 15), *said(seven), at(2.25), session=session)
    assert session.tentative and len(out.of(TurnEnded)) == 1
    feed(Expecting("digits", 7, 7), *said(seven), at(2.25), session=(whole := FakeSession()))
    assert whole.turn == 1 and not whole.tentative


def test_an_answer_without_a_number_is_no_number() -> None:
    out = feed(Expecting("digits", 4, 4), *said("what are your opening hours"), at(3.0))
    assert [e.text for e in out.of(TurnEnded)] == ["what are your opening hours"]


def test_what_is_expected_counts_only_when_its_turn_is_sure() -> None:
    async def main() -> None:
        session = FakeSession()
        turn = SemanticTurn()
        emit = attach(turn, session)
        await turn.start()
        number = session.begin_turn(tentative=True)
        expecting = Expecting("digits", 4, 4, turn=number)
        telling = asyncio.create_task(turn.handle(expecting, emit))
        await asyncio.sleep(0.1)
        assert not telling.done()
        session.confirm(number)
        await telling
        assert turn._machine.patience.expected == expecting

    run(main())
