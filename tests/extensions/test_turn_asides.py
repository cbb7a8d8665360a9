"""Words to somebody else in the room: the agent speaks on, answers nothing, and keeps a hold."""

import json
import shutil
from pathlib import Path

import pytest

from extensions.turn._actions import Confirm, End, Play, Speak, TakeFloor
from extensions.turn._machine import State
from extensions.turn._words import Finish
from extensions.turn.semantic import SemanticTurn
from tests.extensions import test_turn_machine as machine
from tests.extensions.test_turn_machine import MOST_S, Talk
from tests.extensions.test_turn_semantic import at, said
from voice_agent import resources
from voice_agent.dialogue.floor import tokens_of
from voice_agent.message import Heard, Message, Playback, SpeechEnded, SpeechStarted, Transcript, TurnEnded
from voice_agent.testing import FakeSession, Outbox, collect, run

ASIDE = "mum dinner is ready"
MAYBE = "maybe dinner is ready"
ASIDES = {"mum": 0.9, "maybe": 0.89, "perhaps": 0.5, "hardly": 0.49}
"""Probability of an aside by a word in it: at each side of the two thresholds."""


def finish(text: str, language: str) -> Finish:
    """What the other tests take for finished or not, and by the text itself for whom it is."""
    aside = max((ASIDES.get(word, 0.0) for word in text.split()), default=0.0)
    return machine.finish(text, language)._replace(aside=aside)


def a_talk(talk: Talk | None = None) -> Talk:
    talk = talk or Talk()
    talk.machine.patience.finish = finish
    return talk


def over_the_agent(text: str, voiced_s: float = 0.8) -> Talk:
    """The caller has said this, and goes on."""
    talk = a_talk()
    talk.agent_speaks()
    talk.onset()
    talk.wait(0.1)
    talk.understood(text)
    talk.wait(voiced_s - 0.1)
    return talk


# --- over the agent's voice ---


def test_the_agent_speaks_on_and_its_voice_is_turned_up_again() -> None:
    talk = over_the_agent(ASIDE)
    assert (talk.state(), talk.modes) == (State.DUCKED, ["ducked"]), "and it is not silent meanwhile"
    talk.offset()
    talk.understood(ASIDE, final=True)
    assert (talk.state(), talk.modes) == (State.AGENT_SPEAKING, ["ducked", "full"])
    talk.wait(3)
    assert (talk.of(TakeFloor), talk.ends) == ([], [])


def test_it_is_turned_up_at_the_first_silence_if_all_words_are_known() -> None:
    talk = over_the_agent(ASIDE)
    talk.understood(ASIDE)
    talk.pause()
    talk.wait(0.04)
    assert (talk.state(), talk.modes) == (State.AGENT_SPEAKING, ["ducked", "full"])
    talk.offset()
    talk.understood(ASIDE, final=True)
    talk.wait(3)
    assert (talk.of(TakeFloor), talk.ends) == ([], []), "the final words come too late to count"


def test_words_for_the_agent_after_it_are_heard() -> None:
    talk = over_the_agent(ASIDE)
    talk.offset()
    talk.understood(ASIDE, final=True)
    talk.say("the other order")
    talk.wait(0.4)
    assert talk.ends == ["the other order"]


@pytest.mark.parametrize("text", [MAYBE, "perhaps dinner is ready"])
def test_what_may_be_one_is_heard_out_before_the_agent_yields(text: str) -> None:
    talk = over_the_agent(text)
    assert (talk.state(), talk.of(TakeFloor)) == (State.DUCKED, [])
    talk.offset()
    assert talk.of(TakeFloor) == []
    talk.understood(text, final=True)
    assert len(talk.of(TakeFloor)) == 1 and talk.modes == ["ducked", "full"]
    talk.wait(0.4)
    assert talk.ends == [text]


def test_what_may_be_one_is_complete_at_the_first_silence_if_all_words_are_known() -> None:
    talk = over_the_agent(MAYBE)
    talk.understood(MAYBE)
    talk.pause()
    talk.wait(0.04)
    assert len(talk.of(TakeFloor)) == 1


def test_what_turns_out_to_be_one_is_let_pass() -> None:
    talk = over_the_agent(MAYBE)
    talk.offset()
    talk.understood(f"{MAYBE} mum", final=True)
    assert (talk.state(), talk.of(TakeFloor)) == (State.AGENT_SPEAKING, [])


def test_what_is_hardly_one_is_not_waited_for() -> None:
    talk = over_the_agent("hardly dinner is ready")
    assert talk.state() == State.CALLER_SPEAKING


