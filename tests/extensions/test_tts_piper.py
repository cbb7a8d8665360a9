"""tts.piper with a voice made here: Piper's own code and onnxruntime run, on a model of Piper's interface
(input, input_lengths, scales -> output) whose weights are random: each phoneme has its own noise."""

import asyncio
import json
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from extensions.tts.piper import PiperTts, load_voice
from voice_agent.audio import SAMPLE_RATE, level_db
from voice_agent.errors import ModelError, TurnError
from voice_agent.message import Clause, Speech
from voice_agent.testing import attach, collect, run

RATE = 22_050
PHONEMES = [*"_^$ ?!.,:;'", *(chr(code) for code in range(ord("a"), ord("z") + 1)), *"əɪʊɛæʌɔɑŋʃʒθðɹɚˈˌː"]
SAMPLES = 1024
"""For each phoneme."""
HOP = 256
"""Samples in a frame of Piper's."""
INT64, FLOAT = 7, 1


def varint(number: int) -> bytes:
    head = bytes([number & 0x7F | 0x80]) if number > 0x7F else b""
    return head + varint(number >> 7) if head else bytes([number])


def message(*fields: tuple[int, int | str | bytes]) -> bytes:
    """A protobuf message of (field number, value); bytes are strings or messages within it."""
    encoded = b""
    for number, value in fields:
        if isinstance(value, int):
            encoded += varint(number << 3) + varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            encoded += varint(number << 3 | 2) + varint(len(content)) + content
    return encoded


def node(kind: str, inputs: list[str], output: str) -> bytes:
    return message(*((1, name) for name in inputs), (2, output), (4, kind))


def tensor(name: str, dims: list[int], data_type: int, raw: bytes) -> bytes:
    return message(*((1, size) for size in dims), (2, data_type), (8, name), (9, raw))


def value(name: str, data_type: int, dims: list[str]) -> bytes:
    shape = message(*((1, message((2, dim))) for dim in dims))
    return message((1, name), (2, message((1, message((1, data_type), (2, shape))))))


def onnx_model(*, tells: bool = True) -> bytes:
    """Take a stretch of noise for each phoneme and join them. `tells`: it computes how many frames each
    lasts, as Piper's do, without giving that out.
    """
    noise = np.random.default_rng(7).uniform(-0.3, 0.3, (len(PHONEMES), SAMPLES)).astype("<f4")
    lengths = np.full(len(PHONEMES), SAMPLES / HOP - 0.5, "<f4")
    durations = [
        (1, node("Gather", ["lengths", "input"], "unrounded")),
        (1, node("Ceil", ["unrounded"], "frames")),
        (5, tensor("lengths", [len(PHONEMES)], FLOAT, lengths.tobytes())),
    ]
    graph = message(
        *(durations if tells else ()),
        (1, node("Gather", ["weights", "input"], "stretches")),
        (1, node("Reshape", ["stretches", "shape"], "output")),
        (2, "vits"),
        (5, tensor("weights", [len(PHONEMES), SAMPLES], FLOAT, noise.tobytes())),
        (5, tensor("shape", [3], INT64, struct.pack("<3q", 1, 1, -1))),
        (11, value("input", INT64, ["batch", "phonemes"])),
        (11, value("input_lengths", INT64, ["batch"])),
        (11, value("scales", FLOAT, ["three"])),
        (12, value("output", FLOAT, ["batch", "one", "time"])),
    )
    return message((1, 8), (7, graph), (8, message((1, ""), (2, 13))))


CONFIG = {
    "audio": {"sample_rate": RATE},
    "espeak": {"voice": "en-us"},
    "num_symbols": len(PHONEMES),
    "num_speakers": 1,
    "phoneme_type": "espeak",
    "phoneme_id_map": {phoneme: [index] for index, phoneme in enumerate(PHONEMES)},
}


@pytest.fixture
def voice(tmp_path: Path) -> str:
    path = tmp_path / "en_US-noise-low.onnx"
    path.write_bytes(onnx_model())
    Path(f"{path}.json").write_text(json.dumps(CONFIG), "utf-8")
    return str(path)


def say(tts: PiperTts, text: str, language: str = "en", *, final: bool = True) -> Speech:
    (speech,) = run(collect(tts, Clause(text, language, final, turn=1))).of(Speech)
    return speech


def test_it_speaks_longer_for_more(voice: str) -> None:
    tts = PiperTts(voices={"en": voice})
    short, long = say(tts, "Yes."), say(tts, "Your order is on its way to you.", "en-GB")
    assert 0.2 < len(short.samples) / SAMPLE_RATE < len(long.samples) / SAMPLE_RATE / 3
    assert level_db(long.samples) == pytest.approx(-20, abs=1)
    assert (long.text, long.final) == ("Your order is on its way to you.", True)


def test_the_rate_is_converted(voice: str) -> None:
    """A phoneme lasts 1024 samples at 22.05 kHz: whatever their number, the length is a multiple."""
    seconds = len(say(PiperTts(voices={"en": voice}), "Morning.").samples) / SAMPLE_RATE
    phonemes = seconds / (SAMPLES / RATE)
    assert phonemes > 10 and phonemes == pytest.approx(round(phonemes), abs=0.01)


