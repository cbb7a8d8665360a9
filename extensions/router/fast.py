"""Sends each turn to the node that answers it: the small model first, a large one for what it declines.

Keeps the history, which holds what the caller said and what the caller heard, and knows the few
answers that need no model: the greeting, "I didn't catch that", "take your time".
"""

import itertools
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from voice_agent.dialogue import protected
from voice_agent.dialogue.intents import intent_model
from voice_agent.dialogue.schema import CALLBACK, Phrases
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import GraphError, ModelError
from voice_agent.extension import Emit, Extension
from voice_agent.message import (
    CallStarted,
    Declined,
    Failed,
    Heard,
    Message,
    Nudge,
    Prompt,
    Route,
    Text,
    TurnEnded,
    Utterance,
)
from voice_agent.spoken import CJK, join

MAX_MISHEARD = 3
"""After so many turns in a row that were not understood a callback is offered."""
MARK_OF_INTERRUPTION = "—"
LETTER = re.compile(r"[^\W\d_]")


@dataclass
class Line:
    """A turn as both sides heard it."""

    user: str = ""
    agent: str = ""
    sent_to: str = ""
    """The port by which it was last asked."""
    failed: bool = False


@dataclass
class FastRouter(Extension):
    """The text of a turn decides: a model is asked only by its port, "fast" or "large"."""

    vertical: str = "customer_service"
    """The name of a vertical, or the path of its folder."""
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.4
    """Below this the recogniser's text is not believed."""
    greeting: str = ""
    """In place of the vertical's greeting."""
    history_lines: Annotated[int, Field(ge=2, le=1000)] = 20
    """So many lines of the conversation go to a model, the latest; older ones are forgotten."""

    inputs = (CallStarted, TurnEnded, Nudge, Heard, Declined, Failed)
    outputs = {"fast": Prompt, "large": Prompt, "text": Text, "route": Route}

    def prepare(self) -> None:
        try:
            for language in load_vertical(self.vertical).languages:
                intent_model(self.vertical, language)
        except GraphError as error:
            raise ModelError(str(error)) from error

    async def start(self) -> None:
        self._vertical = load_vertical(self.vertical)
        self._language = self._vertical.speaks(self.session.language)
        self._lines: dict[int, Line] = {}
        self._misheard = 0
        """Turns in a row that were not understood."""
        self._misheard_before = 0
        """The same before the latest turn."""

    async def handle(self, message: Message, emit: Emit) -> None:
        match message:
            case CallStarted():
                await self._greet(message, emit)
            case TurnEnded():
                await self._turn_ended(message, emit)
            case Nudge():
                await self._nudge(message, emit)
            case Heard():
                self._heard(message)
            case Declined():
                await self._declined(message, emit)
            case Failed(turn=int(turn)):
                await self._failed(message, turn, emit)

    def flush(self) -> None:
        for turn in [turn for turn in self._lines if self.session.is_tentative(turn)]:
            del self._lines[turn]  # the caller had not ended: it was none
            self._misheard = self._misheard_before

    # --- a turn ---

    async def _greet(self, message: CallStarted, emit: Emit) -> None:
        self._language = self._vertical.speaks(message.language)
        await self._say(self.greeting or self._vertical.greeting[self._language], "the call begins", emit)

    async def _turn_ended(self, message: TurnEnded, emit: Emit) -> None:
        assert message.turn is not None
        text = message.text.strip()
        understood = bool(text) and message.confidence >= self.min_confidence
        self._language = self._language_of(message)
        line = self._line(message.turn)
        line.user = text if understood else ""
        self._misheard_before = self._misheard
        self._misheard = 0 if understood else self._misheard + 1
        if message.hold:
            await self._say(self._phrases.wait, "asked to wait", emit)
        elif understood:
            if message.cut_short and self._phrases.too_long:
                await self._say_first(self._phrases.too_long, emit)
            await self._ask("fast", text, message.turn, "first choice", emit)
        else:
            await self._not_understood(message, emit)

    async def _nudge(self, message: Nudge, emit: Emit) -> None:
        on_hold = message.why == "hold"
        phrase = self._phrases.still_waiting if on_hold else self._phrases.still_there
        await self._say(phrase, "a long wait" if on_hold else "a long silence", emit)

    async def _not_understood(self, message: TurnEnded, emit: Emit) -> None:
        assert message.turn is not None
        if self._misheard >= MAX_MISHEARD:
            self._misheard = 0
            reason = f"not understood {MAX_MISHEARD} times"
            await self._call_back(self._phrases.trouble_hearing, message.turn, reason, emit)
            return
        variants = self._phrases.did_not_catch
        reason = f"confidence {message.confidence:.2f}" if message.text.strip() else "no words"
        await self._say(variants[(self._misheard - 1) % len(variants)], reason, emit)

    async def _declined(self, message: Declined, emit: Emit) -> None:
        turn = message.turn
        assert turn is not None
        line = self._line(turn)
        reason = f"{line.sent_to} declined: {message.reason}"
        if "large" in self.connected and line.sent_to == "fast":
            await self._ask("large", message.prompt.text, turn, reason, emit)
        else:
            await self._call_back(self._phrases.callback_offer, turn, reason, emit)

    async def _failed(self, message: Failed, turn: int, emit: Emit) -> None:
        """Apologise, once for a turn; with a callback if the node has given nothing of an answer yet."""
        line = self._line(turn)
        if line.failed:
            return
        line.failed = True
        reason = f"{message.node} failed: {message.reason}"
        begun = message.node in self.session.timings(turn)
        if begun or line.sent_to != "large":  # the callback is the work of "fast": of no use if that failed
            await self._say("\n" + self._phrases.apology, reason, emit)
        else:
            await self._call_back(self._phrases.apology, turn, reason, emit)

    # --- what is emitted ---

    async def _say(self, text: str, reason: str, emit: Emit) -> None:
        await emit("route", Route(self.node, reason))
        for piece in protected.texts(text, self._language):
            await emit("text", piece)

    async def _say_first(self, phrase: str, emit: Emit) -> None:
        """Something before the answer that another node gives."""
        pause = " " if join(phrase, "x") != f"{phrase}x" else ""
        for piece in protected.texts(phrase + pause, self._language, final=False):
            await emit("text", piece)

    async def _ask(self, port: str, text: str, turn: int, reason: str, emit: Emit, flow: str = "") -> None:
        self._line(turn).sent_to = port
        await emit("route", Route(port, reason))
        await emit(port, Prompt(text, self._language, self._history(turn), flow))

    async def _call_back(self, phrase: str, turn: int, reason: str, emit: Emit) -> None:
        """Say why, and let the small model take the caller's number."""
        await self._say_first(phrase, emit)
        await self._ask("fast", self._line(turn).user, turn, reason, emit, flow=CALLBACK)

    # --- what is known ---

    @property
    def _phrases(self) -> Phrases:
        return self._vertical.phrases[self._language]

    def _language_of(self, message: TurnEnded) -> str:
        """By the script, else what the recogniser says, else as before."""
        if re.search(f"[{CJK}]", message.text):
            return self._vertical.speaks("zh")
        if message.language:
            return self._vertical.speaks(message.language)
        return self._vertical.speaks("en") if LETTER.search(message.text) else self._language

    def _line(self, turn: int) -> Line:
        line = self._lines.setdefault(turn, Line())
        for old in sorted(self._lines)[: -2 * self.history_lines]:
            del self._lines[old]
        return line

    def _heard(self, message: Heard) -> None:
        line = self._line(message.reply)
        if message.final:
            cut = message.interrupted and message.text
            line.agent = message.text + (MARK_OF_INTERRUPTION if cut else "")

    def _history(self, before: int) -> tuple[Utterance, ...]:
        """The lines before a turn. What the caller said twice, because it went on before an answer was
        heard, is in it once; lines of the caller without an answer between them are one.
        """
        turns = [self._lines[turn] for turn in sorted(self._lines) if turn <= before]
        lines: list[Utterance] = []
        for line, following in itertools.pairwise(turns):
            repeated = not line.agent and following.user.startswith(line.user)
            if line.user and not repeated:
                merge = lines and lines[-1].role == "user"
                earlier = lines.pop().text if merge else ""
                lines.append(Utterance("user", join(earlier, line.user)))
            if line.agent:
                lines.append(Utterance("assistant", line.agent))
        return tuple(lines[-self.history_lines :])
