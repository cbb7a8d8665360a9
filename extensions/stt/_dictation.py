"""The caller's side of a transcription session of the OpenAI Realtime API, without its connection and clock.

What is said goes in, events for the server come out; the server's events go in, transcripts come out. The
sound of a stretch of speech is kept until it is answered, so that it can be told again on a new connection.
"""

import base64
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from voice_agent import audio
from voice_agent.errors import TurnError
from voice_agent.message import Samples, Transcript

RATE = 24_000
"""Hz; the only one that the API takes."""
MIN_SPEECH_S = 0.1
"""The API refuses to commit less."""
PREFIX = "conversation.item.input_audio_transcription."
Event = dict[str, Any]


class LogProbability(BaseModel):
    """Of a token."""

    logprob: Annotated[float, Field(le=0)]


class Complaint(BaseModel):
    """Why something was refused."""

    message: str = "no reason given"


class ServerEvent(BaseModel):
    """What we use of the server's events."""

    type: str
    item_id: str = ""
    delta: str | None = None
    transcript: str = ""
    logprobs: list[LogProbability] | None = None
    error: Complaint = Complaint()


@dataclass
class Stretch:
    """A stretch of speech, from its start to its answer."""

    resampler: audio.Resampler = field(default_factory=lambda: audio.Resampler(audio.SAMPLE_RATE, RATE))
    seconds: float = 0.0
    until_s: float = 0.0
    """Audio time up to which it has been heard."""
    chunks: list[str] = field(default_factory=list)
    """Its sound as the API takes it."""
    sent: int = 0
    """So many chunks have been handed out on this connection."""
    end_s: float | None = None
    """Audio time of its end; None while it goes on."""
    committed: bool = False
    item_id: str = ""
    """The server's name for it; "" while it is not known."""
    heard: str = ""
    """The interim text."""
    answer: Transcript | None = None
    tries: int = 1
    """On how many connections it was told."""


class Dictation:
    """The stretches that are not answered yet, in order."""

    def __init__(self, language: str, max_utterance_s: float) -> None:
        self.language = language
        self._longest_s = max_utterance_s
        self._stretches: deque[Stretch] = deque()

    # --- what is said ---

    def begin(self) -> None:
        """Speech begins."""
        self._stretches.append(Stretch())

    @property
    def listening(self) -> bool:
        """Whether speech goes on."""
        return bool(self._stretches) and self._stretches[-1].end_s is None

    def hear(self, samples: Samples, until_s: float) -> None:
        """More of it, shape (n,), which ends at that audio time; what is longer than allowed is not told."""
        stretch = self._stretches[-1]
        stretch.until_s = until_s
        if stretch.seconds < self._longest_s:
            stretch.seconds += len(samples) / audio.SAMPLE_RATE
            self._add(stretch, stretch.resampler.push(samples))

    def end(self, end_s: float) -> None:
        """Speech has ended; without a beginning or too short, it is answered at once."""
        if not self.listening:
            self._stretches.append(Stretch())
        stretch = self._stretches[-1]
        stretch.end_s = end_s
        self._add(stretch, stretch.resampler.push(np.zeros(0, np.int16), last=True))
        if stretch.seconds < MIN_SPEECH_S:
            self.give_up(stretch)

    @staticmethod
    def _add(stretch: Stretch, samples: Samples) -> None:
        if len(samples):
            stretch.chunks.append(base64.b64encode(samples.astype("<i2").tobytes()).decode())

    # --- the connection ---

    def outgoing(self) -> list[Event]:
        """What is to be sent now; it counts as sent."""
        events: list[Event] = []
        for stretch in self._stretches:
            if stretch.answer is None:
                ready = stretch.chunks[stretch.sent :]
                events += [{"type": "input_audio_buffer.append", "audio": chunk} for chunk in ready]
                stretch.sent = len(stretch.chunks)
                if stretch.end_s is not None and not stretch.committed:
                    stretch.committed = True
                    events.append({"type": "input_audio_buffer.commit"})
            elif stretch.sent and not stretch.committed:  # given up before it was told
                stretch.committed = True
                events.append({"type": "input_audio_buffer.clear"})
        return events

    def reconnected(self, max_tries: int) -> list[Stretch]:
        """Everything has to be told again; what was told so often before, in vain, is returned."""
        for stretch in self._stretches:
            if stretch.sent:
                stretch.tries += 1
            stretch.sent, stretch.committed, stretch.item_id, stretch.heard = 0, False, "", ""
        return [s for s in self.unanswered() if s.end_s is not None and s.tries > max_tries]

    def take(self, event: ServerEvent) -> Transcript | None:
        """An event of the server's; the interim transcript that comes of it, if any.

        Raises TurnError when it is a refusal.
        """
        stretch = self._named(event.item_id) if event.item_id else None
        match event.type.removeprefix(PREFIX):
            case "delta" if stretch and event.delta and stretch.answer is None:
                stretch.heard += event.delta
                text = stretch.heard.strip()
                return Transcript(text, False, self.language, end_s=stretch.until_s) if text else None
            case "completed" if stretch and stretch.answer is None and stretch.end_s is not None:
                text = event.transcript.strip()
                confidence = _confidence(event.logprobs) if text else 0.0
                stretch.answer = Transcript(text, True, self.language, confidence, stretch.end_s)
            case "failed":
                if stretch:
                    self.give_up(stretch)
                raise TurnError(event.error.message)
            case "error":
                raise TurnError(event.error.message)
        return None

    def _named(self, item_id: str) -> Stretch | None:
        """The stretch that the server calls so: a new name is for the first that was sent and has none."""
        unnamed = None
        for stretch in self._stretches:
            if stretch.item_id == item_id:
                return stretch
            if unnamed is None and stretch.sent and not stretch.item_id:
                unnamed = stretch
        if unnamed:
            unnamed.item_id = item_id
        return unnamed

    # --- answers ---

    def unanswered(self) -> list[Stretch]:
        """In order, the one that is being said included."""
        return [stretch for stretch in self._stretches if stretch.answer is None]

    def give_up(self, stretch: Stretch) -> None:
        """Nothing will come of it any more: nothing understood is an answer, too."""
        if stretch.answer is None and stretch.end_s is not None:
            stretch.answer = Transcript("", True, self.language, 0.0, stretch.end_s)

    def answers(self) -> list[Transcript]:
        """The final transcripts that are complete, in the order of what was said; each is told once."""
        told = []
        while self._stretches and (answer := self._stretches[0].answer) is not None:
            if self._stretches[0].sent and not self._stretches[0].committed:
                break  # its sound is still to be cleared
            told.append(answer)
            self._stretches.popleft()
        return told


def parse(text: str | bytes) -> ServerEvent:
    """Raises TurnError for anything that is no event."""
    try:
        return ServerEvent.model_validate_json(text)
    except ValidationError as error:
        raise TurnError("expected an event in JSON, got something else") from error


def session_update(model: str, language: str, prompt: str, with_logprobs: bool) -> Event:
    """What is to be transcribed, and how; its ends are ours to tell."""
    transcription = {"model": model, "language": language, "prompt": prompt}
    session: Event = {
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": RATE},
                "transcription": {name: value for name, value in transcription.items() if value},
                "turn_detection": None,
            }
        },
    }
    if with_logprobs:
        session["include"] = ["item.input_audio_transcription.logprobs"]
    return {"type": "session.update", "session": session}


def _confidence(logprobs: list[LogProbability] | None) -> float:
    """From the mean log probability of the tokens, where the service tells it; else 1."""
    if not logprobs:
        return 1.0
    return math.exp(sum(token.logprob for token in logprobs) / len(logprobs))
