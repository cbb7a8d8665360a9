"""When a turn ends, in audio time: the recogniser may be slow, the caller may go on, noise is no turn."""

import pytest

from extensions.turn.silence import SilenceTurn
from voice_agent.message import (
    AudioFrame,
    Heard,
    Message,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    TurnEnded,
    TurnStarted,
    Typed,
)
from voice_agent.testing import FakeSession, Outbox, collect, run, silence


def at(time_s: float) -> AudioFrame:
    return AudioFrame(silence(0.02), time_s=time_s)


def said(text: str, start_s: float = 1.0, end_s: float = 2.0, confidence: float = 0.9) -> list[Message]:
    return [
        SpeechStarted(start_s),
        SpeechEnded(end_s),
        Transcript(text, final=True, confidence=confidence, end_s=end_s),
    ]


def feed(*messages: Message, session: FakeSession | None = None, **config: int) -> Outbox:
    return run(collect(SilenceTurn(**config), *messages, session=session))


def test_a_turn_ends_after_the_silence_and_not_before() -> None:
    assert not feed(*said("hello"), at(2.34)).of(TurnEnded)
    ended = feed(*said("hello"), at(2.36)).of(TurnEnded)
    assert [(e.text, e.turn, e.ended_s) for e in ended] == [("hello", 1, 2.0)]


def test_it_waits_for_a_slow_recogniser() -> None:
    started, stopped, transcript = said("hello")
    out = feed(started, stopped, at(2.5), at(3.0), transcript)
    assert [e.text for e in out.of(TurnEnded)] == ["hello"]
    assert out[-1].port == "turn_ended", "the transcript itself ended it, no further frame was needed"


def test_it_does_not_wait_for_ever() -> None:
    started, stopped, _ = said("hello")
    assert not feed(started, stopped, at(5.9)).of(TurnEnded)
    ended = feed(started, stopped, at(6.1)).of(TurnEnded)
    assert [(e.text, e.confidence) for e in ended] == [("", 0.0)]


def test_a_pause_within_a_turn_joins_both_parts() -> None:
    out = feed(*said("my order number is", 1, 2), at(2.3), *said("one two three four", 2.35, 4), at(4.5))
    assert [e.text for e in out.of(TurnEnded)] == ["my order number is one two three four"]
    assert len(out.of(TurnStarted)) == 1


def test_chinese_parts_are_joined_without_a_space() -> None:
    out = feed(*said("我的订单号是", 1, 2), *said("一二三四", 2.2, 3), at(3.5))
    assert out.of(TurnEnded)[0].text == "我的订单号是一二三四"


def test_while_the_caller_speaks_no_turn_ends() -> None:
    assert not feed(*said("hello"), SpeechStarted(2.2), at(9.0)).of(TurnEnded)


def test_a_stalled_network_is_no_silence() -> None:
    """No frames come, so audio time stands still, however long it takes."""
    assert not feed(*said("hello"), at(2.1)).of(TurnEnded)


def test_a_cough_is_no_turn() -> None:
    out = feed(*said("", 1.0, 1.3), at(2.0), *said("hello", 3, 4), at(4.5))
    assert [e.text for e in out.of(TurnEnded)] == ["hello"]


def test_long_speech_that_nobody_understood_is_a_turn_without_words() -> None:
    assert [e.text for e in feed(*said("", 1.0, 2.5), at(3.0)).of(TurnEnded)] == [""]


def test_a_cough_that_cut_the_agent_off_is_answered() -> None:
    out = feed(Heard(1, "Hello"), *said("", 1.0, 1.2), at(2.0))
    assert [e.text for e in out.of(TurnEnded)] == [""]


@pytest.mark.parametrize(
    ("heard", "interrupts"),
    [
        ([Heard(1, "")], True),
        ([Heard(1, ""), Heard(1, "Hello there.")], True),
        ([Heard(1, ""), Heard(1, "Hello there.", final=True)], False),
        ([], False),
    ],
)
def test_speech_over_the_agent_interrupts_it(heard: list[Message], interrupts: bool) -> None:
    session = FakeSession()
    out = feed(*heard, SpeechStarted(1.0), session=session)
    assert bool(session.interrupts) is interrupts
    assert len(out.of(TurnStarted)) == 1


def test_an_answer_that_is_still_being_made_is_interrupted_too() -> None:
    session = FakeSession()
    feed(*said("hello"), at(2.5), SpeechStarted(2.6), session=session)
    assert session.interrupts == [1]


