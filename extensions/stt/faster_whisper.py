"""Recognition by Whisper on this machine, with CTranslate2: English, Chinese and some hundred languages more.

`WhisperModel.transcribe` of faster-whisper pads every sound to 30 s, which takes 0.8 s of a CPU with "base"
for a single word. Here the model is given the sound's own length and a second of silence: 60 ms.
"""

import asyncio
import logging
import math
import zlib
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from extensions.stt._utterance import PreRoll, add
from voice_agent import audio
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import ModelError, requires
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message, Samples, SpeechEnded, SpeechStarted, Transcript
from voice_agent.models.store import how_to_get, located

with requires("whisper"):
    import huggingface_hub.errors
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer
    from faster_whisper.transcribe import get_ctranslate2_storage, get_suppressed_tokens

log = logging.getLogger(__name__)
MAX_WINDOW_S = 30.0
"""What the model was trained on; it takes no more."""
TAIL_S = 1.0
"""Silence after the sound. Without any the model is prone to invent an ending."""
MIN_SPEECH_S = 0.1
MAX_WAITING = 4
"""More stretches of speech than this in the queue: new ones are given up, or answers would be ever later."""
TOKENS_PER_S = 10
"""The fastest talkers reach about 7 tokens a second; more is the model repeating itself."""
NO_SPEECH = 0.6
LOG_PROBABILITY = -1.0
COMPRESSION = 2.4
"""Whisper's own limits (openai/whisper, transcribe.py) for silence, for wild guesses and for repetition."""
PROMPT_CHARS = 400
"""About 100 tokens: a longer prompt costs more time than it helps."""


