"""Every state of a conversation, and what leads from one to another."""

from collections.abc import Iterable

import pytest

from extensions.turn._actions import Action, Confirm, End, GiveUp, Play, Speak, TakeFloor
from extensions.turn._machine import Limits, Machine, State
from extensions.turn._overlap import OverlapJudge
from extensions.turn._patience import Patience
from extensions.turn._sounds import UNKNOWN, Kinds
from extensions.turn._words import Finish
from voice_agent.audio import FRAME_S
from voice_agent.dialogue.floor import common_phrases
from voice_agent.message import AudioFrame, Heard, SpeechEnded, SpeechStarted, Transcript
from voice_agent.testing import tone

HUM, TIC, LISTENING, FLOOR = (Kinds(*(float(at == place) for at in range(5))) for place in range(4))
LEAST_S, MOST_S = 0.2, 1.8
SOUND, SOFT = tone(FRAME_S, level_db=-20), tone(FRAME_S, level_db=-40)


def finish(text: str, language: str) -> Finish:
    """By the text itself: what ends in "and" is unfinished, what has "hold on" in it asks to wait."""
    if "hold on" in text:
        return Finish("wait", {"finished": 0.1, "unfinished": 0.0, "wait": 0.9})
    if text.endswith("and"):
        return Finish("unfinished", {"finished": 0.0, "unfinished": 1.0, "wait": 0.0})
    return Finish("finished", {"finished": 1.0, "unfinished": 0.0, "wait": 0.0})


class Known:
    """In place of a watch: what the sound is, a test says."""

    kinds = UNKNOWN

    def begin(self, onset_s: float) -> None: ...

    def hear(self, frame: AudioFrame) -> None: ...


class Talk:
    """A machine, and the time at its caller's end."""

    def __init__(self, **limits: float) -> None:
        self.machine = Machine(
            Patience(finish, LEAST_S, MOST_S), OverlapJudge(common_phrases()), Limits(**limits),  # type: ignore[arg-type]
        )  # fmt: skip
        self.sound = self.machine.watch = Known()  # type: ignore[assignment]
        self.now_s = 0.0
        self.soft = False
        """Whether somebody far away is heard."""
        self.done: list[Action] = []
        self.turn = 1

    def state(self) -> State:
        return self.machine.state

    def _do(self, actions: Iterable[Action]) -> None:
        for action in list(actions):
            self.done.append(action)
            if isinstance(action, Speak) or (isinstance(action, End) and not action.tentative):
                self.turn += 1
                self.machine.answering(self.turn)
            elif isinstance(action, End):
                self.turn += 1
            elif isinstance(action, Confirm):
                self.machine.answering(self.turn)

    def wait(self, seconds: float, gap: bool = False) -> None:
        """Time passes."""
        for _ in range(round(seconds / FRAME_S)):
            self._do(self.machine.hear(AudioFrame(SOFT if self.soft else SOUND, self.now_s, gap)))
            self.now_s += FRAME_S

    def onset(self) -> None:
        self._do(self.machine.onset(SpeechStarted(self.now_s)))

    def pause(self) -> None:
        self._do(self.machine.pause(self.now_s))

    def offset(self) -> None:
        self._do(self.machine.offset(SpeechEnded(self.now_s)))

    def understood(self, text: str, final: bool = False, confidence: float = 0.9) -> None:
        said = self.machine.said
        end_s = said.ended_s if final and said and said.ended_s else self.now_s
        self._do(self.machine.understood(Transcript(text, final, "en", confidence, end_s, stable=len(text))))

    def say(self, text: str, seconds: float = 1.0, confidence: float = 0.9) -> None:
        """A stretch of speech with its final transcript."""
        self.onset()
        self.wait(seconds)
        self.offset()
        self.understood(text, True, confidence)

    def heard(
        self, text: str, final: bool = False, interrupted: bool = False, protected: bool = False
    ) -> None:
        self._do(self.machine.heard(Heard(self.turn, text, final, interrupted, protected)))

    def ask(self, text: str = "where is my order") -> None:
        """A turn that is over."""
        self.say(text)
        self.wait(LEAST_S + 0.1)
        assert self.state() == State.THINKING

    def agent_speaks(self, text: str = "It was sent", protected: bool = False) -> None:
        self.ask()
        self.heard("")
        self.heard(text, protected=protected)
        self.done.clear()

    def of(self, kind: type) -> list[Action]:
        return [action for action in self.done if isinstance(action, kind)]

    @property
    def ends(self) -> list[str]:
        """The texts of the turns that are over."""
        texts, guess = [], ""
        for action in self.done:
            if isinstance(action, End) and action.tentative:
                guess = action.text
            elif isinstance(action, End):
                texts.append(action.text)
            elif isinstance(action, Confirm):
                texts.append(guess)
        return texts

    @property
    def modes(self) -> list[str]:
        return [action.mode for action in self.done if isinstance(action, Play)]


