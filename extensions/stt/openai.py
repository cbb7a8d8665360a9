"""Recognition by an OpenAI-compatible `/v1/audio/transcriptions`: one request a silence that may be an end.

It leaves at the first silence (`SpeechPaused`), so that the text is there before the end is known. If the
voice goes on, it is given up, and was for nothing: `voice_agent_early_requests_total` counts both kinds.
"""

import asyncio
import io
import logging
import math
import wave
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from extensions.stt._utterance import PreRoll, add
from voice_agent import audio, metrics
from voice_agent.errors import TurnError
from voice_agent.extension import Emit, Extension
from voice_agent.message import (
    AudioFrame,
    Message,
    Samples,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Transcript,
)
from voice_agent.openai_service import Service

log = logging.getLogger(__name__)
MIN_SPEECH_S = 0.1
"""OpenAI's service refuses anything shorter."""
MAX_WAITING = 4
"""With more stretches of speech in the queue the newest is given up: answers must not come ever later."""
FAILURES_TO_ERROR = 3
WITH_LOGPROBS = ("gpt-4o-transcribe", "gpt-4o-mini-transcribe")
"""Models that tell the log probability of each token when asked; others refuse to be asked."""


@dataclass(slots=True, eq=False)
class Recording:
    """What is to be recognised."""

    samples: Samples
    end_s: float
    final: bool = True
    """The speech is over. A recording of its first silence becomes so if the voice does not go on."""
    answer: Transcript | None = None


class Token(BaseModel):
    """Of a transcript."""

    logprob: Annotated[float, Field(le=0)]


class Answer(BaseModel):
    """What we use of the service's."""

    text: str
    logprobs: list[Token] | None = None

    @property
    def confidence(self) -> float:
        """From the mean log probability of the tokens, where the service tells it; else 1."""
        if not self.logprobs:
            return 1.0
        return math.exp(sum(token.logprob for token in self.logprobs) / len(self.logprobs))


