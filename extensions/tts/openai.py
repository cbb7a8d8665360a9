"""Speech by an OpenAI-compatible `/v1/audio/speech`, streamed; the next clause is asked for meanwhile."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from extensions.tts import _cache, _level, _timing
from voice_agent import audio, spoken
from voice_agent.audio import Resampler
from voice_agent.errors import TurnError
from voice_agent.extension import Emit, Extension
from voice_agent.message import Clause, Message, Samples, Speech
from voice_agent.openai_service import Service
from voice_agent.speakable import speakable

MIN_PIECE_BYTES = 960
"""20 ms at 24 kHz: what arrives in smaller pieces is gathered."""
SILENCE = np.zeros(0, np.int16)


@dataclass
class OpenAiTts(Extension):
    """Each clause is a request. Up to `ahead` of them are open at once, and are spoken in order: while one
    plays, the next waits in its socket, so that a short first clause leaves no gap before the second.
    """

    base_url: str = ""
    """Such as "http://127.0.0.1:8880/v1"; "" takes OPENAI_BASE_URL, else OpenAI's own."""
    api_key: str = field(default="", repr=False)
    """ "" takes OPENAI_API_KEY, unless base_url is another service's."""
    model: str = "gpt-4o-mini-tts"
    voice: str = "alloy"
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    instructions: str = ""
    """How to speak, for models that take it."""
    sample_rate: Annotated[int, Field(ge=8000, le=48000)] = 24_000
    """Hz of the service's "pcm" format; the API has none to tell it."""
    first_sound_timeout_s: Annotated[float, Field(gt=0)] = 8.0
    idle_timeout_s: Annotated[float, Field(gt=0)] = 4.0
    """Between pieces of sound."""
    ahead: Annotated[int, Field(ge=1, le=8)] = 2
    level_db: Annotated[float, Field(ge=-50, le=-10)] = -20.0
    """RMS level of the voice in dB of full scale, from its second clause on: its loudness is learned."""
    vertical: str = ""
    """The name of a vertical, or the path of its folder: its fixed phrases, once spoken, are kept for all
    calls; "" for none. They are not asked for ahead, as each costs money."""
    cache_mb: Annotated[int, Field(ge=0, le=4096)] = 32
    """MiB of sound that this process keeps for this voice, 33 s of speech each."""

    inputs = (Clause,)
    outputs = {"pcm_frame": Speech}

    def prepare(self) -> None:
        self._find_service().check()

    def _find_service(self) -> Service:
        return Service.find(self.base_url, self.api_key)

    async def start(self) -> None:
        self._service = self._find_service()
        self._cache = _cache.ClauseCache(repr(self), self.vertical, self.cache_mb)
        self._pace, self._level = _learned(repr(self), self.level_db)
        self._cut = asyncio.Event()
        self._requests = asyncio.TaskGroup()
        self._open: deque[asyncio.Task[None]] = deque()
        self._turn: int | None = None
        self._failure: TurnError | None = None
        """Why the rest of this turn cannot be spoken."""
        self._failure_told = False

    async def run(self, emit: Emit) -> None:
        """Own the requests under way: they outlive the `handle` that began them, and end with the call."""
        async with self._requests:
            await self._service.keep_warm(self._cut)

    async def handle(self, message: Message, emit: Emit) -> None:
        """Begin a clause. The last one of a reply waits until all is spoken: no failure goes untold."""
        assert isinstance(message, Clause)
        if message.turn is None:
            await self._backchannel(message, emit)
            return
        if message.turn != self._turn:
            self._turn, self._failure, self._failure_told = message.turn, None, False
        if self._failure is None:
            previous = self._open[-1] if self._open else None
            self._open.append(self._requests.create_task(self._speak(message, previous, emit)))
        while len(self._open) > (0 if message.final else self.ahead - 1):
            await asyncio.wait({self._open[0]})
            self._open.popleft()
        if self._failure and not self._failure_told:
            self._failure_told = True
            self.flush()
            await emit("pcm_frame", Speech(SILENCE, final=True, turn=message.turn))
            raise self._failure

    async def _backchannel(self, clause: Clause, emit: Emit) -> None:
        """It is worth nothing late: spoken where it is kept, else only kept for the next time."""
        in_time = self._cache.get(clause) is not None
        with suppress(TurnError):
            async with aclosing(self._speech(clause)) as speech:
                async for stretch in speech:
                    if in_time:
                        await emit("pcm_frame", stretch)

    def flush(self) -> None:
        self._cut.set()
        while self._open:
            self._open.pop().cancel()

    async def stop(self) -> None:
        self._cache.forget()

    async def _speak(self, clause: Clause, previous: asyncio.Task[None] | None, emit: Emit) -> None:
        """Speak a clause after the previous one. A failure is kept for `handle` to raise, because raised
        here it would end the other requests, and the call.
        """
        text = clause.text
        try:
            async with aclosing(self._speech(clause)) as speech:
                stretch = await anext(speech, None)
                if previous:
                    await asyncio.wait({previous})
                while self._is_wanted(clause) and stretch:
                    await emit("pcm_frame", stretch)
                    text = ""
                    stretch = await anext(speech, None)
        except TurnError as error:
            if previous:
                await asyncio.wait({previous})
            if self._is_wanted(clause):
                self._failure = error
        if self._is_wanted(clause) and (text or clause.final):
            end = Speech(SILENCE, text, (), clause.final, clause.protected, turn=clause.turn)
            await emit("pcm_frame", end)

    def _is_wanted(self, clause: Clause) -> bool:
        """Whether its turn has not failed: after a clause that is missing, the next one must not be heard."""
        return not (clause.turn == self._turn and self._failure)

    async def _speech(self, clause: Clause) -> AsyncGenerator[Speech]:
        """A clause's sound as it arrives, or all of it at once where it is kept; none for a text without a
        word. The service does not tell when words are spoken: that is guessed from this voice's pace, and
        from the clause's length once it is known.
        """
        said = speakable(clause.text, clause.language)
        if not spoken.word_spans(said.text):
            return
        gain = self._level.gain
        if rendered := self._cache.get(clause):
            samples = _level.amplified(rendered.samples, gain)
            yield Speech(samples, clause.text, rendered.words, protected=clause.protected, turn=clause.turn)
            return
        pieces: list[Samples] = []
        words = _timing.spread(clause.text, said, self._pace.guess_s(said.text))[:-1]
        async with aclosing(self._synthesise(said.text)) as sound:
            async for samples in sound:
                text, known = ("", ()) if pieces else (clause.text, words)
                pieces.append(samples)
                louder = _level.amplified(samples, gain)
                yield Speech(louder, text, known, protected=clause.protected, turn=clause.turn)
        whole = np.concatenate(pieces)
        length_s = len(whole) / audio.SAMPLE_RATE
        words = _timing.spread(clause.text, said, length_s)
        self._pace.learn(said.text, length_s)
        self._level.learn(whole)
        self._cache.keep(clause, _cache.Rendered(whole, words))
        yield Speech(SILENCE, words=words, turn=clause.turn)

    async def _synthesise(self, text: str) -> AsyncGenerator[Samples]:
        """A text's sound at 16 kHz as it arrives, no piece empty."""
        resampler = Resampler(self.sample_rate, audio.SAMPLE_RATE)
        rest = b""
        empty = True
        async with self._service.post(
            "audio/speech",
            first_s=self.first_sound_timeout_s,
            idle_s=self.idle_timeout_s,
            json=self._body(text),
        ) as pieces:
            async for piece in pieces:
                rest += piece
                if len(rest) < MIN_PIECE_BYTES:
                    continue
                whole = len(rest) // 2 * 2
                samples = resampler.push(np.frombuffer(rest[:whole], "<i2"))
                rest = rest[whole:]
                if len(samples):
                    empty = False
                    yield samples
        samples = resampler.push(np.frombuffer(rest[: len(rest) // 2 * 2], "<i2"), last=True)
        if len(samples):
            yield samples
        elif empty:
            raise TurnError(f"{self._service.base_url}: sent no sound for a clause")

    def _body(self, text: str) -> dict[str, Any]:
        body = {"model": self.model, "voice": self.voice, "input": text, "response_format": "pcm"}
        if self.instructions:
            body["instructions"] = self.instructions
        return body if self.speed == 1.0 else body | {"speed": self.speed}


@cache
def _learned(voice: str, level_db: float) -> tuple[_timing.Pace, _level.RunningGain]:
    """What this process has learned of a voice."""
    return _timing.Pace(), _level.RunningGain(level_db)