def test_who_wants_the_floor_gets_it_whoever_else_is_spoken_to() -> None:
    talk = over_the_agent("stop mum", voiced_s=0.2)
    assert talk.state() == State.CALLER_SPEAKING
    assert talk.modes == ["ducked", "full"] and len(talk.of(TakeFloor)) == 1


# --- in silence ---


def test_it_is_no_turn_and_no_part_of_the_next() -> None:
    talk = a_talk()
    talk.say(ASIDE)
    talk.wait(MOST_S)
    assert (talk.state(), talk.of(End)) == (State.LISTENING, [])
    talk.ask()
    assert talk.ends == ["where is my order"]


def test_nor_does_one_that_asks_to_wait_begin_a_hold() -> None:
    talk = a_talk()
    talk.say("mum hold on tight")
    talk.wait(MOST_S)
    assert (talk.state(), talk.of(End), talk.machine.on_hold) == (State.LISTENING, [], False)


def test_nothing_is_prepared_for_what_may_be_one_but_it_is_answered() -> None:
    talk = a_talk()
    talk.say(MAYBE)
    talk.wait(0.4)
    assert [(end.text, end.tentative) for end in talk.done if isinstance(end, End)] == [(MAYBE, False)]
    assert not talk.of(Confirm)


def test_a_stop_with_it_is_a_turn() -> None:
    talk = a_talk()
    talk.say("mum stop")
    talk.wait(0.4)
    assert talk.ends == ["mum stop"]


def test_the_whole_of_what_callers_of_this_trade_say_is_for_the_agent() -> None:
    talk = a_talk()
    talk.machine.patience.whole = frozenset({tokens_of("a present for mum")})
    talk.ask("a present for mum")
    assert talk.ends == ["a present for mum"]
    assert talk.of(Confirm), "and its answer was prepared"


def test_the_hold_goes_on_and_so_does_its_clock() -> None:
    talk = a_talk(machine.on_hold())
    talk.say(ASIDE, seconds=1.0)
    talk.wait(3)
    assert (talk.state(), talk.machine.on_hold, talk.of(End)) == (State.ON_HOLD, True, [])
    talk.wait(6.1)
    assert talk.of(Speak) == [Speak("hold")], "10 s after the agent was last heard"
    assert talk.of(Play) == []


# --- the node, with the words' own judge ---

SPOKEN = ["honey can you close the door", "老公你去开一下门"]


@pytest.fixture
def answering(tmp_path: Path) -> str:
    """A vertical that takes all for said to the agent."""
    folder = tmp_path / "open_door"
    shutil.copytree(resources.folder("verticals") / "customer_service", folder)
    content = json.loads((folder / "vertical.json").read_text("utf-8"))
    content.setdefault("manners", {})["answers_asides"] = True
    (folder / "vertical.json").write_text(json.dumps(content), "utf-8")
    return str(folder)


def feed(vertical: str, session: FakeSession, *messages: Message) -> Outbox:
    return run(collect(SemanticTurn(vertical=vertical), *messages, session=session))


def over_an_answer(text: str) -> list[Message]:
    return [
        *said("what are your opening hours"), at(2.4), Heard(1, ""), Heard(1, "We are open"),
        SpeechStarted(3.0), at(3.2), Transcript(text, final=False, end_s=3.6), at(3.7),
        SpeechEnded(4.0), Transcript(text, final=True, confidence=0.9, end_s=4.0), at(6.0),
    ]  # fmt: skip


@pytest.mark.parametrize("text", SPOKEN)
def test_nobody_answers_it(text: str) -> None:
    session = FakeSession()
    out = feed("customer_service", session, *said(text), at(4.5))
    assert (out.of(TurnEnded), session.turn) == ([], 0)


@pytest.mark.parametrize("text", SPOKEN)
def test_nothing_is_cut_by_it(text: str) -> None:
    session = FakeSession()
    out = feed("customer_service", session, *over_an_answer(text))
    assert [p.mode for p in out.of(Playback)] == ["ducked", "full"]
    assert (session.interrupts, session.turn) == ([], 1)


@pytest.mark.parametrize("text", SPOKEN)
def test_a_vertical_may_have_all_of_it_answered(answering: str, text: str) -> None:
    out = feed(answering, FakeSession(), *said(text), at(4.5))
    assert [ended.text for ended in out.of(TurnEnded)] == [text]
    session = FakeSession()
    out = feed(answering, session, *over_an_answer(text))
    assert out.of(TurnEnded)[-1].text == text
    assert session.interrupts[0] == 1