@dataclass
class OpenAiStt(Extension):
    """Sends what it has at every hint of an end, so that the text is there when the turn is confirmed."""

    base_url: str = ""
    """Such as "http://127.0.0.1:8000/v1"; "" takes OPENAI_BASE_URL, else OpenAI's own."""
    api_key: str = field(default="", repr=False)
    """ "" takes OPENAI_API_KEY, unless base_url is another service's."""
    model: str = "gpt-4o-mini-transcribe"
    language: str = ""
    """As ISO 639-1; "" takes the language of the call."""
    prompt: str = ""
    """Words to expect, such as product names."""
    timeout_s: Annotated[float, Field(gt=0)] = 10.0
    """For a whole request."""
    pre_roll_s: Annotated[float, Field(ge=0, le=2)] = 0.4
    """Sound from before the start of speech that is sent with it, as a VAD hears a soft onset late."""
    max_utterance_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Of longer speech only the end is sent."""

    inputs = (AudioFrame, SpeechStarted, SpeechPaused, SpeechEnded)
    outputs = {"asr_result": Transcript}

    def prepare(self) -> None:
        self._find_service().check()

    def _find_service(self) -> Service:
        return Service.find(self.base_url, self.api_key)

    async def start(self) -> None:
        self._service = self._find_service()
        self._language = (self.language or self.session.language).split("-")[0]
        self._waiting: asyncio.Queue[Recording] = asyncio.Queue()
        self._pre_roll = PreRoll(self.pre_roll_s)
        self._start_s: float | None = None
        """Audio time at which the speech began; None while nobody speaks."""
        self._ended_s = 0.0
        self._speech: deque[AudioFrame] = deque(maxlen=math.ceil(self.max_utterance_s / audio.FRAME_S))
        self._failures = 0
        self._early: Recording | None = None
        """The recording of the latest silence in the speech under way."""
        self._taken: Recording | None = None
        """What `run` has taken from the queue last."""
        self._request_under_way: asyncio.Task[Transcript] | None = None

    async def handle(self, message: Message, emit: Emit) -> None:
        """Only collects sound and puts speech in the queue: frames must not wait for the network."""
        match message:
            case AudioFrame():
                self._pre_roll.push(message)
                if self._start_s is not None:
                    add(self._speech, message)
            case SpeechStarted() if self._start_s is None:
                self._start_s = message.time_s
                self._speech.extend(self._pre_roll.take(message.time_s, self._ended_s))
            case SpeechPaused() if self._start_s is not None:
                self._pause(message.time_s)
            case SpeechEnded():
                self._end(message.time_s)

    def _pause(self, time_s: float) -> None:
        """Have the speech so far recognised, in case this is its end."""
        self._give_up_early()
        self._early = self._record(time_s, final=False)
        if len(self._early.samples):
            self._waiting.put_nowait(self._early)

    def _end(self, end_s: float) -> None:
        """The latest silence was the end, or there was none that was worth a request."""
        early, self._early = self._early, None
        if early is None or not len(early.samples):
            self._waiting.put_nowait(self._record(end_s))
        else:
            metrics.EARLY_REQUESTS.labels("used").inc()
            early.final, early.end_s = True, end_s
            if early.answer is not None:  # it has been taken from the queue already
                self._waiting.put_nowait(early)
        self._start_s, self._ended_s = None, end_s
        self._speech.clear()

    def _give_up_early(self) -> None:
        if self._early is None or not len(self._early.samples):
            return
        metrics.EARLY_REQUESTS.labels("given_up").inc()
        if self._request_under_way is not None and self._taken is self._early:
            self._request_under_way.cancel()

    def _record(self, end_s: float, final: bool = True) -> Recording:
        """The speech up to the newest frame: the silence after it is short, and holds a soft last sound."""
        speech = np.concatenate([*(frame.samples for frame in self._speech), np.zeros(0, np.int16)])
        too_short = self._start_s is None or end_s - self._start_s < MIN_SPEECH_S
        unwanted = too_short or self._waiting.qsize() >= MAX_WAITING
        return Recording(speech[:0] if unwanted else speech, end_s, final)

    async def run(self, emit: Emit) -> None:
        """Recognise what is in the queue, in order."""
        await self._service.warm()
        while True:
            self._taken = speech = await self._waiting.get()
            if speech.answer is None and (speech.final or speech is self._early):
                speech.answer = await self._answer(speech)
            if speech.answer is not None and (speech.final or speech is self._early):
                stable = None if speech.final else len(speech.answer.text)
                answer = replace(speech.answer, final=speech.final, end_s=speech.end_s, stable=stable)
                await emit("asr_result", answer)

    async def _answer(self, speech: Recording) -> Transcript | None:
        """None when it was given up meanwhile, because the voice went on."""
        request = self._request_under_way = asyncio.create_task(self._transcribe(speech))
        try:
            await asyncio.wait({request})
            return None if request.cancelled() else request.result()
        finally:
            request.cancel()
            self._request_under_way = None

    async def _transcribe(self, speech: Recording) -> Transcript:
        """Never raises for the service's sake: nothing understood is an answer, and the call goes on."""
        nothing = Transcript("", True, self._language, 0.0, speech.end_s)
        if not len(speech.samples):
            return nothing
        try:
            answer = await self._request(speech.samples)
        except TurnError as error:
            self._failures += 1
            level = logging.ERROR if self._failures >= FAILURES_TO_ERROR else logging.WARNING
            log.log(
                level,
                "%s speech not recognised, %d in a row: %s",
                self.session.session_id,
                self._failures,
                error,
            )
            return nothing
        self._failures = 0
        text = answer.text.strip()
        log.debug("%s recognised %r", self.session.session_id, text)
        return Transcript(text, True, self._language, answer.confidence if text else 0.0, speech.end_s)

    async def _request(self, samples: Samples) -> Answer:
        fields = {
            "model": self.model,
            "language": self._language,
            "prompt": self.prompt,
            "response_format": "json",
        }
        if self.model.startswith(WITH_LOGPROBS):
            fields["include[]"] = "logprobs"
        async with self._service.post(
            "audio/transcriptions",
            first_s=self.timeout_s,
            idle_s=self.timeout_s,
            data={name: value for name, value in fields.items() if value},
            files={"file": ("speech.wav", to_wav(samples), "audio/wav")},
        ) as pieces:
            body = b"".join([piece async for piece in pieces])
        try:
            return Answer.model_validate_json(body)
        except ValidationError as error:
            wrong = f"{self._service.base_url}: expected a transcript in JSON, got something else"
            raise TurnError(wrong) from error


def to_wav(samples: Samples) -> bytes:
    """A WAV file, 16 bit mono."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(audio.SAMPLE_RATE)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()
