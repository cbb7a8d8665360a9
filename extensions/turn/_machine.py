"""Who has the floor: the states of a conversation, and what leads from one to another.

Pure: messages in, actions out, all on audio time, no clock. docs/turn-taking.md draws it, and `semantic.py`
carries the actions out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from extensions.turn._actions import Action, Confirm, End, GiveUp, Play, Speak, TakeFloor
from extensions.turn._backchannel import Backchannels
from extensions.turn._overlap import UNSURE, Overlap, OverlapJudge
from extensions.turn._patience import Patience, Waiting
from extensions.turn._said import Said
from extensions.turn._sounds.watch import Watch
from voice_agent.audio import FRAME_S
from voice_agent.message import AudioFrame, Heard, SpeechEnded, SpeechStarted, Transcript
from voice_agent.spoken import join

AWAY_S = 2.0
"""Without sound for so long, the caller's line is down."""
LEVEL_MEMORY = 0.8
"""Weight of what is known of the caller's level against the newest stretch."""


class State(Enum):
    """What goes on between the two."""

    LISTENING = "nobody speaks"
    CALLER_SPEAKING = "the caller has the floor and speaks"
    MAYBE_ENDED = "the caller has the floor and is silent"
    THINKING = "the caller has ended, and nothing of the answer has been heard"
    AGENT_SPEAKING = "the agent has the floor"
    DUCKED = "something is heard over the agent, whose voice is turned down"
    PAUSED = "the same, and the agent is silent until it is known what that is"
    ON_HOLD = "the caller has asked the agent to wait"


OVERLAPS = (State.DUCKED, State.PAUSED)


@dataclass(frozen=True)
class Limits:
    """Seconds of audio time; 0 switches off what is marked with *."""

    transcript_s: float = 4.0
    """A turn ends after so much silence even if the recogniser has not answered."""
    ignored_s: float = 0.6
    """A shorter sound without a word in it is no turn."""
    monologue_s: float = 60.0
    """* Who has spoken for so long is answered at the first pause."""
    idle_s: float = 15.0
    """* The caller's silence after which the agent asks whether he is there,"""
    idle_times: int = 2
    """so many times in a row."""
    remind_s: float = 30.0
    """* On hold, the agent says so often that it is still there."""
    guess: float = 0.4
    """Probability of an end from which an answer is prepared before it is sure."""


