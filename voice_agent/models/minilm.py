"""Sentence embeddings by all-MiniLM-L6-v2 in plain NumPy: what two texts have in common beyond their words.

A BERT of 6 layers (Devlin et al. 2019) and the mean over its tokens, of unit length (Reimers and Gurevych
2019). It was trained on English. Read from `model.safetensors` and `tokenizer.json` in the model store;
`tokenizers` comes with faster-whisper. Nothing depends on it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voice_agent.errors import ModelError
from voice_agent.models.store import how_to_get, located

Matrix = npt.NDArray[np.float32]
NAME = "all-MiniLM-L6-v2"
MAX_TOKENS = 128
"""As it was trained; the rest of a longer text is left out."""
BATCH = 32
ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429, 0.3275911)
"""Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: wrong by 1.5e-7 at most."""


@dataclass(frozen=True)
class MiniLm:
    """The loaded model; several threads may use it."""

    tokenizer: Any
    weights: dict[str, Matrix]
    layers: int
    heads: int
    epsilon: float

    @property
    def size(self) -> int:
        """Numbers in an embedding."""
        return int(self.weights["embeddings.word_embeddings.weight"].shape[1])

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Their embeddings, shape (texts, size); the product of two is the cosine of their angle."""
        encoded = [self.tokenizer.encode(text).ids for text in texts]
        order = sorted(range(len(texts)), key=lambda at: len(encoded[at]))  # so that few are padded much
        embeddings = np.zeros((len(texts), self.size), np.float32)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            embeddings[batch] = self._mean([encoded[at] for at in batch])
        return embeddings

    def _mean(self, ids: Sequence[Sequence[int]]) -> Matrix:
        longest = max(map(len, ids))
        padded = np.zeros((len(ids), longest), np.int64)
        mask = np.zeros((len(ids), longest), np.float32)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        hidden = self._embedded(padded)
        for layer in range(self.layers):
            hidden = self._layer(f"encoder.layer.{layer}.", hidden, mask)
        mean = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        unit: Matrix = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit

    def _embedded(self, tokens: npt.NDArray[np.int64]) -> Matrix:
        weights = self.weights
        words = weights["embeddings.word_embeddings.weight"][tokens]
        positions = weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        first_sentence = weights["embeddings.token_type_embeddings.weight"][0]
        return self._normed("embeddings.LayerNorm", words + positions + first_sentence)

    def _layer(self, name: str, hidden: Matrix, mask: Matrix) -> Matrix:
        attended = self._linear(f"{name}attention.output.dense", self._attention(name, hidden, mask))
        hidden = self._normed(f"{name}attention.output.LayerNorm", hidden + attended)
        inner = _gelu(self._linear(f"{name}intermediate.dense", hidden))
        return self._normed(f"{name}output.LayerNorm", hidden + self._linear(f"{name}output.dense", inner))

    def _attention(self, name: str, hidden: Matrix, mask: Matrix) -> Matrix:
        batch, length, size = hidden.shape

        def heads(part: str) -> Matrix:
            whole = self._linear(f"{name}attention.self.{part}", hidden)
            return whole.reshape(batch, length, self.heads, -1).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").swapaxes(2, 3) / np.float32(math.sqrt(size // self.heads))
        scores += (mask[:, None, None, :] - 1) * np.float32(1e9)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        together: Matrix = (scores @ heads("value")).transpose(0, 2, 1, 3).reshape(batch, length, size)
        return together

    def _linear(self, name: str, hidden: Matrix) -> Matrix:
        product: Matrix = hidden @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return product

    def _normed(self, name: str, hidden: Matrix) -> Matrix:
        centred = hidden - hidden.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(self.epsilon))
        normed: Matrix = centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return normed


def _gelu(x: Matrix) -> Matrix:
    """The exact GELU, x times the normal distribution function."""
    a1, a2, a3, a4, a5, p = map(np.float32, ERF)
    z = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + p * z)
    erf = 1 - ((((a5 * t + a4) * t + a3) * t + a2) * t + a1) * t * np.exp(-z * z)
    result: Matrix = x * (1 + np.copysign(erf, x)) * np.float32(0.5)
    return result


def load(name: str = NAME) -> MiniLm:
    """The model from the store, loaded once (0.2 s, 110 MB). Raises ModelError when it is not there."""
    folder = located("embedding", name)
    if folder == name:
        raise ModelError(f"model '{name}' is not on this machine: {how_to_get('embedding', name)}")
    return _load(Path(folder))


@cache
def _load(folder: Path) -> MiniLm:
    import tokenizers

    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return MiniLm(
            tokenizer,
            read_safetensors(folder / "model.safetensors"),
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            epsilon=config["layer_norm_eps"],
        )
    except Exception as error:  # tokenizers raises nothing narrower
        raise ModelError(f"{folder} does not load ({type(error).__name__}: {error})") from error


def read_safetensors(path: Path) -> dict[str, Matrix]:
    """The float32 tensors of a file: 8 bytes of length, a JSON header, then the numbers."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, entry in json.loads(content[8:start]).items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            numbers = np.frombuffer(content, "<f4", (end - begin) // 4, start + begin)
            tensors[name] = numbers.reshape(entry["shape"])
    return tensors
