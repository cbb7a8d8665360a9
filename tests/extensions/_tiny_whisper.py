"""A Whisper of the real architecture with random weights, small enough to be made in a test."""

from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

HIDDEN = 32
HEADS = 2
LAYERS = 1
MELS = 80
SOURCE_POSITIONS = 1500
"""30 s in steps of 20 ms."""
TARGET_POSITIONS = 448
MULTILINGUAL = ""
"""The empty token is in the vocabulary of the multilingual models only: CTranslate2 tells them by it."""
SPECIAL = (
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|translate|>", "<|transcribe|>",
    "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)  # fmt: skip


def write(folder: Path, seed: int = 0) -> Path:
    """Write model.bin, vocabulary.json, config.json and tokenizer.json; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    vocabulary += [f"<|{step * 0.02:.2f}|>" for step in range(SOURCE_POSITIONS + 1)]

    spec = WhisperSpec(LAYERS, HEADS, LAYERS, HEADS)
    random = np.random.default_rng(seed)
    _fill(spec.encoder, random)
    _fill(spec.decoder, random)
    spec.encoder.conv1.weight = _weights(random, HIDDEN, MELS, 3)
    spec.encoder.conv1.bias = _weights(random, HIDDEN)
    spec.encoder.conv2.weight = _weights(random, HIDDEN, HIDDEN, 3)
    spec.encoder.conv2.bias = _weights(random, HIDDEN)
    spec.encoder.position_encodings.encodings = _weights(random, SOURCE_POSITIONS, HIDDEN)
    spec.decoder.position_encodings.encodings = _weights(random, TARGET_POSITIONS, HIDDEN)
    spec.decoder.embeddings.weight = _weights(random, len(vocabulary), HIDDEN)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.register_vocabulary(vocabulary)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [vocabulary.index("<|en|>"), vocabulary.index("<|zh|>")]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize()
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


def _fill(coder: Any, random: np.random.Generator) -> None:
    """Weights for the layers that encoder and decoder have in common."""
    _norm(coder.layer_norm)
    for layer in coder.layer:
        attentions = [layer.self_attention]
        _linear(layer.self_attention.linear[0], random, 3 * HIDDEN, HIDDEN)
        if hasattr(layer, "attention"):  # the decoder looks at the encoder, too
            attentions.append(layer.attention)
            _linear(layer.attention.linear[0], random, HIDDEN, HIDDEN)
            _linear(layer.attention.linear[1], random, 2 * HIDDEN, HIDDEN)
        for attention in attentions:
            _norm(attention.layer_norm)
            _linear(attention.linear[-1], random, HIDDEN, HIDDEN)
        _norm(layer.ffn.layer_norm)
        _linear(layer.ffn.linear_0, random, 4 * HIDDEN, HIDDEN)
        _linear(layer.ffn.linear_1, random, HIDDEN, 4 * HIDDEN)


def _linear(spec: Any, random: np.random.Generator, rows: int, columns: int) -> None:
    spec.weight = _weights(random, rows, columns)
    spec.bias = _weights(random, rows)


def _norm(spec: Any) -> None:
    spec.gamma = np.ones(HIDDEN, np.float32)
    spec.beta = np.zeros(HIDDEN, np.float32)


def _weights(random: np.random.Generator, *shape: int) -> Any:
    return random.standard_normal(shape).astype(np.float32) * 0.3