def test_words_are_those_of_the_clause_as_written_and_a_pause_follows(voice: str) -> None:
    tts = PiperTts(voices={"en": voice})
    last, middle = say(tts, "Hello, **world**!"), say(tts, "Hello, **world**!", final=False)
    assert [word.text for word in middle.words] == ["Hello,", "**world**!"]
    assert last.words == middle.words
    assert last.words[-1].end_s == pytest.approx(len(last.samples) / SAMPLE_RATE)
    assert (len(middle.samples) - len(last.samples)) / SAMPLE_RATE == pytest.approx(0.18, abs=0.001)


def begins(voice: str, text: str) -> dict[str, float]:
    """For each written word the number of phonemes before it, by its time. Each phoneme, each padding
    between two and the mark that begins a sentence takes one stretch of the voice's noise."""
    words = say(PiperTts(voices={"en": voice}), text).words
    return {word.text: word.start_s / (SAMPLES / RATE) for word in words}


def test_words_begin_with_their_phonemes(voice: str) -> None:
    """By espeak's phonemes after the mark of the beginning, each of them followed by padding."""
    loaded = load_voice(voice, 1)
    text = "Seven new ships, on time."
    (phonemes,) = loaded.phonemize(text)
    starts = [at for at, (before, _) in enumerate(pairwise(["^", *phonemes]), 1) if before == " "]
    assert list(begins(voice, text).values()) == pytest.approx([0, *(2 * at for at in starts)], abs=0.1)


def test_amounts_take_the_time_of_what_is_said(voice: str) -> None:
    words = say(PiperTts(voices={"en": voice}), "Pay $1,234.50 now.").words
    assert [word.text for word in words] == ["Pay", "$1,234.50", "now."]
    assert words[1].end_s - words[1].start_s > 0.7 * words[-1].end_s


def test_a_voice_that_tells_no_durations_has_its_words_spread_by_length(voice: str) -> None:
    text = "Seven new ships, on time."
    known = begins(voice, text)
    load_voice.cache_clear()
    Path(voice).write_bytes(onnx_model(tells=False))
    guessed = begins(voice, text)
    assert list(guessed) == list(known)
    assert list(guessed.values()) == pytest.approx(list(known.values()), abs=12)
    assert guessed != known


@pytest.mark.parametrize("text", ["", "…", "👍"])
def test_nothing_to_say_is_only_an_end(voice: str, text: str) -> None:
    speech = say(PiperTts(voices={"en": voice}), text)
    assert (len(speech.samples), speech.text, speech.final) == (0, text, True)


def test_a_language_without_a_voice_fails_the_reply(voice: str) -> None:
    with pytest.raises(TurnError, match="no voice for the language 'zh', only for en"):
        say(PiperTts(voices={"en": voice}), "你好。", "zh")


def test_without_a_voice_it_says_where_to_get_one() -> None:
    with pytest.raises(ModelError, match=r"has no voice: give one of `voice-agent models list`.*`voices`"):
        PiperTts().prepare()


def test_a_missing_file_is_named(voice: str) -> None:
    Path(voice).with_suffix(".onnx.json").unlink()
    with pytest.raises(ModelError, match=r"is missing \(.*en_US-noise-low\.onnx\.json\): .*give one"):
        PiperTts(voices={"en": voice}).prepare()


def test_a_voice_in_the_model_store_is_found_by_its_name(
    voice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "zh_CN-huayan-medium"
    monkeypatch.setenv("VOICE_AGENT_MODELS", str(tmp_path / "models"))
    with pytest.raises(ModelError, match=rf"'{name}' is missing .*run `voice-agent models pull {name}`"):
        PiperTts(voices={"zh": name}).prepare()
    folder = tmp_path / "models" / "piper" / name
    folder.mkdir(parents=True)
    (folder / f"{name}.onnx").write_bytes(Path(voice).read_bytes())
    (folder / f"{name}.onnx.json").write_text(json.dumps(CONFIG), "utf-8")
    (folder / "manifest.json").write_text("{}")
    assert len(say(PiperTts(voices={"en": name}), "Hello.").samples) > SAMPLE_RATE / 4


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".onnx", b"no model"),
        (".onnx", b""),
        (".onnx.json", b"{}"),
        (".onnx.json", b"[1"),
        (".onnx.json", b"\xff"),
    ],
)
def test_a_broken_file_is_named(voice: str, suffix: str, content: bytes) -> None:
    Path(voice).with_suffix(suffix).write_bytes(content)
    with pytest.raises(ModelError, match=r"en_US-noise-low\.onnx cannot be used"):
        PiperTts(voices={"en": voice}).prepare()


def test_a_model_with_another_interface_is_found_at_load(voice: str) -> None:
    model = onnx_model().replace(b"input_lengths", b"other_lengths")
    Path(voice).write_bytes(model)
    with pytest.raises(ModelError, match="cannot be used"):
        PiperTts(voices={"en": voice}).prepare()


def test_a_cancelled_clause_is_not_spoken(voice: str) -> None:
    async def main() -> list[Speech]:
        tts = PiperTts(voices={"en": voice})
        tts.prepare()
        emit = attach(tts)
        await tts.start()
        task = asyncio.create_task(tts.handle(Clause("One. Two. Three.", turn=1), emit))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await tts.handle(Clause("Four.", turn=2), emit)
        return emit.of(Speech)

    assert [speech.text for speech in run(main())] == ["Four."]


@pytest.mark.parametrize("wrong", [{"length_scale": 0}, {"threads": 0}, {"voices": "x"}, {"speaker": -1}])
def test_config_is_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(PiperTts).validate_python(wrong)