# --- listening, the caller's turn, its end ---


def test_a_voice_takes_a_free_floor() -> None:
    talk = Talk()
    talk.wait(1)
    talk.onset()
    assert (talk.state(), talk.done) == (State.CALLER_SPEAKING, [TakeFloor(talk.now_s, cut=False)])


def test_who_has_surely_ended_is_answered_after_the_least_silence() -> None:
    talk = Talk()
    talk.say("where is my order")
    assert talk.state() == State.MAYBE_ENDED
    talk.wait(LEAST_S - 0.02)
    assert talk.ends == []
    talk.wait(0.08)
    assert (talk.state(), talk.ends) == (State.THINKING, ["where is my order"])


def test_who_surely_has_not_ended_is_waited_for() -> None:
    talk = Talk()
    talk.say("i want to return two lamps and")
    talk.wait(MOST_S - 0.1)
    assert talk.ends == []
    talk.say("a towel")
    talk.wait(0.3)
    assert talk.ends == ["i want to return two lamps and a towel"]


def test_a_caller_who_went_on_after_an_early_end_is_given_more_time() -> None:
    talk = Talk()
    talk.ask("i want to return")
    talk.say("the blue shoes")
    talk.wait(0.3)
    assert talk.ends[-1] == "i want to return the blue shoes"
    assert talk.machine.patience.pace > 1.0


def test_a_recogniser_that_does_not_answer_is_waited_for_but_not_for_ever() -> None:
    talk = Talk(transcript_s=2.0)
    talk.onset()
    talk.wait(1)
    talk.offset()
    talk.wait(1.9)
    assert talk.ends == []
    talk.wait(0.2)
    assert talk.ends == [""]


def test_a_cough_is_no_turn() -> None:
    talk = Talk()
    talk.say("", seconds=0.3)
    talk.wait(2)
    assert (talk.state(), talk.ends) == (State.LISTENING, [])


def test_long_speech_that_nobody_understood_is_a_turn_without_words() -> None:
    talk = Talk()
    talk.say("", seconds=1.5)
    talk.wait(2)
    assert talk.ends == [""]


def test_lost_sound_is_no_silence() -> None:
    talk = Talk()
    talk.say("where is my order")
    talk.wait(1.5, gap=True)
    talk.wait(LEAST_S - 0.04)
    assert talk.ends == []
    talk.wait(0.1)
    assert talk.ends == ["where is my order"]


def test_a_monologue_is_answered_at_its_first_pause() -> None:
    talk = Talk(monologue_s=5.0)
    talk.say("well and", seconds=6)
    talk.wait(LEAST_S + 0.1)
    assert [(end.text, end.cut_short) for end in talk.done if isinstance(end, End)] == [("well and", True)]


def test_who_is_done_is_not_cut_short_however_long_it_took() -> None:
    talk = Talk(monologue_s=5.0)
    talk.say("well and", seconds=4)
    talk.wait(0.1)
    talk.say("that is all", seconds=3)
    talk.wait(LEAST_S + 0.1)
    assert talk.ends == ["well and that is all"]
    assert not any(end.cut_short for end in talk.done if isinstance(end, End))


def test_nor_is_who_has_not_spoken_too_long() -> None:
    talk = Talk(monologue_s=5.0)
    talk.say("well and", seconds=2)
    talk.wait(MOST_S + 0.1)
    assert [(end.text, end.cut_short) for end in talk.done if isinstance(end, End)] == [("well and", False)]


def test_an_answer_prepared_for_a_whole_turn_is_none_for_one_that_is_cut_short() -> None:
    assert not End("well and", cut_short=True).says(End("well and"))


def test_a_typed_line_is_a_turn_at_once_whatever_went_on() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk._do(talk.machine.typed("stop that"))
    assert (talk.state(), talk.ends) == (State.THINKING, ["stop that"])
    assert isinstance(talk.done[0], TakeFloor) and talk.done[0].cut


# --- speculation ---


def test_an_answer_is_prepared_at_the_first_silence_and_used_when_the_turn_has_ended() -> None:
    talk = Talk()
    talk.onset()
    talk.wait(1)
    talk.pause()
    talk.understood("where is my order")
    assert [(a.text, a.tentative) for a in talk.done if isinstance(a, End)] == [("where is my order", True)]
    talk.wait(0.06)
    talk.offset()
    talk.understood("where is my order", final=True)
    talk.wait(LEAST_S + 0.1)
    assert (len(talk.of(End)), len(talk.of(Confirm)), len(talk.of(GiveUp))) == (1, 1, 0)


