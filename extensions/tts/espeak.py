"""Speak with espeak-ng: some hundred languages, in milliseconds, in a voice that is plainly a robot's.

espeak-ng is GPL-3, this code is MIT: it is an optional part, loaded by `_espeak.py` alone.
A clause is synthesised whole, as that takes about 1 ms for a second of speech, so `Speech` holds all of
the clause, with the exact time of every word from espeak's own events.
"""

import asyncio
from bisect import bisect_left
from dataclasses import dataclass, field
from threading import Event
from typing import Annotated

import numpy as np
from pydantic import Field

from extensions.tts import _espeak, _level
from voice_agent import audio, spoken
from voice_agent.errors import ModelError, TurnError
from voice_agent.extension import Emit, Extension
from voice_agent.message import Clause, Message, Speech, Word


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

    inputs = (Clause,)
    outputs = {"pcm_frame": Speech}

    def prepare(self) -> None:
        missing = [name for name in self.voices.values() if not _espeak.engine().has(name)]
        if missing:
            raise ModelError(f"espeak-ng has no voice {', '.join(missing)}; see `voices`, default en-us+f2")

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Clause)
        said = spoken.speakable(message.text, message.language)
        if spoken.word_spans(said.text):
            await emit("pcm_frame", await self._speak(message, said))
        elif message.text or message.final:
            await emit("pcm_frame", Speech(np.zeros(0, np.int16), message.text, final=message.final))

    async def _speak(self, clause: Clause, said: spoken.Spoken) -> Speech:
        engine = _espeak.engine()
        voice = _espeak.Voice(self._voice_for(clause), self.rate_wpm, self.pitch)
        abandoned = Event()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                engine.thread, lambda: self._render(clause, said, engine.speak(said.text, voice, abandoned))
            )
        except LookupError as error:
            raise TurnError(f"espeak-ng has no voice for the language '{clause.language}'") from error
        finally:
            abandoned.set()

    def _voice_for(self, clause: Clause) -> str:
        """Chinese within an English reply is spoken by the Chinese voice, which knows English too."""
        language = clause.language
        if language.startswith("en") and any(map(spoken.is_cjk, clause.text)):
            language = "zh"
        return self.voices.get(language) or self.voices.get(language.split("-")[0]) or language

    def _render(self, clause: Clause, said: spoken.Spoken, utterance: _espeak.Utterance) -> Speech:
        rate = utterance.sample_rate
        part = _level.sounding(utterance.samples)
        samples = _level.levelled(audio.resample(utterance.samples[part], rate), self.level_db)
        known = [(said.origin[at], max(0, sample - part.start) / rate) for at, sample in utterance.words]
        words = _words(clause.text, known, len(samples) / audio.SAMPLE_RATE)
        if not clause.final:
            samples = np.concatenate((samples, _level.pause_after(clause.text)))
        return Speech(samples, clause.text, words, clause.final)


def _words(text: str, known: list[tuple[int, float]], duration_s: float) -> tuple[Word, ...]:
    """The words of the clause as they are written, each from its start to the next one's.

    `known` says at which place in the text a spoken word begins, and when. A written word that begins
    several spoken ones ("$20") takes the first; one within a spoken word (Chinese) its share.
    """
    spans = spoken.word_spans(text)
    places = [place for place, _ in known]
    anchors = [(0, 0.0)]
    for start, end in spans:
        first = bisect_left(places, start)
        if start > 0 and first < len(places) and places[first] < end:
            anchors.append((start, known[first][1]))
    anchors.append((len(text), duration_s))
    at, at_s = np.array(anchors).T
    starts = np.interp([start for start, _ in spans], at, at_s).tolist()
    ends = [*starts[1:], duration_s]
    return tuple(
        Word(text[start:end], begins, ends_s)
        for (start, end), begins, ends_s in zip(spans, starts, ends, strict=True)
    )