def test_a_caller_who_went_on_is_answered_for_all_of_it() -> None:
    """The turn had ended too early; nothing of the answer was heard."""
    out = feed(*said("I want to return"), at(2.5), *said("the blue shoes", 2.6, 3.5), at(4.0))
    assert [e.text for e in out.of(TurnEnded)] == ["I want to return", "I want to return the blue shoes"]


def test_what_was_answered_aloud_is_not_said_again() -> None:
    out = feed(
        *said("where is my order"), at(2.5), Heard(1, ""), Heard(1, "It was"),
        *said("no the other one", 3, 4), Heard(1, "It was", final=True, interrupted=True), at(4.5),
    )  # fmt: skip
    assert [e.text for e in out.of(TurnEnded)] == ["where is my order", "no the other one"]


def test_a_late_word_of_an_older_reply_changes_nothing() -> None:
    session = FakeSession()
    feed(*said("hello"), at(2.5), Heard(0, "old", final=True), SpeechStarted(2.6), session=session)
    assert session.interrupts == [1], "reply 1 is still being made"


def test_a_typed_line_is_a_turn_at_once() -> None:
    session = FakeSession()
    out = feed(Typed("where is my order"), session=session)
    assert [e.text for e in out.of(TurnEnded)] == ["where is my order"]
    assert session.interrupts == [0]


def test_the_least_sure_part_decides_the_confidence() -> None:
    out = feed(*said("my order", 1, 2, 0.9), *said("is late", 2.1, 3, 0.5), at(3.5))
    assert out.of(TurnEnded)[0].confidence == 0.5


def test_words_that_were_not_answered_keep_their_worth_when_a_cough_follows() -> None:
    out = feed(*said("where is my order"), at(2.4), *said("", 2.5, 2.7), at(3.1))
    again = out.of(TurnEnded)[1]
    assert (again.text, again.confidence) == ("where is my order", 1.0)


def lost(start_s: float, end_s: float) -> list[Message]:
    """Frames whose sound has not come."""
    count = round((end_s - start_s) / 0.02)
    return [AudioFrame(silence(0.02), time_s=round(start_s + i * 0.02, 2), gap=True) for i in range(count)]


def test_a_gap_is_no_silence() -> None:
    """The caller has said something, and for five seconds nothing comes: in them he may have gone on."""
    out = feed(*said("hello"), at(2.1), *lost(2.12, 7.0))
    assert not out.of(TurnEnded)
    assert not feed(*said("hello"), at(2.1), *lost(2.12, 7.0), at(7.0), at(7.34)).of(TurnEnded)
    assert feed(*said("hello"), at(2.1), *lost(2.12, 7.0), at(7.0), at(7.36)).of(TurnEnded)


def test_a_gap_before_the_end_of_speech_is_told_counts_too() -> None:
    started, ended, transcript = said("hello")
    gap = lost(2.0, 2.1)
    assert not feed(started, *gap, ended, transcript, at(2.44)).of(TurnEnded)
    assert feed(started, *gap, ended, transcript, at(2.46)).of(TurnEnded)


def test_the_recogniser_is_not_given_up_in_a_gap() -> None:
    started, ended, _ = said("hello")
    assert not feed(started, ended, at(2.1), *lost(2.12, 12.0), at(12.0)).of(TurnEnded)


def test_sound_that_comes_after_its_time_was_filled_counts_once() -> None:
    """A gap of a second, then its packets in a burst: the silence in them is heard after all."""
    burst = [at(round(2.12 + i * 0.02, 2)) for i in range(12)]
    out = feed(*said("hello"), at(2.1), *lost(2.12, 3.12), *burst)
    assert not out.of(TurnEnded), "the last frame begins at 2.34"
    out = feed(*said("hello"), at(2.1), *lost(2.12, 3.12), *burst, at(2.36))
    assert [e.ended_s for e in out.of(TurnEnded)] == [2.0]


def test_in_a_burst_the_caller_may_go_on() -> None:
    out = feed(
        *said("my order", 1, 2), at(2.1), *lost(2.12, 3.12), at(2.12), SpeechStarted(2.14),
        SpeechEnded(2.9), Transcript("is late", True, end_s=2.9), at(3.1), at(3.24), at(3.26),
    )  # fmt: skip
    assert [e.text for e in out.of(TurnEnded)] == ["my order is late"]
