"""How much Whisper mishears, with real weights and recordings: runs where both are."""

import csv
import os
import re
from pathlib import Path

import pytest

from extensions.stt._whisper import Request, Whisper, load
from voice_agent import audio
from voice_agent.bench.metrics import edit_distance
from voice_agent.errors import ModelError

pytestmark = pytest.mark.model
LIMIT = 0.25
"""Share of words wrong, "base", over recordings of very different quality."""


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    """WHISPER_MODEL, or "base" if it is in the hub's cache."""
    try:
        return load(os.environ.get("WHISPER_MODEL", "base"), "auto", "", 1)
    except ModelError as error:
        pytest.skip(str(error))


def words(text: str) -> list[str]:
    return re.sub(r"[^\w' ]", " ", text.casefold()).split()


@pytest.mark.parametrize("pad_s", [1.0, float("inf")], ids=["own length", "30 s"])
def test_words_wrong_on_recordings(whisper: Whisper, data_folder: Path, pad_s: float) -> None:
    folder = data_folder / "speech"
    with (folder / "transcripts.csv").open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["lang"] == "en" and line["kind"] == "sentence"]
    wrong = total = 0
    for line in lines:
        samples = audio.read(folder / line["file"])
        if len(samples) > 28 * audio.SAMPLE_RATE:
            continue
        guess = whisper.decode(Request(samples, "en", pad_s=pad_s))
        said = words(line["text"])
        wrong += edit_distance(said, words(whisper.text(guess.tokens, "en")))
        total += len(said)
    print(f"{wrong}/{total} words wrong = {wrong / total:.1%}")  # noqa: T201
    assert wrong / total < LIMIT
