"""A turn ends when the caller has been silent for long enough and the recogniser has caught up."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from voice_agent.audio import FRAME_S
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
LONG_GAP_S = 0.2
"""In so much lost sound the caller may have gone on: silence from before it counts no more."""


@dataclass
class _Utterance:
    """What the caller has said since the last turn, in one or more stretches of speech."""

    text: str = ""
    language: str = ""
    confidence: float = 1.0
    since_s: float = 0.0
    """Audio time at which the latest stretch began."""
    ended_s: float | None = None
    """Audio time at which the latest stretch ended; None while the first goes on."""
    gaps_s: set[float] = field(default_factory=set)
    """Audio times of the frames since the latest stretch began whose sound has not come."""
    voiced_s: float = 0.0
    awaited: set[float] = field(default_factory=set)
    """Ends of speech whose final transcript has not come."""
    cut_reply: bool = False


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
        self._speaking = False
        self._said: _Utterance | None = None
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
            case SpeechEnded():
                self._speech_ended(message)
            case Transcript(final=True):
                self._transcript(message)
                await self._maybe_end(emit)
            case AudioFrame():
                self._hear(message)
                await self._maybe_end(emit)
            case Heard():
                self._heard(message)
            case Typed():
                await self._typed(message, emit)

    async def _speech_started(self, message: SpeechStarted, emit: Emit) -> None:
        self._speaking = True
        if self._said is not None:  # the same turn goes on after a pause
            self._said.since_s = message.time_s
            self._said.gaps_s.clear()
            return
        self._said = _Utterance(since_s=message.time_s, cut_reply=self._agent_busy)
        if self._agent_busy:
            self._agent_busy = False
            self.session.interrupt()
        await emit("turn_started", TurnStarted(message.time_s))

    def _hear(self, frame: AudioFrame) -> None:
        gaps_s = self._said.gaps_s if self._said else set()
        if frame.gap:
            gaps_s.add(frame.time_s)
        else:
            gaps_s.discard(frame.time_s)  # its sound has come after all
            self._now_s = frame.time_s

    def _silence_s(self, since_s: float) -> float:
        """Silence heard from an audio time until now."""
        assert self._said is not None
        lost = [time_s for time_s in self._said.gaps_s if since_s <= time_s < self._now_s]
        if len(lost) * FRAME_S >= LONG_GAP_S:
            return self._now_s - max(lost) - FRAME_S
        return self._now_s - since_s - len(lost) * FRAME_S

    def _speech_ended(self, message: SpeechEnded) -> None:
        self._speaking = False
        if self._said is not None:
            self._said.awaited.add(message.time_s)
            self._said.ended_s = message.time_s
            self._said.voiced_s += message.time_s - self._said.since_s

    def _transcript(self, message: Transcript) -> None:
        if self._said is None:
            return
        self._said.awaited.discard(message.end_s)
        if message.text:
            self._said.confidence = min(self._said.confidence, message.confidence)
            self._said.language = message.language or self._said.language
            self._said.text = join(self._said.text, message.text)

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
        if self._speaking or said is None or said.ended_s is None:
            return
        silence_ms = self._silence_s(said.ended_s) * 1000
        if silence_ms < self.silence_ms or (said.awaited and silence_ms < self.transcript_timeout_ms):
            return
        if not said.text and not said.cut_reply and said.voiced_s * 1000 < self.ignored_ms:
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
