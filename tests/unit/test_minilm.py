"""The sentence embedding: a small BERT with random weights, and the real one where it is in the store."""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from voice_agent.errors import ModelError
from voice_agent.models import minilm
from voice_agent.models.catalogue import find
from voice_agent.models.store import MANIFEST, Store, root

Vector = npt.NDArray[np.float64]
HIDDEN, HEADS, LAYERS, INNER = 24, 3, 2, 40
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "where", "is", "my", "order", "parcel", "late"]
TEXTS = ["where is my order", "my parcel is late my parcel is late", "", "order"]


def write(folder: Path) -> Path:
    """config.json, tokenizer.json and model.safetensors of a BERT that fits into a test."""
    folder.mkdir(parents=True)
    config = {"num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "layer_norm_eps": 1e-12}
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer(models.WordPiece({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_padding(length=64)  # as the real one's file says
    tokenizer.save(str(folder / "tokenizer.json"))
    shapes: dict[str, tuple[int, ...]] = {f"embeddings.{name}_embeddings.weight": (rows, HIDDEN)
              for name, rows in (("word", len(WORDS)), ("position", 128), ("token_type", 2))}  # fmt: skip
    linear = {f"attention.self.{part}": (HIDDEN, HIDDEN) for part in ("query", "key", "value")}
    linear |= {"attention.output.dense": (HIDDEN, HIDDEN), "intermediate.dense": (INNER, HIDDEN)}
    linear |= {"output.dense": (HIDDEN, INNER)}
    for layer in range(LAYERS):
        for name, shape in linear.items():
            shapes[f"encoder.layer.{layer}.{name}.weight"] = shape
            shapes[f"encoder.layer.{layer}.{name}.bias"] = shape[:1]
    norms = [
        "embeddings",
        *(f"encoder.layer.{at}.{part}output" for at in range(LAYERS) for part in ("attention.", "")),
    ]
    for name in norms:
        shapes[f"{name}.LayerNorm.weight"] = shapes[f"{name}.LayerNorm.bias"] = (HIDDEN,)
    random = np.random.default_rng(3)
    _save(folder / "model.safetensors", {
        name: random.standard_normal(shape).astype("<f4") for name, shape in shapes.items()
    })  # fmt: skip
    (folder / MANIFEST).write_text("{}")
    return folder


def _save(path: Path, tensors: dict[str, minilm.Matrix]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "np"}}
    at = 0
    for name, numbers in tensors.items():
        header[name] = {"dtype": "F32", "shape": numbers.shape, "data_offsets": [at, at + numbers.nbytes]}
        at += numbers.nbytes
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    body = b"".join(numbers.tobytes() for numbers in tensors.values())
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + body)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[minilm.MiniLm]:
    monkeypatch.setenv("VOICE_AGENT_MODELS", str(tmp_path))
    write(tmp_path / "embedding" / minilm.NAME)
    yield minilm.load()


def by_hand(model: minilm.MiniLm, text: str) -> list[float]:
    """The same in float64 and loops, token by token, from the formulas of the papers."""
    weights = {name: numbers.astype(float) for name, numbers in model.weights.items()}
    ids = model.tokenizer.encode(text).ids

    def norm(name: str, x: Vector) -> Any:
        return (x - x.mean()) / x.std() * weights[f"{name}.LayerNorm.weight"] + weights[
            f"{name}.LayerNorm.bias"
        ]

    def linear(name: str, x: Vector) -> Any:
        return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]

    embedding = {
        part: weights[f"embeddings.{part}_embeddings.weight"] for part in ("word", "position", "token_type")
    }
    tokens = [
        norm("embeddings", embedding["word"][token] + embedding["position"][at] + embedding["token_type"][0])
        for at, token in enumerate(ids)
    ]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}."
        q, k, v = (
            [linear(f"{name}attention.self.{part}", x) for x in tokens] for part in ("query", "key", "value")
        )
        after = []
        for at, x in enumerate(tokens):
            seen = []
            for head in range(HEADS):
                part = slice(head * HIDDEN // HEADS, (head + 1) * HIDDEN // HEADS)
                scores = np.exp([q[at][part] @ other[part] / math.sqrt(HIDDEN / HEADS) for other in k])
                seen += [
                    sum(score * other[part] for score, other in zip(scores / scores.sum(), v, strict=True))
                ]
            x = norm(
                f"{name}attention.output", x + linear(f"{name}attention.output.dense", np.concatenate(seen))
            )
            inner = linear(f"{name}intermediate.dense", x)
            gelu = np.array([y * (1 + math.erf(y / math.sqrt(2))) / 2 for y in inner])
            after.append(norm(f"{name}output", x + linear(f"{name}output.dense", gelu)))
        tokens = after
    mean = np.mean(tokens, axis=0)
    return [float(number) for number in mean / np.linalg.norm(mean)]


def test_it_computes_what_the_papers_say(small: minilm.MiniLm) -> None:
    embeddings = small.embed(TEXTS)
    assert embeddings.shape == (len(TEXTS), HIDDEN)
    for text, embedding in zip(TEXTS, embeddings, strict=True):
        np.testing.assert_allclose(embedding, by_hand(small, text), atol=2e-5)


def test_a_text_is_embedded_the_same_in_any_company(small: minilm.MiniLm) -> None:
    many = TEXTS * 20
    together = small.embed(many)
    for at, text in enumerate(many[:8]):
        np.testing.assert_allclose(together[at], small.embed([text])[0], atol=2e-6)


def test_a_long_text_is_cut_and_none_is_no_text(small: minilm.MiniLm) -> None:
    assert small.embed([]).shape == (0, HIDDEN)
    long, longer = small.embed(["order " * 126, "order " * 10_000])
    np.testing.assert_allclose(long, longer, atol=1e-6)


def test_an_absent_and_a_broken_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_AGENT_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="run `voice-agent models pull all-MiniLM-L6-v2` "):
        minilm.load()
    folder = write(tmp_path / "embedding" / minilm.NAME)
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="all-MiniLM-L6-v2 does not load"):
        minilm.load()


@pytest.mark.model
def test_the_real_weights_give_the_published_similarities() -> None:
    """The example of the documentation of sentence-transformers for this model."""
    if Store(root()).manifest(find(minilm.NAME)) is None:
        pytest.skip(f"{minilm.NAME} is not in the model store ({os.environ['VOICE_AGENT_MODELS']})")
    one = ["The cat sits outside", "The new movie is awesome"]
    other = ["The dog plays in the garden", "The new movie is so great"]
    model = minilm.load()
    cosines = (model.embed(one) * model.embed(other)).sum(axis=1)
    np.testing.assert_allclose(cosines, [0.2838, 0.8939], atol=1e-4)
