"""How the weights of the sounds over the agent's voice are made: a small stock of sounds, and a fit to it."""

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("espeakng_loader", reason="the extra `espeak` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `whisper` is not installed")

from extensions.turn._sounds.features import FRAMES_AT, MOST, SIZE
from extensions.turn._sounds.model import read, shipped
from training.overlap_sounds import data
from training.overlap_sounds.data import KINDS, Examples, examples, joined, lines
from training.overlap_sounds.fit import fit
from voice_agent.dialogue.floor import common_phrases
from voice_agent.stress.sounds import VOICES
from voice_agent.turn_eval import scenario
from voice_agent.turn_eval.material import TALKER_VOICES

HELD_OUT = Path(data.__file__).with_name("held_out")


def made_up(counts: tuple[int, ...], seed: int) -> Examples:
    """Of each kind so many sounds of three moments: noise, and one number that is its kind's own."""
    kinds = np.repeat(np.arange(len(KINDS)), counts)
    summaries = np.random.default_rng(seed).standard_normal((3 * len(kinds), SIZE)).astype(np.float32)
    summaries[np.arange(3 * len(kinds)), 10 * np.repeat(kinds, 3)] += 6
    return Examples(
        summaries, np.repeat(kinds, 3), np.tile([10, 12, 14], len(kinds)), np.repeat(np.arange(len(kinds)), 3)
    )


@pytest.mark.parametrize("strange", [False, True])
def test_a_small_stock_has_moments_of_all_that_is_said_and_made(strange: bool) -> None:
    stock = examples(1, 0.03, strange)
    assert stock.summaries.shape == (len(stock.kinds), SIZE)
    assert np.isfinite(stock.summaries).all()
    assert {KINDS[kind] for kind in stock.kinds} == set(KINDS)
    assert stock.frames.min() >= 1
    assert stock.frames.max() <= MOST
    np.testing.assert_allclose(stock.frames, stock.summaries[:, FRAMES_AT] * MOST, atol=1e-3)
    for clip in np.unique(stock.clips):
        assert len(set(stock.kinds[stock.clips == clip])) == 1
        assert (np.diff(stock.frames[stock.clips == clip]) > 0).all()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_lines_are_of_the_kind_that_they_are_drawn_for(language: str) -> None:
    drawn = list(lines(np.random.default_rng(1), language, 100))
    assert [KINDS[line.kind] for line in drawn[1::3]] == ["floor"] * 100
    assert [KINDS[line.kind] for line in drawn[2::3]] == ["words"] * 100
    phrases = common_phrases()
    for line in drawn:
        match KINDS[line.kind]:
            case "hum" | "listening":
                assert phrases.kind(line.text) == "backchannel"
            case "floor":
                assert phrases.kind(line.text, final=False) == "stop"
            case "words":
                assert phrases.kind(line.text) != "backchannel"


def test_no_voice_is_learned_from_that_turn_eval_speaks_in() -> None:
    conversations = [
        conversation for folder in (scenario.FOLDER, HELD_OUT) for conversation in scenario.load(folder)
    ]
    spoken_in = {voice for one in conversations for voice in one.voices}
    for voices in (*VOICES.values(), *TALKER_VOICES.values(), *data.STRANGERS.values()):
        spoken_in.update(voices)
    learned = {_variant(voice) for voices in data.ESPEAK.values() for voice in voices}
    assert len(learned) > 10
    assert not learned & {_variant(voice) for voice in spoken_in}


def _variant(voice: str) -> str:
    return re.sub(r".*\+", "", voice)


def test_stocks_are_joined_without_mixing_their_sounds() -> None:
    one, other = made_up((1, 2, 1, 1, 1), 1), made_up((2, 1, 1, 1, 1), 2)
    both = joined([one, other])
    assert len(both.summaries) == len(both.kinds) == len(both.frames) == len(both.clips) == 36
    assert both.clips.tolist() == np.repeat(np.arange(12), 3).tolist()
    assert both.kinds[18:].tolist() == other.kinds.tolist()


def test_the_fit_learns_each_kind_however_rare_it_is(tmp_path: Path) -> None:
    fitted = fit(made_up((400, 400, 400, 400, 20), 1), 1)
    tried = made_up((40,) * 5, 2)
    found = np.array([fitted.kinds(summary) for summary in tried.summaries]).argmax(axis=1)
    for kind in range(len(KINDS)):
        assert (found == kind)[tried.kinds == kind].mean() > 0.9
    fitted.save(tmp_path / "weights.npz")
    stored = read(tmp_path / "weights.npz")
    for name, value in vars(shipped()).items():
        assert vars(stored)[name].shape == value.shape
        np.testing.assert_allclose(vars(stored)[name], vars(fitted)[name], rtol=1e-3, atol=1e-4)


def test_the_same_examples_and_seed_give_the_same_weights() -> None:
    few = made_up((4, 4, 4, 4, 4), 1)
    one, same, other = fit(few, 1), fit(few, 1), fit(few, 2)
    np.testing.assert_array_equal(one.hidden, same.hidden)
    assert not np.array_equal(one.hidden, other.hidden)