def test_a_caller_who_goes_on_makes_it_void() -> None:
    talk = Talk()
    talk.say("where is my order")
    assert talk.of(End)
    talk.wait(0.1)
    talk.onset()
    assert (talk.state(), talk.done[-1]) == (State.CALLER_SPEAKING, GiveUp())


def test_a_voice_that_only_paused_makes_it_void() -> None:
    talk = Talk()
    talk.onset()
    talk.wait(1)
    talk.pause()
    talk.understood("where is my order")
    talk.wait(0.5)
    assert talk.done[-1] == GiveUp()


def test_other_final_words_replace_it() -> None:
    talk = Talk()
    talk.onset()
    talk.wait(1)
    talk.pause()
    talk.understood("where is my")
    talk.offset()
    talk.understood("where is my order", final=True)
    talk.wait(LEAST_S + 0.1)
    assert [type(action) for action in talk.done[1:]] == [End, GiveUp, End, Confirm]
    assert talk.ends == ["where is my order"]


def test_final_words_that_are_not_believed_replace_it() -> None:
    talk = Talk()
    talk.onset()
    talk.wait(1)
    talk.pause()
    talk.understood("where is my order")
    talk.offset()
    talk.understood("where is my order", final=True, confidence=0.1)
    assert GiveUp() in talk.done


def test_nothing_is_prepared_for_words_that_are_unfinished_or_ask_to_wait() -> None:
    for text in ("i want two lamps and", "hold on a second"):
        talk = Talk()
        talk.say(text)
        assert not talk.of(End), text


# --- the agent's turn ---


def test_a_reply_is_thought_of_then_spoken_then_over() -> None:
    talk = Talk()
    talk.ask()
    talk.heard("")
    assert talk.state() == State.AGENT_SPEAKING
    talk.heard("It was sent.", final=True)
    assert talk.state() == State.LISTENING


def test_an_empty_reply_is_over_too() -> None:
    talk = Talk()
    talk.ask()
    talk.heard("", final=True)
    assert talk.state() == State.LISTENING


def test_a_reply_cut_by_the_page_is_over_too() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.heard("It was", final=True, interrupted=True)
    assert talk.state() == State.LISTENING


def test_what_was_answered_aloud_is_not_said_again() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.say("no the other one")
    talk.heard("It was", final=True, interrupted=True)
    talk.wait(0.3)
    assert talk.ends == ["no the other one"]


# --- over the agent's voice ---


def test_a_sound_turns_the_agent_down_at_once() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.onset()
    assert (talk.state(), talk.modes, talk.of(TakeFloor)) == (State.DUCKED, ["ducked"], [])


def test_words_that_want_the_floor_get_it_before_the_sound_has_ended() -> None:
    talk = Talk()
    talk.agent_speaks()
    began_s = talk.now_s
    talk.onset()
    talk.wait(0.2)
    talk.understood("no")
    assert talk.done[1:] == [TakeFloor(began_s, cut=True), Play("full")]
    assert talk.state() == State.CALLER_SPEAKING


def test_other_words_get_it_a_little_later() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.onset()
    talk.wait(0.1)
    talk.understood("tuesday")
    assert talk.state() == State.DUCKED
    talk.wait(0.5)
    assert talk.state() == State.CALLER_SPEAKING


@pytest.mark.parametrize("text", ["mm hm", "yeah okay", "I see.", "嗯嗯", "对对对", "好的 明白了"])
def test_a_sign_of_listening_lets_the_agent_go_on(text: str) -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.onset()
    talk.wait(0.3)
    talk.understood(text)
    talk.wait(0.2)
    talk.offset()
    talk.understood(text, final=True)
    assert (talk.state(), talk.modes, talk.of(TakeFloor)) == (State.AGENT_SPEAKING, ["ducked", "full"], [])
    talk.wait(3)
    assert talk.ends == []


def test_the_same_words_are_an_answer_where_the_agent_has_asked() -> None:
    talk = Talk()
    talk.agent_speaks("Shall I send it?")
    talk.say("yes", seconds=0.3)
    assert talk.of(TakeFloor)
    talk.wait(0.4)
    assert talk.ends == ["yes"]


@pytest.mark.parametrize(("text", "confidence"), [("", 0.0), ("order", 0.1)])
def test_a_short_sound_without_words_lets_it_go_on(text: str, confidence: float) -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.say(text, seconds=0.3, confidence=confidence)
    assert (talk.state(), talk.modes) == (State.AGENT_SPEAKING, ["ducked", "full"])