@dataclass
class FasterWhisperStt(Extension):
    """Collects a stretch of speech and transcribes it in a thread at every hint of an end."""

    model: str = "base"
    """A name in `voice-agent models list` such as "base", a repository in the Hugging Face hub's cache, or a
    folder. Never downloaded here."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "default"
    """CTranslate2's number type: "int8" for a CPU, "float16" for a GPU; "default" keeps the file's."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """CPU threads for one transcription; on short speech more make it slower."""
    language: str = ""
    """As ISO 639-1; "" takes the language of the call."""
    beam_size: Annotated[int, Field(ge=1, le=10)] = 1
    vertical: str = ""
    """A vertical whose words are given to the model as a hint; "" for none."""
    window: Literal["short", "full"] = "short"
    """ "short" gives the model the sound and a second of silence; "full" always 30 s, which is what it was
    trained on, and some ten times slower."""
    pre_roll_s: Annotated[float, Field(ge=0, le=2)] = 0.4
    """Sound from before the start of speech, as a VAD hears a soft onset late."""

    inputs = (AudioFrame, SpeechStarted, SpeechEnded)
    outputs = {"asr_result": Transcript}

    def prepare(self) -> None:
        self._load()

    def _load(self) -> WhisperModel:
        return load_model(self.model, self.device, self.compute_type, self.threads)

    async def start(self) -> None:
        self._model = self._load()
        self._language = (self.language or self.session.language).split("-")[0].lower()
        if self._language not in self._model.supported_languages:
            raise ModelError(f"model '{self.model}' does not know the language '{self._language}'")
        self._hint = _hint(self.vertical, self._language) if self.vertical else ""
        self._pre_roll = PreRoll(self.pre_roll_s)
        self._speaking = False
        self._ended_s = 0.0
        self._frames: deque[AudioFrame] = deque()
        self._waiting: asyncio.Queue[Speech] = asyncio.Queue()

    async def handle(self, message: Message, emit: Emit) -> None:
        """Only collects sound: frames must not wait for the model."""
        match message:
            case AudioFrame() if self._speaking:
                add(self._frames, message)
                if len(self._frames) * audio.FRAME_S > MAX_WINDOW_S - TAIL_S:
                    self._queue(None)
            case AudioFrame():
                self._pre_roll.push(message)
            case SpeechStarted() if not self._speaking:
                self._speaking = True
                self._frames = deque(self._pre_roll.take(message.time_s, self._ended_s))
            case SpeechEnded():
                self._queue(message.time_s)
                self._speaking = False
                self._ended_s = message.time_s

    def _queue(self, end_s: float | None) -> None:
        samples = np.concatenate([*(frame.samples for frame in self._frames), np.zeros(0, np.int16)])
        self._frames.clear()
        if self._waiting.qsize() >= MAX_WAITING:
            log.warning("%s node '%s' is too slow: speech given up", self.session.session_id, self.node)
            samples = samples[:0]
        self._waiting.put_nowait(Speech(samples, end_s))

    async def run(self, emit: Emit) -> None:
        """Transcribe what is in the queue, in order; parts of long speech make one transcript."""
        parts: list[Understood] = []
        while True:
            speech = await self._waiting.get()
            parts.append(await asyncio.to_thread(self._transcribe, speech.samples))
            if speech.end_s is None:
                continue
            heard = [part for part in parts if part.text]
            parts = []
            text = ("" if self._language in ("zh", "ja") else " ").join(part.text for part in heard)
            confidence = min((part.confidence for part in heard), default=0.0)
            log.debug("%s recognised %r (%.2f)", self.session.session_id, text, confidence)
            await emit("asr_result", Transcript(text, True, self._language, confidence, speech.end_s))

    def _transcribe(self, samples: Samples) -> "Understood":
        """In a thread: several calls may share the model, which queues them."""
        if len(samples) < MIN_SPEECH_S * audio.SAMPLE_RATE:
            return NOTHING
        model = self._model
        seconds = len(samples) / audio.SAMPLE_RATE
        tokenizer = Tokenizer(
            model.hf_tokenizer, model.model.is_multilingual, task="transcribe", language=self._language
        )
        prompt = model.get_prompt(
            tokenizer, tokenizer.encode(" " + self._hint) if self._hint else [], without_timestamps=True
        )
        new_tokens = 5 + math.ceil(TOKENS_PER_S * seconds)
        result = model.model.generate(
            get_ctranslate2_storage(self._features(samples)[np.newaxis]),
            [prompt],
            beam_size=self.beam_size,
            # CTranslate2 takes off the prompt, and never makes more than half of what this says.
            max_length=min(max(len(prompt) + new_tokens, 2 * new_tokens), model.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )[0]
        tokens = result.sequences_ids[0]
        # The score is the mean over the tokens and the end mark, as length_penalty is 1.
        log_probability = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return judge(tokenizer.decode(tokens).strip(), log_probability, result.no_speech_prob)

    def _features(self, samples: Samples) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        """Log-mel spectrogram, shape (mels, windows of 10 ms)."""
        full = round(MAX_WINDOW_S * audio.SAMPLE_RATE)
        size = full if self.window == "full" else min(full, len(samples) + round(TAIL_S * audio.SAMPLE_RATE))
        padded = np.zeros(size, np.float32)
        padded[: len(samples)] = audio.to_float(samples[:size])
        features = self._model.feature_extractor(padded, padding=False)
        even: np.ndarray[tuple[int, int], np.dtype[np.float32]] = features[:, : features.shape[1] // 2 * 2]
        return even


class Speech(NamedTuple):
    """What is to be transcribed; `end_s` is None for a part of longer speech."""

    samples: Samples
    end_s: float | None


class Understood(NamedTuple):
    """A transcript, and how far it can be trusted: 0..1."""

    text: str
    confidence: float


NOTHING = Understood("", 0.0)


def judge(text: str, log_probability: float, no_speech_probability: float) -> Understood:
    """Reject what the model made up; the confidence is the mean probability of a token."""
    if not text or (no_speech_probability > NO_SPEECH and log_probability < LOG_PROBABILITY):
        return NOTHING
    confidence = math.exp(min(0.0, log_probability))
    encoded = text.encode()
    if len(encoded) / len(zlib.compress(encoded)) > COMPRESSION:
        return Understood(text, min(confidence, 0.1))
    return Understood(text, confidence)


def _hint(vertical: str, language: str) -> str:
    """Some sentences of the vertical, as if they had been said before."""
    loaded = load_vertical(vertical)
    if language not in loaded.languages:
        return ""
    examples = [
        intent.examples[language][0] for intent in loaded.intents if "{" not in intent.examples[language][0]
    ]
    return ". ".join(examples)[:PROMPT_CHARS]


@cache
def load_model(model: str, device: str, compute_type: str, threads: int) -> WhisperModel:
    """From local files alone, once per process. Raises ModelError that says how to get it."""
    try:
        path = located("whisper", model)
        return WhisperModel(
            path, device=device, compute_type=compute_type, cpu_threads=threads, local_files_only=True
        )
    except huggingface_hub.errors.LocalEntryNotFoundError as error:
        raise ModelError(
            f"Whisper model '{model}' is not on this machine: {how_to_get('whisper', model)}, "
            "or set `model` to a folder that holds it"
        ) from error
    except (ValueError, RuntimeError, OSError) as error:
        raise ModelError(f"Whisper model '{model}' does not load: {error}") from error
