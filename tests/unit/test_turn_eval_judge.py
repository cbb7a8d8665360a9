"""What came of events, on conversations made by hand."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from voice_agent.audio import SAMPLE_RATE
from voice_agent.message import Heard, Hold, Message, Nudge, Playback, Samples, TurnEnded, Word
from voice_agent.testing import silence, tone
from voice_agent.turn_eval import judge
from voice_agent.turn_eval.caller import Placed
from voice_agent.turn_eval.channel import Shift
from voice_agent.turn_eval.client import Reply
from voice_agent.turn_eval.judge import Row
from voice_agent.turn_eval.material import Span
from voice_agent.turn_eval.scenario import Conversation, Event, Label
from voice_agent.turn_eval.trial import Note, Record

LASTS_S = 20.0


@dataclass
class Made:
    """A conversation in the making."""

    events: list[tuple[Label, tuple[Span, ...]]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    agent: Samples = field(default_factory=lambda: silence(LASTS_S))
    confirmed: dict[int, float] = field(default_factory=dict)

    def hears(self, label: Label, *spans: tuple[float, float]) -> "Made":
        self.events.append((label, tuple(Span(*span) for span in spans)))
        return self

    def speaks(self, start_s: float, end_s: float, reply: int = 2, cut: bool = False) -> "Made":
        """The agent speaks, and says all of a reply or is cut."""
        first, last = round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE)
        self.agent[first:last] = tone(LASTS_S)[first:last]
        self.note(start_s, Heard(reply, ""))
        return self.note(end_s, Heard(reply, "some words", final=True, interrupted=cut))

    def note(self, time_s: float, message: Message, sure: bool = True) -> "Made":
        self.notes.append(Note(time_s, message, sure))
        return self

    def rows(self) -> list[Row]:
        events = tuple(
            Event(label=label, lasts_ms=5000) if label == "silence" else Event(label=label, say=("x",))
            for label, _ in self.events
        )
        placed = [
            Placed(number, event, spans[0].start_s, spans[-1].end_s - spans[0].start_s, spans, ())
            for number, (event, (_, spans)) in enumerate(zip(events, self.events, strict=True))
        ]
        self.notes.sort(key=lambda note: note.time_s)
        nothing: Samples = np.zeros(0, np.int16)
        record = Record(
            Conversation(name="made", events=events), placed, [], nothing, self.agent, self.notes,
            self.confirmed, {}, {}, {2: Reply("some words", nothing, ())}, False,
        )  # fmt: skip
        return judge.rows(record)


def turn(text: str = "x", turn: int = 2, hold: bool = False) -> TurnEnded:
    return TurnEnded(text, turn=turn, hold=hold)


def test_a_turn_that_is_answered() -> None:
    made = Made().hears("turn", (2.0, 3.0)).note(3.3, turn()).speaks(3.5, 6.0)
    row = made.rows()[0]
    assert row.answerable
    assert row.answered_s == pytest.approx(0.5, abs=0.002)
    assert row.waited_s == pytest.approx(0.3)
    assert (row.cut_ins, row.pauses, row.held) == (0, 0, False)


def test_a_turn_that_is_not_answered_before_the_caller_speaks_again() -> None:
    made = Made().hears("turn", (2.0, 3.0)).hears("turn", (5.0, 6.0)).speaks(6.4, 8.0)
    first, second = made.rows()
    assert (first.answerable, first.answered_s) == (True, None)
    assert second.answered_s == pytest.approx(0.4, abs=0.002)


def test_a_pause_that_is_taken_for_the_end() -> None:
    made = Made().hears("turn", (2.0, 3.0), (4.0, 5.0)).note(3.35, turn()).speaks(3.5, 4.1, cut=True)
    made.note(5.3, turn(turn=3)).speaks(5.5, 7.0, reply=3)
    row = made.rows()[0]
    assert (row.pauses, row.cut_pauses, row.cut_ins) == (1, 1, 1)
    assert row.answered_s == pytest.approx(0.5, abs=0.002)


def test_a_tentative_turn_cuts_nobody_off_before_it_is_sure() -> None:
    made = Made().hears("turn", (2.0, 3.0), (4.0, 5.0)).note(3.1, turn(), sure=False)
    made.note(5.1, turn(turn=3), sure=False).speaks(5.4, 7.0, reply=3)
    made.confirmed[3] = 5.3
    row = made.rows()[0]
    assert (row.pauses, row.cut_pauses) == (1, 0)
    assert row.waited_s == pytest.approx(0.3)


def test_an_interruption_that_is_yielded_to() -> None:
    made = Made().hears("interruption", (4.0, 5.5)).speaks(2.0, 4.4, cut=True).speaks(6.0, 8.0, reply=3)
    row = made.rows()[0]
    assert row.over_agent
    assert row.stopped_s == pytest.approx(0.4, abs=0.002)
    assert row.down_s == pytest.approx(0.4, abs=0.01)
    assert row.answered_s == pytest.approx(0.5, abs=0.002)
    assert row.resumed_s is None


def test_an_interruption_that_is_spoken_over() -> None:
    row = Made().hears("interruption", (4.0, 5.0)).speaks(2.0, 6.5).rows()[0]
    assert (row.over_agent, row.stopped_s, row.answerable) == (True, None, False)
    assert not row.finished  # its end came by itself, but long after it was to have yielded


def test_who_ends_by_himself_has_not_yielded() -> None:
    row = Made().hears("interruption", (4.0, 5.0)).speaks(2.0, 4.3).rows()[0]
    assert (row.finished, row.stopped_s) == (True, None)


def test_a_backchannel_that_is_talked_through() -> None:
    row = Made().hears("backchannel", (4.0, 4.4)).speaks(2.0, 8.0).rows()[0]
    assert (row.over_agent, row.stopped_s, row.answered_s) == (True, None, None)


def test_a_backchannel_that_makes_the_agent_pause_and_go_on() -> None:
    made = Made().hears("backchannel", (4.0, 4.4)).speaks(2.0, 8.0).note(4.1, Playback("paused"))
    made.agent[round(4.2 * SAMPLE_RATE) : round(4.8 * SAMPLE_RATE)] = 0
    row = made.rows()[0]
    assert row.stopped_s == pytest.approx(0.2, abs=0.002)
    assert row.resumed_s == pytest.approx(0.6, abs=0.002)
    assert row.down_s == pytest.approx(0.2, abs=0.01)


def test_a_cough_in_silence_that_is_answered() -> None:
    made = Made().hears("vocal_tic", (8.0, 8.4)).speaks(1.0, 3.0, reply=1).speaks(9.0, 11.0)
    assert made.rows()[0].answered_s == pytest.approx(0.6, abs=0.002)


def test_an_answer_that_was_due_is_not_put_down_to_a_cough() -> None:
    made = Made().hears("turn", (4.0, 5.0)).hears("vocal_tic", (5.2, 5.5)).speaks(1.0, 3.0, reply=1)
    made.speaks(6.0, 8.0)
    assert made.rows()[1].answered_s is None


def test_a_hold_that_is_kept() -> None:
    made = Made().hears("wait", (2.0, 3.0)).hears("return", (12.0, 13.0)).note(3.2, turn(hold=True))
    made.speaks(3.4, 4.8).speaks(13.4, 15.0, reply=3)
    wait, back = made.rows()
    assert (wait.held, wait.kept_silent) == (True, True)
    assert not back.held
    assert back.answered_s == pytest.approx(0.4, abs=0.002)


def test_a_hold_in_which_the_agent_goes_on_talking() -> None:
    made = Made().hears("wait", (2.0, 3.0)).note(3.2, Hold(on=True)).speaks(3.4, 9.0)
    row = made.rows()[0]
    assert (row.held, row.kept_silent) == (True, False)


def test_a_reminder_on_hold_is_allowed() -> None:
    made = Made().hears("wait", (2.0, 3.0)).note(3.2, Hold(on=True)).note(10.0, Nudge("hold", turn=3))
    assert made.speaks(10.2, 11.5, reply=3).rows()[0].kept_silent


def test_a_turn_that_is_taken_for_a_hold() -> None:
    made = Made().hears("turn", (2.0, 3.0)).note(3.2, turn(hold=True)).speaks(3.4, 4.8)
    assert made.rows()[0].held


def test_who_speaks_into_silence() -> None:
    made = Made().hears("silence", (5.0, 10.0)).speaks(7.0, 8.0)
    assert made.rows()[0].spoke == 1
    assert made.note(6.9, Nudge("idle", turn=2)).rows()[0].spoke == 0


def test_words_that_are_wholly_repeated_or_lost() -> None:
    words = [Word("a", 0.0, 0.5), Word("b", 0.5, 1.0), Word("c", 1.0, 1.5), Word("d", 1.5, 2.0)]
    assert judge.whole_words(words, Shift(0.3, 1.3)) == 0  # cut within "c" and said again from its start
    assert judge.whole_words(words, Shift(0.8, 1.3)) == 1  # from "b" on
    assert judge.whole_words(words, Shift(-0.7, 0.9)) == -1  # "c" is missing, and a bit of "d"