def test_a_longer_sound_makes_the_agent_silent_until_it_is_known_what_it_is() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.onset()
    talk.wait(0.5)
    assert (talk.state(), talk.modes, talk.of(TakeFloor)) == (State.PAUSED, ["ducked", "paused"], [])
    talk.wait(0.3)
    talk.offset()
    talk.understood("", final=True)
    assert (talk.state(), talk.modes) == (State.AGENT_SPEAKING, ["ducked", "paused", "full"])


def test_the_agent_goes_on_softly_when_a_short_sound_has_ceased_before_its_words_are_known() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.onset()
    talk.wait(0.46)
    talk.pause()
    talk.wait(0.1)
    assert (talk.state(), talk.modes) == (State.DUCKED, ["ducked", "paused", "ducked"])
    talk.offset()
    talk.understood("right", final=True)
    assert (talk.state(), talk.modes[-1]) == (State.AGENT_SPEAKING, "full")


def test_words_that_come_late_get_the_floor_from_the_silent_agent() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.onset()
    talk.wait(0.8)
    talk.offset()
    talk.wait(0.2)
    talk.understood("i have another question", final=True)
    assert talk.of(TakeFloor)
    talk.wait(0.3)
    assert (talk.state(), talk.ends) == (State.THINKING, ["i have another question"])


@pytest.mark.parametrize("kinds", [HUM, TIC])
def test_a_sound_without_words_does_not_make_the_agent_silent(kinds: Kinds) -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.sound.kinds = kinds
    talk.onset()
    talk.wait(1.2)
    talk.understood("stop talk to")  # what a recogniser makes of a laugh
    assert (talk.state(), talk.modes) == (State.DUCKED, ["ducked"])
    talk.pause()
    talk.offset()
    talk.understood("five five", final=True, confidence=0.2)
    assert (talk.state(), talk.modes) == (State.AGENT_SPEAKING, ["ducked", "full"])


def test_words_that_are_sure_get_the_floor_even_from_what_sounded_like_a_laugh() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.sound.kinds = TIC
    talk.say("where is my order")
    assert (talk.state(), talk.of(TakeFloor)) != (State.AGENT_SPEAKING, [])


def test_a_laugh_without_end_makes_it_silent_after_all() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.sound.kinds = TIC
    talk.onset()
    talk.wait(1.7)
    assert (talk.state(), talk.modes) == (State.PAUSED, ["ducked", "paused"])


@pytest.mark.parametrize(("kinds", "silent_s"), [(FLOOR, 0.28), (UNKNOWN, 0.4), (LISTENING, 0.72)])
def test_how_soon_the_agent_is_silent_depends_on_what_it_sounds_like(kinds: Kinds, silent_s: float) -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.sound.kinds = kinds
    talk.onset()
    talk.wait(silent_s - 0.02)
    assert talk.state() == State.DUCKED
    talk.wait(0.06)
    assert talk.state() == State.PAUSED


def test_of_a_short_sound_that_has_ceased_the_first_guess_at_its_words_does_not_count() -> None:
    talk = Talk()
    talk.sound.kinds = Kinds(0.0, 0.0, 0.5, 0.0, 0.5)
    talk.agent_speaks()
    talk.onset()
    talk.wait(0.6)
    talk.pause()
    talk.understood("are my")
    talk.offset()
    assert talk.of(TakeFloor) == []
    talk.understood("right", final=True)
    assert talk.state() == State.AGENT_SPEAKING


def test_a_laugh_in_silence_is_no_turn_whatever_it_was_taken_for() -> None:
    talk = Talk()
    talk.sound.kinds = TIC
    talk.say("five five five", seconds=1.2, confidence=0.2)
    talk.wait(2)
    assert (talk.state(), talk.ends) == (State.LISTENING, [])


def test_a_sound_while_the_agent_thinks_holds_its_answer_back() -> None:
    talk = Talk()
    talk.ask()
    talk.done.clear()
    talk.onset()
    assert (talk.state(), talk.modes) == (State.PAUSED, ["paused"])
    talk.wait(0.2)
    talk.offset()
    talk.understood("", final=True)
    assert (talk.state(), talk.modes) == (State.THINKING, ["paused", "full"])


def test_words_while_the_agent_thinks_belong_to_the_turn_before() -> None:
    talk = Talk()
    talk.ask("my number is one two")
    talk.say("three four")
    talk.wait(0.3)
    assert talk.ends == ["my number is one two", "my number is one two three four"]


