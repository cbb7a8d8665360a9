"""A Whisper model that all calls of this process share: loading it, and one decode of one sound.

`WhisperModel.transcribe` of faster-whisper pads every sound to 30 s, which takes 0.8 s of a CPU with "base"
for a single word. Here the model is given the sound's own length and some silence: 60 ms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import ctranslate2
import huggingface_hub.errors
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_ctranslate2_storage, get_suppressed_tokens

from extensions.stt._worker import Worker
from voice_agent import audio
from voice_agent.errors import ModelError
from voice_agent.message import Samples
from voice_agent.models.store import how_to_get, located

WINDOW_S = 30.0
"""What the model was trained on; it takes no more."""
EXTRA_TOKENS = 5
"""For punctuation, beyond what is allowed for each second."""
COMPUTE_TYPES = {"cpu": "int8", "cuda": "float16"}
Features = np.ndarray[tuple[int, int], np.dtype[np.float32]]


class Hypothesis(NamedTuple):
    """What one decode made of a sound."""

    tokens: list[int]
    """Those of the prefix among them."""
    log_probability: float
    """The sum over the tokens after the prefix and the end mark."""
    no_speech_probability: float
    language: str


@dataclass(frozen=True)
class Request:
    """A sound, and how it is to be decoded."""

    samples: Samples
    """Shape (n,)."""
    language: str
    """As ISO 639-1; "" to have it detected."""
    hint: str = ""
    """Words that may have been said before."""
    prefix: Sequence[int] = ()
    """Tokens that the answer begins with."""
    pad_s: float = 1.0
    """Silence after the sound; math.inf fills the window."""
    beam_size: int = 1
    tokens_per_s: float = 10.0


@dataclass(frozen=True, eq=False)
class Whisper:
    """A model and the threads that it works in."""

    model: WhisperModel
    worker: Worker

    def decode(self, request: Request) -> Hypothesis:
        """Takes some 10 ms for each second of sound: to be run by `worker`."""
        features = get_ctranslate2_storage(self.features(request.samples, request.pad_s)[np.newaxis])
        language = request.language
        if not language:
            features = self.model.model.encode(features)
            language = self._detect(features)
        tokenizer = tokenizer_of(self.model, language)
        hint = tokenizer.encode(" " + request.hint) if request.hint else []
        prompt = self.model.get_prompt(tokenizer, hint, without_timestamps=True)
        seconds = len(request.samples) / audio.SAMPLE_RATE
        limit = EXTRA_TOKENS + math.ceil(request.tokens_per_s * seconds)
        result = self.model.model.generate(
            features,
            [[*prompt, *request.prefix]],
            beam_size=request.beam_size,
            # CTranslate2 takes off the prompt, and never makes more than half of what this says.
            max_length=min(max(len(prompt) + limit, 2 * limit), self.model.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=_suppressed(self.model, language),
        )[0]
        tokens = result.sequences_ids[0]
        # The score is the sum over the tokens after the prefix by the number of all: length_penalty is 1.
        return Hypothesis(tokens, result.scores[0] * len(tokens), result.no_speech_prob, language)

    def features(self, samples: Samples, pad_s: float) -> Features:
        """Log-mel spectrogram, shape (mels, windows of 10 ms)."""
        full = round(WINDOW_S * audio.SAMPLE_RATE)
        size = min(float(full), len(samples) + pad_s * audio.SAMPLE_RATE)
        padded = np.zeros(round(size), np.float32)
        padded[: len(samples)] = audio.to_float(samples[: len(padded)])
        features = self.model.feature_extractor(padded, padding=False)
        even: Features = features[:, : features.shape[1] // 2 * 2]
        return even

    def text(self, tokens: Sequence[int], language: str) -> str:
        """As the model writes it; English words begin with their space."""
        decoded: str = tokenizer_of(self.model, language).decode(list(tokens))
        return decoded

    def _detect(self, features: ctranslate2.StorageView) -> str:
        if not self.model.model.is_multilingual:
            return "en"
        [[(token, _), *_]] = self.model.model.detect_language(features)
        language: str = token[2:-2]  # <|en|>
        return language


@cache
def load(model: str, device: str, compute_type: str, threads: int, at_once: int = 1) -> Whisper:
    """From local files alone, once per process. Raises ModelError that says how to get it.

    `compute_type` is CTranslate2's number type, "" the fastest that loses next to nothing. `at_once` sounds
    are decoded at the same time, each on so many `threads`; they share the weights.
    """
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    try:
        loaded = WhisperModel(
            located("whisper", model),
            device=device,
            compute_type=compute_type or COMPUTE_TYPES[device],
            cpu_threads=threads,
            num_workers=at_once,
            local_files_only=True,
        )
    except huggingface_hub.errors.LocalEntryNotFoundError as error:
        raise ModelError(
            f"Whisper model '{model}' is not on this machine: {how_to_get('whisper', model)}, "
            "or set `model` to a folder that holds it"
        ) from error
    except (ValueError, RuntimeError, OSError) as error:
        raise ModelError(f"Whisper model '{model}' does not load: {error}") from error
    return Whisper(loaded, Worker("whisper", at_once))


@cache
def tokenizer_of(model: WhisperModel, language: str) -> Tokenizer:
    """The model's tokenizer, set to a language."""
    return Tokenizer(model.hf_tokenizer, model.model.is_multilingual, task="transcribe", language=language)


@cache
def _suppressed(model: WhisperModel, language: str) -> tuple[int, ...]:
    """Tokens for what is not speech."""
    return tuple(get_suppressed_tokens(tokenizer_of(model, language), [-1]))
