"""Speak with espeak-ng: some hundred languages, in milliseconds, in a voice that is plainly a robot's.

espeak-ng is GPL-3, this code is MIT: it is an optional part, loaded by `_espeak.py` alone.
A clause is synthesised whole, as that takes about 1 ms for a second of speech, so `Speech` holds all of
the clause, with the exact time of every word from espeak's own events.
"""

import asyncio
from dataclasses import dataclass, field
from threading import Event
from typing import Annotated

from pydantic import Field

from extensions.tts import _cache, _espeak, _level, _timing
from voice_agent import audio, spoken
from voice_agent.errors import ModelError, TurnError
from voice_agent.extension import Emit, Extension
from voice_agent.message import Clause, Message, Speech
from voice_agent.speakable import Spoken, speakable


@dataclass
class EspeakTts(Extension):
    """Clauses to speech."""

    voices: dict[str, str] = field(default_factory=lambda: {"en": "en-us+f2", "zh": "cmn+f2"})
    """For each language one of espeak's voices, "+" one of its variants. A language that is not named
    here is spoken by the voice of the same name, as far as espeak has one. The variant f2 is the clearest
    to a recogniser: pocketsphinx gets 31-35 % of its words wrong, 70-74 % of f3's or the plain voice's."""
    rate_wpm: Annotated[int, Field(ge=80, le=450)] = 165
    pitch: Annotated[int, Field(ge=0, le=100)] = 50
    level_db: Annotated[float, Field(ge=-50, le=-10)] = -20.0
    """RMS level of the voice in dB of full scale."""
    vertical: str = ""
    """The name of a vertical, or the path of its folder: its fixed phrases are rendered ahead. "" is none."""
    cache_mb: Annotated[int, Field(ge=0, le=4096)] = 32
    """MiB of rendered clauses that this process keeps for this voice, 33 s of speech each."""

    inputs = (Clause,)
    outputs = {"pcm_frame": Speech}

    def prepare(self) -> None:
        missing = [name for name in self.voices.values() if not _espeak.engine().has(name)]
        if missing:
            raise ModelError(f"espeak-ng has no voice {', '.join(missing)}; see `voices`, default en-us+f2")

        self._cached().warm(self._render_now, self.voices)

    def _cached(self) -> _cache.ClauseCache:
        return _cache.ClauseCache(repr(self), self.vertical, self.cache_mb)

    async def start(self) -> None:
        self._cache = self._cached()

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Clause)
        said = speakable(message.text, message.language)
        if speech := await self._cache.speech(message, said, self._speak):
            await emit("pcm_frame", speech)

    async def stop(self) -> None:
        self._cache.forget()

    async def _speak(self, clause: Clause, said: Spoken) -> _cache.Rendered:
        abandoned = Event()
        loop = asyncio.get_running_loop()
        thread = _espeak.engine().thread
        try:
            return await loop.run_in_executor(thread, self._render, clause, said, abandoned)
        finally:
            abandoned.set()

    def _render_now(self, clause: Clause) -> _cache.Rendered:
        said = speakable(clause.text, clause.language)
        return _espeak.engine().thread.submit(self._render, clause, said, Event()).result()

    def _voice_for(self, clause: Clause) -> str:
        """Chinese within an English reply is spoken by the Chinese voice, which knows English too."""
        language = clause.language
        if language.startswith("en") and any(map(spoken.is_cjk, clause.text)):
            language = "zh"
        return self.voices.get(language) or self.voices.get(language.split("-")[0]) or language

    def _render(self, clause: Clause, said: Spoken, abandoned: Event) -> _cache.Rendered:
        """Synthesise a clause, on the engine's thread. Raises TurnError."""
        voice = _espeak.Voice(self._voice_for(clause), self.rate_wpm, self.pitch)
        try:
            utterance = _espeak.engine().speak(said.text, voice, abandoned)
        except LookupError as error:
            raise TurnError(f"espeak-ng has no voice for the language '{clause.language}'") from error
        rate = utterance.sample_rate
        part = _level.sounding(utterance.samples)
        samples = _level.levelled(audio.resample(utterance.samples[part], rate), self.level_db)
        known = [(said.origin[at], max(0, sample - part.start) / rate) for at, sample in utterance.words]
        words = _timing.written_words(clause.text, known, len(samples) / audio.SAMPLE_RATE)
        return _cache.Rendered(samples, words)