def test_somebody_far_away_is_let_pass() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.soft = True
    talk.onset()
    talk.wait(0.5)
    talk.understood("dinner is ready")
    assert (talk.state(), talk.modes) == (State.AGENT_SPEAKING, ["ducked", "full"])
    talk.wait(0.5)
    talk.offset()
    talk.understood("dinner is ready come down", final=True)
    talk.wait(3)
    assert talk.ends == []


def test_a_reply_that_ends_under_the_caller_leaves_him_the_floor() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.onset()
    talk.wait(0.2)
    talk.heard("It was sent.", final=True)
    assert talk.state() == State.CALLER_SPEAKING
    talk.wait(0.5)
    talk.offset()
    talk.understood("and the other one", final=True)
    talk.wait(0.5)
    assert talk.ends == ["and the other one"]


def test_a_sign_of_listening_that_outlasts_the_reply_is_no_turn() -> None:
    talk = Talk()
    talk.agent_speaks()
    talk.onset()
    talk.wait(0.2)
    talk.heard("It was sent.", final=True)
    talk.wait(0.2)
    talk.offset()
    talk.understood("okay", final=True)
    talk.wait(2)
    assert (talk.state(), talk.ends) == (State.LISTENING, [])


def test_what_may_not_be_interrupted_is_heard_to_its_end() -> None:
    talk = Talk()
    talk.agent_speaks("This call is", protected=True)
    talk.onset()
    talk.wait(0.5)
    talk.understood("stop")
    assert (talk.done, talk.state()) == ([], State.DUCKED)
    talk.heard("This call is recorded. How", protected=False)
    talk.wait(0.02)
    assert talk.of(TakeFloor)


def test_a_greeting_that_begins_while_the_caller_speaks_is_one_more_overlap() -> None:
    talk = Talk()
    talk.onset()
    talk.wait(0.1)
    talk.heard("")
    assert (talk.state(), talk.modes) == (State.DUCKED, ["ducked"])


def test_a_greeting_that_begins_over_a_prepared_answer_is_cut() -> None:
    talk = Talk()
    talk.say("where is my order")
    talk._do(talk.machine.heard(Heard(1, "")))
    assert talk.done[-1] == GiveUp()
    talk.wait(0.4)
    assert talk.ends == ["where is my order"]


# --- waiting ---


def on_hold() -> Talk:
    talk = Talk(remind_s=10.0)
    talk.ask("hold on a second")
    assert talk.machine.on_hold
    talk.heard("Sure.")
    talk.heard("Sure.", final=True)
    assert talk.state() == State.ON_HOLD
    talk.done.clear()
    return talk


def test_who_asks_to_wait_is_waited_for() -> None:
    talk = Talk()
    talk.say("hold on a second")
    talk.wait(LEAST_S + 0.1)
    assert [(a.text, a.hold) for a in talk.done if isinstance(a, End)] == [("hold on a second", True)]


@pytest.mark.parametrize("text", ["", "mm", "okay", "hold on please"])
def test_on_hold_what_is_no_return_is_not_answered(text: str) -> None:
    talk = on_hold()
    talk.say(text, seconds=1.0)
    talk.wait(3)
    assert (talk.state(), talk.ends, talk.machine.on_hold) == (State.ON_HOLD, [], True)


def test_the_caller_who_is_back_is_answered() -> None:
    talk = on_hold()
    talk.say("my order number is one two three four")
    talk.wait(0.4)
    assert (talk.ends, talk.machine.on_hold) == (["my order number is one two three four"], False)


def test_on_hold_the_agent_says_now_and_then_that_it_is_there() -> None:
    talk = on_hold()
    talk.wait(10.1)
    assert talk.done == [Speak("hold")]
    talk.heard("I'm still here.")
    talk.heard("I'm still here.", final=True)
    assert talk.state() == State.ON_HOLD
    talk.wait(10.1)
    assert len(talk.done) == 2


def test_a_long_silence_is_broken_twice_and_then_no_more() -> None:
    talk = Talk(idle_s=5.0)
    for _ in range(4):
        talk.wait(5.1)
        if talk.state() == State.THINKING:
            talk.heard("Are you there?")
            talk.heard("Are you there?", final=True)
    assert talk.done == [Speak("idle"), Speak("idle")]


# --- the line ---


def test_while_the_line_is_down_nothing_happens() -> None:
    talk = Talk(idle_s=5.0)
    talk.wait(4)
    talk.wait(10, gap=True)
    assert (talk.machine.away, talk.done) == (True, [])
    talk.wait(4.9)
    assert (talk.machine.away, talk.done) == (False, [])
    talk.wait(0.3)
    assert talk.done == [Speak("idle")]