@dataclass
class Machine:
    """One conversation. Each method takes one message and gives what is to be done, in order."""

    patience: Patience
    overlap: OverlapJudge
    limits: Limits = Limits()
    backchannels: Backchannels = field(default_factory=Backchannels)
    watch: Watch = field(default_factory=Watch)
    state: State = State.LISTENING
    on_hold: bool = False
    said: Said | None = None
    """What the caller is saying, or has said since the last turn."""
    unheard: str = ""
    """What the caller said in the turn being answered, while nothing of the answer was heard."""
    answered: int = 0
    """The newest turn that has an answer."""
    _now_s: float = 0.0
    _quiet_since_s: float = 0.0
    _gap_s: float = 0.0
    """Length of the gap under way."""
    _aside: bool = False
    """What is being said was found to be nothing for the agent."""
    _dropped: set[float] = field(default_factory=set)
    """Ends of such stretches, whose transcripts may still come."""
    _guess: End | None = None
    """The tentative turn."""
    _cut: int = -1
    """The newest turn whose reply the caller has cut."""
    _agent_text: str = ""
    """What has been heard of the reply under way."""
    _protected: bool = False
    """What is heard of it just now may not be interrupted."""
    _begun: bool = False
    """Something of the reply under way has been heard."""
    _level_db: float | None = None
    """How loud this caller usually is; None before that is known."""
    _asked_idle: int = 0
    _over_reply: bool = False
    """What is being said began over a reply that has ended meanwhile."""

    @property
    def away(self) -> bool:
        """Nothing has come of the caller's sound for a while. The rest stays as it is until it does."""
        return self._gap_s >= AWAY_S

    # --- what the caller does ---

    def onset(self, message: SpeechStarted) -> Iterator[Action]:
        """A voice begins."""
        if self.said is not None and not self._aside:
            self.said.go_on(message)
        else:
            self.said, self._aside, self._over_reply = Said.begin(message), False, False
            self.watch.begin(message.time_s)
        match self.state:
            case State.LISTENING | State.ON_HOLD:
                yield from self._take_floor(cut=False)
            case State.MAYBE_ENDED:
                self.state = State.CALLER_SPEAKING
                yield from self._give_up()
            case State.THINKING:
                self.state = State.PAUSED
                yield Play("paused")
            case State.AGENT_SPEAKING:
                self.state = State.DUCKED
                if not self._protected:
                    yield Play("ducked")

    def pause(self, time_s: float) -> Iterator[Action]:
        """The first silence after a voice: perhaps its end."""
        if self.said is None:
            return
        self.said.paused_s = time_s
        if self.state == State.CALLER_SPEAKING:
            yield from self._speculate()

    def offset(self, message: SpeechEnded) -> Iterator[Action]:
        """A voice has ended."""
        if self.said is None:
            return
        self.said.end(message)
        if self._aside:
            self._forget()
        elif self.state in OVERLAPS:
            yield from self._judge_overlap()
        elif self.state == State.CALLER_SPEAKING:
            self.state = State.MAYBE_ENDED
            yield from self._speculate()

    def understood(self, message: Transcript) -> Iterator[Action]:
        """The recogniser has heard words, or final that there were none."""
        if message.final and message.end_s in self._dropped:
            self._dropped.discard(message.end_s)
            return
        if self.said is None or message.end_s < self.said.began_s:  # of what was said before
            return
        self.said.understand(message)
        if self.state in OVERLAPS or self._aside:
            yield from self._judge_overlap()
        elif self.state in (State.CALLER_SPEAKING, State.MAYBE_ENDED):
            yield from self._speculate()
            yield from self._maybe_end()

    def hear(self, frame: AudioFrame) -> Iterator[Action]:
        """20 ms have passed at the caller's end."""
        self.watch.hear(frame)
        if self.said is not None:
            self.said.hear(frame)
        if frame.gap:
            self._gap_s += FRAME_S
            return
        if self.away:
            self._quiet_since_s = frame.time_s
        self._gap_s, self._now_s = 0.0, frame.time_s
        if self.said is not None and self.said.was_no_pause(self._now_s):
            yield from self._give_up()
        if self.state in OVERLAPS:
            yield from self._judge_overlap()
        elif self.state == State.MAYBE_ENDED:
            yield from self._maybe_end()
        elif self.state in (State.LISTENING, State.ON_HOLD):
            yield from self._maybe_speak()

    def typed(self, text: str) -> Iterator[Action]:
        """A line that the caller typed is a turn at once, whatever went on."""
        self._guess, self._cut, self.unheard = None, self.answered, ""
        yield TakeFloor(self._now_s, cut=True)
        yield Play("full")
        yield from self._end(End(text, ended_s=self._now_s))

    # --- what the agent does ---

    def answering(self, turn: int) -> None:
        """The turn that was ended, confirmed or opened has this number."""
        self.answered = turn

    def heard(self, message: Heard) -> Iterator[Action]:
        """A reply begins to be played, goes on, or is over."""
        if message.reply < self.answered:
            return
        if message.text:
            self.unheard = ""
        if message.reply <= self._cut:
            return
        self.answered, self._agent_text, self._protected = message.reply, message.text, message.protected
        if message.final:
            yield from self._reply_over()
            return
        self._begun = True
        if self.state in (State.THINKING, State.LISTENING, State.ON_HOLD):
            self.state = State.AGENT_SPEAKING
        elif self.state in (State.CALLER_SPEAKING, State.MAYBE_ENDED):
            yield from self._begun_over_caller()

    def _begun_over_caller(self) -> Iterator[Action]:
        """A greeting, say, begins while the caller speaks; one who is being answered need not hear it."""
        if self._guess is not None:
            self._cut, self._begun = self.answered, False
            yield from self._give_up()
        else:
            self.state = State.DUCKED
            yield Play("ducked")

    def _reply_over(self) -> Iterator[Action]:
        self._begun = self._protected = False
        self._quiet_since_s = self._now_s
        if self.state in OVERLAPS:
            self._over_reply = True
            yield Play("full")
            yield from self._take_floor(cut=False)
        elif self.state in (State.THINKING, State.AGENT_SPEAKING):
            self.state = self._at_rest

    # --- the floor ---

    @property
    def _at_rest(self) -> State:
        return State.ON_HOLD if self.on_hold else State.LISTENING

    def _take_floor(self, cut: bool) -> Iterator[Action]:
        assert self.said is not None
        self.state = State.CALLER_SPEAKING if self.said.speaking else State.MAYBE_ENDED
        self._aside = False
        if cut:
            self._cut, self._begun = self.answered, False
        yield TakeFloor(self.said.began_s, cut)
        if cut:
            yield Play("full")
        yield from self._speculate()

    def _judge_overlap(self) -> Iterator[Action]:
        """Decide about what is heard over the agent, as soon as that can be done."""
        said = self.said
        assert said is not None
        if self._protected:
            return
        aside = self.patience.wait(said.words, said.language, said.confidence).aside
        heard = Overlap.of(said, self._now_s, self._below_db(said), self._asked, self.watch.kinds, aside)
        verdict = self.overlap.judge(heard)
        if verdict == "yield":
            yield from self._take_floor(cut=True)
        elif self._aside:
            return
        elif verdict == "ignore":
            self.state = State.AGENT_SPEAKING if self._begun else State.THINKING
            self._aside = True
            if said.is_complete:
                self._forget()
            yield Play("full")
        elif verdict == "pause" and self.state == State.DUCKED:
            self.state = State.PAUSED
            yield Play("paused")
        elif verdict == "go_on" and self.state == State.PAUSED and self._begun:
            self.state = State.DUCKED
            yield Play("ducked")

    @property
    def _asked(self) -> bool:
        """What has been heard of the agent's reply ends with a question."""
        return self._agent_text.rstrip().endswith(("?", "？"))

    def _below_db(self, said: Said) -> float:
        level_db = said.level_db
        return 0.0 if self._level_db is None or level_db is None else self._level_db - level_db

    def _forget(self) -> None:
        if self.said is not None:
            self._dropped |= self.said.awaited
        self.said, self._aside, self._over_reply = None, False, False

    # --- the end of a turn ---

    def _waiting(self, said: Said) -> Waiting:
        too_long = 0 < self.limits.monologue_s < self._now_s - said.began_s
        text = join(self.unheard, said.words)
        return self.patience.wait(text, said.language, said.confidence, too_long)

    def _speculate(self) -> Iterator[Action]:
        """Prepare an answer to what has been understood, if it may be all and no answer is under way."""
        said = self.said
        if said is None or self.on_hold or self._over_reply or not (said.is_up_to_date and said.settled):
            return
        waiting = self._waiting(said)
        guess = self._as_end(said, waiting, tentative=True)
        if self._guess is not None and self._guess.says(guess):
            return
        yield from self._give_up()
        aside = waiting.aside >= self.overlap.maybe_aside
        if guess.text and waiting.finished >= self.limits.guess and not (waiting.hold or aside):
            self._guess = guess
            yield guess

    def _give_up(self) -> Iterator[Action]:
        if self._guess is not None:
            self._guess = None
            yield GiveUp()

    def _maybe_end(self) -> Iterator[Action]:
        """End the turn if silence and the recogniser allow it."""
        said = self.said
        if said is None or self.state != State.MAYBE_ENDED:
            return
        silence_s = said.silence_s(self._now_s)
        if said.awaited and not said.is_up_to_date and silence_s < self.limits.transcript_s:
            return
        waiting = self._waiting(said)
        if silence_s < waiting.seconds:
            if not self.on_hold:
                yield from self.backchannels.in_pause(said, waiting, self._now_s)
            return
        if self._is_nothing(said, waiting):
            yield from self._give_up()
            self._forget()
            self.state = self._at_rest
            if not self.on_hold or waiting.hold:
                self._quiet_since_s = self._now_s
            return
        yield from self._end(self._as_end(said, waiting))

    def _is_nothing(self, said: Said, waiting: Waiting) -> bool:
        """Whether it is no turn: a cough; words to somebody else; on hold, whatever is no return; a late sign
        of listening.
        """
        kind = self.overlap.phrases.kind(said.words)
        if waiting.aside >= self.overlap.aside and kind != "stop":
            return True
        if self.on_hold:
            far = self._below_db(said) >= self.overlap.far_db
            return far or waiting.hold or kind in ("", "backchannel") or said.confidence < UNSURE
        if self._over_reply and kind == "backchannel":
            return not self._asked
        if said.confidence < UNSURE and self.overlap.is_wordless(said.voiced_s, self.watch.kinds):
            return True
        return not said.words and said.voiced_s < self.limits.ignored_s

    def _as_end(self, said: Said, waiting: Waiting, tentative: bool = False) -> End:
        text = join(self.unheard, said.words)
        return End(
            text,
            language=said.language,
            confidence=said.confidence if text else 0.0,
            ended_s=(said.paused_s if said.speaking else said.ended_s) or 0.0,
            hold=waiting.hold,
            cut_short=waiting.cut_short,
            tentative=tentative,
        )

    def _end(self, end: End) -> Iterator[Action]:
        if self.unheard and not end.hold:
            self.patience.went_on()
        else:
            self.patience.was_right()
        if self.said is not None and (level_db := self.said.level_db) is not None:
            known_db = level_db if self._level_db is None else self._level_db
            self._level_db = LEVEL_MEMORY * known_db + (1 - LEVEL_MEMORY) * level_db
        self._forget()
        guessed = self._guess is not None and self._guess.says(end) and not end.hold
        if not guessed:
            yield from self._give_up()
        self._guess, self.on_hold = None, end.hold
        self._agent_text, self._begun, self._asked_idle = "", False, 0
        self.unheard = "" if end.hold else end.text
        self.state = State.THINKING
        yield Confirm() if guessed else end

    def _maybe_speak(self) -> Iterator[Action]:
        """Break a long silence."""
        silent_s = self._now_s - self._quiet_since_s
        limits = self.limits
        if self.on_hold:
            if limits.remind_s and silent_s >= limits.remind_s:
                self.state = State.THINKING
                yield Speak("hold")
        elif limits.idle_s and silent_s >= limits.idle_s and self._asked_idle < limits.idle_times:
            self._asked_idle += 1
            self.state = State.THINKING
            yield Speak("idle")
