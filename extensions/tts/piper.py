"""Speak with Piper: natural voices that run on a CPU, downloaded once.

piper-tts is GPL-3, this code is MIT: it is an optional part (extra "piper"), imported here alone.
A clause is one sentence or less, which Piper synthesises in one go. When its words are spoken follows from
how long its phonemes last, which `_durations.py` makes the model tell.
"""

import asyncio
import json
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from threading import Event
from typing import Annotated

import numpy as np
from pydantic import Field

from extensions.tts import _cache, _durations, _level, _timing
from voice_agent import audio
from voice_agent.errors import ModelError, TurnError, requires
from voice_agent.extension import Emit, Extension
from voice_agent.message import Clause, Message, Samples, Speech, Word
from voice_agent.models.store import how_to_get, located
from voice_agent.speakable import Spoken, speakable

with requires("piper"):
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors
    from piper import PiperVoice, SynthesisConfig
    from piper.config import PiperConfig

HOW = (
    "give one of `voice-agent models list`, such as en_US-lessac-medium or zh_CN-huayan-medium, or another "
    "voice's .onnx file to the property `voices` (in the graph `local`: PIPER_VOICE_EN, PIPER_VOICE_ZH)"
)
HEADROOM = 0.7
"""Of full scale, so that the resampler's overshoot does not clip; loudness is set after it."""
BROKEN = (
    OSError,
    ImportError,
    ValueError,
    KeyError,
    TypeError,
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NoSuchFile,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)
"""What a voice that is absent, incomplete or no voice at all raises."""


@dataclass
class PiperTts(Extension):
    """Clauses to speech."""

    voices: dict[str, str] = field(default_factory=dict)
    """For each language a voice: a name in `voice-agent models list`, or the path of a file .onnx with its
    .onnx.json beside it."""
    speaker: Annotated[int, Field(ge=0)] | None = None
    """Which of a voice's speakers, where it has several."""
    length_scale: Annotated[float, Field(ge=0.3, le=3)] = 1.0
    """How slowly it speaks: 2 is half as fast."""
    level_db: Annotated[float, Field(ge=-50, le=-10)] = -20.0
    """RMS level of the voice in dB of full scale."""
    threads: Annotated[int, Field(ge=1, le=16)] = 1
    """Of the CPU, for one clause. More make one caller's voice start earlier and many callers' later."""
    vertical: str = ""
    """The name of a vertical, or the path of its folder: its fixed phrases are rendered ahead. "" is none."""
    cache_mb: Annotated[int, Field(ge=0, le=4096)] = 32
    """MiB of rendered clauses that this process keeps for this voice, 33 s of speech each."""

    inputs = (Clause,)
    outputs = {"pcm_frame": Speech}

    def prepare(self) -> None:
        if not self.voices:
            raise ModelError(f"tts.piper has no voice: {HOW}")
        for path in self.voices.values():
            load_voice(path, self.threads)

        self._cached().warm(lambda clause: self._render(clause, _said(clause), Event()), self.voices)

    def _cached(self) -> _cache.ClauseCache:
        return _cache.ClauseCache(repr(self), self.vertical, self.cache_mb)

    async def start(self) -> None:
        self._cache = self._cached()

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Clause)
        if speech := await self._cache.speech(message, _said(message), self._speak):
            await emit("pcm_frame", speech)

    async def stop(self) -> None:
        self._cache.forget()

    async def _speak(self, clause: Clause, said: Spoken) -> _cache.Rendered:
        abandoned = Event()
        try:
            with self._cache.shared.speaking():
                return await asyncio.to_thread(self._render, clause, said, abandoned)
        finally:
            abandoned.set()

    def _render(self, clause: Clause, said: Spoken, abandoned: Event) -> _cache.Rendered:
        """Synthesise a clause; takes 0.1 s or more. Raises TurnError."""
        voice = load_voice(self._voice_for(clause), self.threads)
        try:
            samples, phonemes = self._synthesise(voice, said.text, abandoned)
        except BROKEN as error:
            raise TurnError(f"Piper could not speak: {error}") from error
        part = _level.sounding(samples)
        rate = voice.config.sample_rate
        sound = _level.levelled(audio.resample(samples[part], rate), self.level_db)
        starts = [(phoneme, max(0, start - part.start) / rate) for phoneme, start in phonemes]
        return _cache.Rendered(sound, _words(clause, said, starts, len(sound) / audio.SAMPLE_RATE))

    def _voice_for(self, clause: Clause) -> str:
        path = self.voices.get(clause.language) or self.voices.get(clause.language.split("-")[0])
        if path is None:
            has = ", ".join(self.voices)
            raise TurnError(f"tts.piper has no voice for the language '{clause.language}', only for {has}")
        return path

    def _synthesise(
        self, voice: PiperVoice, text: str, abandoned: Event
    ) -> tuple[Samples, list[tuple[str, int]]]:
        """The text at the voice's rate, and the first sample of each phoneme; none where a model does not
        tell. Between two sentences it stops if it is abandoned.
        """
        config = SynthesisConfig(self.speaker, self.length_scale, volume=HEADROOM)
        pieces: list[Samples] = [np.zeros(0, np.int16)]
        phonemes: list[tuple[str, int]] = []
        told, length = True, 0
        for chunk in voice.synthesize(text, config, include_alignments=True):
            at = length
            for each in chunk.phoneme_alignments or ():
                phonemes.append((each.phoneme, at))
                at += int(each.num_samples)
            told = told and at == length + len(chunk.audio_float_array)
            pieces.append(chunk.audio_int16_array)
            length += len(pieces[-1])
            if abandoned.is_set():
                break
        return np.concatenate(pieces), phonemes if told else []


def _words(
    clause: Clause, said: Spoken, phonemes: list[tuple[str, float]], duration_s: float
) -> tuple[Word, ...]:
    if not phonemes:
        return _timing.spread(clause.text, said, duration_s)
    return _timing.written_words(clause.text, _durations.word_starts(said, phonemes), duration_s)


def _said(clause: Clause) -> Spoken:
    """What is to be said; "[[" would begin phonemes."""
    said = speakable(clause.text, clause.language)
    return replace(said, text=said.text.replace("[[", "  "))


@cache
def load_voice(name: str, threads: int) -> PiperVoice:
    """A voice, loaded once per process (1-2 s) and tried. Raises ModelError."""
    path = located("piper", name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        config = PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text("utf-8")))
        model = _durations.with_durations(Path(path).read_bytes())
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        voice = PiperVoice(session, config, download_dir=Path(path).parent)
        next(iter(voice.synthesize("a")), None)
    except FileNotFoundError as error:
        get = how_to_get("piper", name)
        raise ModelError(f"Piper voice '{name}' is missing ({error.filename}): {get}; or {HOW}") from error
    except BROKEN as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"Piper voice {path} cannot be used ({reason}): {HOW}") from error
    return voice
