"""Takes turns as people do: by what was said, not by silence alone.

The caller who has surely ended is answered at once, who has not is waited for; an answer is prepared before
it is sure that it will be needed. A sound over the agent's voice turns it down, and then it is a wish to
speak, a sign of listening, or nothing. `_machine.py` has the rules; this carries out what they say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain, cycle
from typing import Annotated

from pydantic import Field, ValidationError

from extensions.turn import _actions as actions
from extensions.turn import _sounds, _words
from extensions.turn._backchannel import Backchannels
from extensions.turn._machine import Limits, Machine
from extensions.turn._overlap import OverlapJudge
from extensions.turn._patience import Patience
from voice_agent import metrics
from voice_agent.dialogue.floor import Tokens, common_phrases, tokens_of
from voice_agent.dialogue.schema import PLACEHOLDER, Manners
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import GraphError, ModelError
from voice_agent.extension import Emit, Extension
from voice_agent.message import (
    AudioFrame,
    Clause,
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

NEVER = 2.0
"""More than any probability."""
Milliseconds = Annotated[int, Field(ge=0, le=30_000)]
Seconds = Annotated[float, Field(ge=0, le=3600)]


@dataclass
class SemanticTurn(Extension):
    """How patient it is, a vertical says (`manners`); what is set here goes before that."""

    vertical: str = ""
    """The name of a vertical, or the path of its folder; "" for the usual manners."""
    finished_ms: Annotated[int, Field(ge=50, le=5000)] | None = None
    """Silence that ends the turn of a caller who has surely said all."""
    unfinished_ms: Annotated[int, Field(ge=50, le=30_000)] | None = None
    """Silence that ends the turn of one who surely has not."""
    idle_s: Seconds | None = None
    """After so much silence of both the agent asks whether the caller is there; 0 for never."""
    remind_s: Seconds | None = None
    """On hold, the agent says so often that it is still there; 0 for never."""
    transcript_timeout_ms: Milliseconds = 4000
    """Silence after which the turn ends even if the recogniser has not answered."""
    ignored_ms: Milliseconds = 600
    """A shorter sound without a word in it (a cough, a click) is no turn."""
    pause_ms: Milliseconds = 400
    """The agent falls silent when a sound over its voice has lasted so long and no word is known."""
    speculate: bool = True
    """Prepare an answer before it is sure that the turn has ended."""

    inputs = (
        AudioFrame, SpeechStarted, SpeechPaused, SpeechEnded, Transcript, Heard, Typed, Expecting,
    )  # fmt: skip
    outputs = {
        "turn_started": TurnStarted, "turn_ended": TurnEnded, "playback": Playback,
        "hold": Hold, "nudge": Nudge, "backchannel": Clause,
    }  # fmt: skip

    def prepare(self) -> None:
        _words.prepare()
        _sounds.prepare()
        common_phrases()
        try:
            self._manners()
            _whole_sentences(self.vertical)
        except GraphError as error:
            raise ModelError(str(error)) from error

    def judge_line(self, text: str, language: str) -> Mapping[str, object]:
        """How the words of a line look: `label` (finished, unfinished, wait) and its `probability`."""
        return _words.classify(text, language).as_json()

    def _manners(self) -> Manners:
        """The vertical's, with what is set here. Raises GraphError."""
        manners = load_vertical(self.vertical).manners if self.vertical else Manners()
        names = ("finished_ms", "unfinished_ms", "idle_s", "remind_s")
        own = {name: value for name in names if (value := getattr(self, name)) is not None}
        try:
            return Manners.model_validate(manners.model_dump() | own)
        except ValidationError as error:
            raise GraphError(f"turn.semantic: {error.errors()[0]['msg']}") from error

    async def start(self) -> None:
        manners = self._manners()
        phrases = common_phrases().with_more(
            chain.from_iterable(manners.never_interrupts.values()),
            chain.from_iterable(manners.always_interrupts.values()),
        )
        self._machine = Machine(
            Patience(
                _words.classify,
                manners.finished_ms / 1000,
                manners.unfinished_ms / 1000,
                whole=_whole_sentences(self.vertical),
            ),
            OverlapJudge(
                phrases,
                pause_s=self.pause_ms / 1000,
                **({"aside": NEVER, "maybe_aside": NEVER} if manners.answers_asides else {}),
            ),
            Limits(
                transcript_s=self.transcript_timeout_ms / 1000,
                ignored_s=self.ignored_ms / 1000,
                monologue_s=manners.monologue_s,
                idle_s=manners.idle_s,
                remind_s=manners.remind_s,
                guess=Limits.guess if self.speculate else NEVER,
            ),
            Backchannels(manners.backchannel_after_s, manners.backchannel_every_s),
        )
        self._tentative: tuple[int, float] | None = None
        """The tentative turn, and the audio time at which it was opened."""
        self._now_s = 0.0
        vertical = load_vertical(self.vertical) if self.vertical else None
        self._backchannels = {
            language: cycle(phrases.backchannels)
            for language, phrases in (vertical.phrases.items() if vertical else ())
        }

    async def handle(self, message: Message, emit: Emit) -> None:
        if isinstance(message, Expecting):
            await self.session.confirmed(message.turn)
            self._machine.patience.expected = message
            return
        if isinstance(message, AudioFrame):
            self._now_s = message.time_s
        on_hold = self._machine.on_hold
        for action in list(self._react(message)):  # settled before anything is emitted
            await self._do(action, emit)
        if self._machine.on_hold != on_hold:
            await emit("hold", Hold(on=self._machine.on_hold))

    def _react(self, message: Message) -> Iterator[actions.Action]:
        rules = self._machine
        match message:
            case AudioFrame():
                return rules.hear(message)
            case SpeechStarted():
                return rules.onset(message)
            case SpeechPaused():
                return rules.pause(message.time_s)
            case SpeechEnded():
                return rules.offset(message)
            case Transcript():
                return rules.understood(message)
            case Heard():
                return rules.heard(message)
            case Typed():
                return rules.typed(message.text)
        return iter(())

    async def _do(self, action: actions.Action, emit: Emit) -> None:
        match action:
            case actions.TakeFloor():
                if action.cut:
                    self.session.interrupt()
                await emit("turn_started", TurnStarted(action.time_s))
            case actions.Play():
                await emit("playback", Playback(action.mode))
            case actions.End(tentative=True):
                turn = self.session.begin_turn(tentative=True)
                self._tentative = turn, self._now_s
                await emit("turn_ended", _ended(action, turn))
            case actions.End():
                metrics.SPECULATIONS.labels("none").inc()
                await emit("turn_ended", _ended(action, self._begin()))
            case actions.Confirm():
                self._confirm()
            case actions.GiveUp():
                self._tentative = None
                metrics.SPECULATIONS.labels("given_up").inc()
                self.session.interrupt()
            case actions.Speak():
                await emit("nudge", Nudge(action.why, turn=self._begin()))
            case actions.Backchannel():
                await self._backchannel(action.language or self.session.language, emit)

    async def _backchannel(self, language: str, emit: Emit) -> None:
        """Its clause belongs to no turn: it is no reply, and nothing cuts it."""
        vertical = load_vertical(self.vertical)
        language = vertical.speaks(language)
        if phrase := next(self._backchannels[language], ""):
            await emit("backchannel", Clause(phrase, language, final=True))

    def _begin(self) -> int:
        turn = self.session.begin_turn()
        self._machine.answering(turn)
        return turn

    def _confirm(self) -> None:
        assert self._tentative is not None
        (turn, since_s), self._tentative = self._tentative, None
        metrics.SPECULATIONS.labels("used").inc()
        metrics.SPECULATION_SAVED.observe(max(0.0, self._now_s - since_s))
        self._machine.answering(turn)
        self.session.confirm(turn)


@cache
def _whole_sentences(vertical: str) -> frozenset[Tokens]:
    """The examples of a vertical's intents, as far as no slot is open in them."""
    intents = load_vertical(vertical).intents if vertical else []
    examples = chain.from_iterable(chain.from_iterable(intent.examples.values()) for intent in intents)
    return frozenset(tokens_of(example) for example in examples if not PLACEHOLDER.search(example))


def _ended(end: actions.End, turn: int) -> TurnEnded:
    return TurnEnded(
        end.text, end.language, end.confidence, end.ended_s, end.hold, end.cut_short, turn=turn
    )  # fmt: skip
