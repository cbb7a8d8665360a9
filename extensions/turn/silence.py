"""A turn ends when the caller has been silent for long enough and the recogniser has caught up."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from extensions.turn._said import Said
from voice_agent.extension import Emit, Extension
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
from voice_agent.spoken import join

Milliseconds = Annotated[int, Field(ge=0, le=10_000)]


@dataclass
class SilenceTurn(Extension):
    """Counts silence that was heard: neither a stalled network nor lost sound is taken for a pause."""

    silence_ms: Milliseconds = 350
    """Silence after the caller's last sound that ends the turn."""
    transcript_timeout_ms: Milliseconds = 4000
    """Silence after which the turn ends even if the recogniser has not answered."""
    ignored_ms: Milliseconds = 600
    """A shorter sound without a word in it (a cough, a click) is no turn, unless it cut a reply."""

    inputs = (AudioFrame, SpeechStarted, SpeechEnded, Transcript, Heard, Typed)
    outputs = {"turn_started": TurnStarted, "turn_ended": TurnEnded}

    async def start(self) -> None:
        self._now_s = 0.0
        self._said: Said | None = None
        self._cut_reply = False
        """What is being said has cut a reply."""
        self._answered = 0
        """The turn of the latest answer."""
        self._unheard = ""
        """What the caller said in the turn being answered, while nothing of the answer was heard."""
        self._agent_busy = False
        """An answer is being made or played."""

    async def handle(self, message: Message, emit: Emit) -> None:
        match message:
            case SpeechStarted():
                await self._speech_started(message, emit)
            case SpeechEnded() if self._said is not None:
                self._said.end(message)
            case Transcript(final=True):
                if self._said is not None:
                    self._said.understand(message)
                await self._maybe_end(emit)
            case AudioFrame():
                self._hear(message)
                await self._maybe_end(emit)
            case Heard():
                self._heard(message)
            case Typed():
                await self._typed(message, emit)

    async def _speech_started(self, message: SpeechStarted, emit: Emit) -> None:
        if self._said is not None:  # the same turn goes on after a pause
            self._said.go_on(message)
            return
        self._said, self._cut_reply = Said.begin(message), self._agent_busy
        if self._agent_busy:
            self._agent_busy = False
            self.session.interrupt()
        await emit("turn_started", TurnStarted(message.time_s))

    def _hear(self, frame: AudioFrame) -> None:
        if self._said is not None:
            self._said.hear(frame)
        if not frame.gap:
            self._now_s = frame.time_s

    def _heard(self, message: Heard) -> None:
        if message.reply < self._answered:
            return
        self._answered = message.reply
        self._agent_busy = not message.final
        if message.text:
            self._unheard = ""

    async def _maybe_end(self, emit: Emit) -> None:
        """End the turn if silence and the recogniser allow it."""
        said = self._said
        if said is None or said.speaking or said.ended_s is None:
            return
        silence_ms = said.silence_s(self._now_s) * 1000
        if silence_ms < self.silence_ms or (said.awaited and silence_ms < self.transcript_timeout_ms):
            return
        if not said.text and not self._cut_reply and said.voiced_s * 1000 < self.ignored_ms:
            self._said = None
            return
        text = join(self._unheard, said.text)
        ended = TurnEnded(
            text,
            language=said.language,
            confidence=said.confidence if text else 0.0,
            ended_s=said.ended_s,
            turn=self.session.begin_turn(),
        )
        await self._end(ended, emit)

    async def _typed(self, message: Typed, emit: Emit) -> None:
        self.session.interrupt()
        await emit("turn_started", TurnStarted(self._now_s))
        ended = TurnEnded(message.text, ended_s=self._now_s, turn=self.session.begin_turn())
        await self._end(ended, emit)

    async def _end(self, ended: TurnEnded, emit: Emit) -> None:
        assert ended.turn is not None
        self._said = None
        self._answered = ended.turn
        self._agent_busy = True
        self._unheard = ended.text
        await emit("turn_ended", ended)
