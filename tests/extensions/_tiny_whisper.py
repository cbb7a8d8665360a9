"""A Whisper of the real architecture with random weights, small enough to be made in a test."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

MELS = 80
SOURCE_POSITIONS = 1500
"""30 s in steps of 20 ms."""
TARGET_POSITIONS = 448
SCALE = 1.7
"""Of the random weights, for layers that change their input and do not drown it."""
MULTILINGUAL = ""
"""The empty token is in the vocabulary of the multilingual models only: CTranslate2 tells them by it."""
SPECIAL = (
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|translate|>", "<|transcribe|>",
    "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """How large a model is."""

    hidden: int
    heads: int
    layers: int
    """Of the encoder, and as many of the decoder."""
    vocabulary: int = 0
    """Tokens; 0 for only those that are needed."""


SMALLEST = Shape(hidden=32, heads=2, layers=1)
TINY = Shape(hidden=384, heads=6, layers=4, vocabulary=51_865)
BASE = Shape(hidden=512, heads=8, layers=6, vocabulary=51_865)
"""OpenAI's, as published in the models' config.json."""


def write(folder: Path, seed: int = 0, shape: Shape = SMALLEST) -> Path:
    """Write model.bin, vocabulary.json, config.json and tokenizer.json; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    vocabulary += [f"<|{step * 0.02:.2f}|>" for step in range(SOURCE_POSITIONS + 1)]
    vocabulary += [f"<|unused{number}|>" for number in range(len(vocabulary), shape.vocabulary)]

    spec = WhisperSpec(shape.layers, shape.heads, shape.layers, shape.heads)
    random = np.random.default_rng(seed)
    _fill(spec.encoder, random, shape.hidden)
    _fill(spec.decoder, random, shape.hidden)
    hidden, scale = shape.hidden, SCALE / shape.hidden**0.5
    spec.encoder.conv1.weight = _weights(random, scale, hidden, MELS, 3)
    spec.encoder.conv1.bias = _weights(random, scale, hidden)
    spec.encoder.conv2.weight = _weights(random, scale, hidden, hidden, 3)
    spec.encoder.conv2.bias = _weights(random, scale, hidden)
    spec.encoder.position_encodings.encodings = _weights(random, scale, SOURCE_POSITIONS, hidden)
    spec.decoder.position_encodings.encodings = _weights(random, scale, TARGET_POSITIONS, hidden)
    spec.decoder.embeddings.weight = _weights(random, scale, len(vocabulary), hidden)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.register_vocabulary(vocabulary)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [vocabulary.index("<|en|>"), vocabulary.index("<|zh|>")]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize("int8" if shape.vocabulary else None)
    spec.save(str(folder))
    return folder


def _tokenizer() -> Tokenizer:
    """Bytes for tokens, as in Whisper's own, without merges."""
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), MULTILINGUAL]
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def _fill(coder: Any, random: np.random.Generator, hidden: int) -> None:
    """Weights for the layers that encoder and decoder have in common."""
    _norm(coder.layer_norm, hidden)
    for layer in coder.layer:
        attentions = [layer.self_attention]
        _linear(layer.self_attention.linear[0], random, 3 * hidden, hidden)
        if hasattr(layer, "attention"):  # the decoder looks at the encoder, too
            attentions.append(layer.attention)
            _linear(layer.attention.linear[0], random, hidden, hidden)
            _linear(layer.attention.linear[1], random, 2 * hidden, hidden)
        for attention in attentions:
            _norm(attention.layer_norm, hidden)
            _linear(attention.linear[-1], random, hidden, hidden)
        _norm(layer.ffn.layer_norm, hidden)
        _linear(layer.ffn.linear_0, random, 4 * hidden, hidden)
        _linear(layer.ffn.linear_1, random, hidden, 4 * hidden)


def _linear(spec: Any, random: np.random.Generator, rows: int, columns: int) -> None:
    scale = SCALE / columns**0.5
    spec.weight = _weights(random, scale, rows, columns)
    spec.bias = _weights(random, scale, rows)


def _norm(spec: Any, hidden: int) -> None:
    spec.gamma = np.ones(hidden, np.float32)
    spec.beta = np.zeros(hidden, np.float32)


def _weights(random: np.random.Generator, scale: float, *shape: int) -> Any:
    return random.standard_normal(shape).astype(np.float32) * np.float32(scale)
