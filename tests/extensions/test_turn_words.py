"""Finished, unfinished, or a request to wait: by the words alone, with the weights that are shipped."""

import math
import random

import pytest

from extensions.turn._words import Finish, classify
from extensions.turn._words.model import LABELS, Weights, shipped
from extensions.turn._words.tokens import lexicon, tokens
from extensions.turn.words import Judged, Words
from training.turn_words import check, data
from training.turn_words.grammar import cuts, parse, read_slots, without_cuts
from voice_agent.message import Transcript
from voice_agent.testing import collect, run

FINISHED = """what time is it|i'd like to book a room for two|yes|my number is five five five one two three
hello|no thank you|i have been waiting for two weeks|can you hold the order|what is the waiting time
wait what do you mean|两点左右|我等了三天了|还要等多久|你们几点开门
好的|我的订单号是一二三四|麻烦帮我转人工"""
UNFINISHED = """i would like to|my order number is|so what i wanted to ask is whether the|because|um
hello i have a question about|could you tell me|the thing is that when i|hold on to the|我想问一下那个|因为
我的订单号是|如果你们|我觉得吧就是|我想把"""
WAIT = """hold on|one second|let me check|wait a minute please|stop talking|be quiet|shut up
give me a moment to find it|hang on i need to grab my card
等一下|稍等|让我想想|别说了|你先别说话|等我找一下|先停一下"""
DEFINED = [
    (text, label)
    for label, texts in (("finished", FINISHED), ("unfinished", UNFINISHED), ("wait", WAIT))
    for text in texts.replace("\n", "|").split("|")
]


@pytest.mark.parametrize(("text", "label"), DEFINED)
def test_what_defines_the_labels(text: str, label: str) -> None:
    assert classify(text).label == label


@pytest.mark.parametrize("language", data.LANGUAGES)
def test_lines_that_nothing_was_trained_on(language: str) -> None:
    for right, count in check.recalls(data.held_out_examples(language)):
        assert count >= 50
        assert right / count >= 0.88


@pytest.mark.parametrize("language", data.LANGUAGES)
def test_sentences_of_unknown_fields_cut_at_every_word(language: str) -> None:
    examples = data.held_out_beginnings(language)
    found = check.recalls(examples)[:2]
    assert all(count >= 30 and right / count >= 0.7 for right, count in found)
    assert sum(right for right, _ in found) / len(examples) >= 0.8


def test_no_held_out_line_is_trained_on() -> None:
    for language in data.LANGUAGES:
        trained = {example.text for example in data.training_examples(language)}
        held_out = {example.text for example in data.held_out_examples(language)}
        assert len(trained) > 10_000
        assert not held_out & trained


def test_case_punctuation_spaces_and_traditional_characters_do_not_count() -> None:
    for one, other in [
        ("Hold on, let me check...", "hold on let me check"),
        ("I’d like to", "id like to"),
        ("我 想 问 一 下", "我想问一下"),
        ("請問你們幾點關門？", "请问你们几点关门"),
        ("i um i want a refund", "i want a refund"),
    ]:
        assert classify(one) == classify(other)


def test_a_filler_counts_only_at_the_end_and_a_digit_every_time() -> None:
    assert [token.text for token in tokens("um five five uh")] == ["five", "five", "uh"]
    assert [token.text for token in tokens("我想问一下ETC的事情")][-4:] == ["一下", "etc", "的", "事情"]


def test_probabilities_sum_to_one_and_nothing_said_is_unfinished() -> None:
    for text in ("", " ...", "yes", "等", "x" * 10_000, "\u0000 \ud800 😀"):
        found = classify(text)
        assert math.isclose(sum(found.probabilities.values()), 1, abs_tol=1e-5)
        assert found.probability == max(found.probabilities.values())
    assert classify(" ...").label == "unfinished"


def test_what_else_is_known_weighs_in_by_bayes_rule() -> None:
    found = Finish("unfinished", {"finished": 0.3, "unfinished": 0.6, "wait": 0.1})
    assert found.weighted({}).label == "unfinished"
    raised = found.weighted({"finished": 4})
    assert raised.label == "finished"
    assert raised.probability == pytest.approx(1.2 / 1.9)
    assert found.weighted({"finished": 0, "unfinished": 0, "wait": 0}) == found


def test_the_node_judges_every_transcript() -> None:
    said = [Transcript("i would like", False, "en"), Transcript("我想订一个房间", True, "zh")]
    judged = [message for _, message in run(collect(Words(), *said))]
    assert [(one.text, one.label) for one in judged if isinstance(one, Judged)] == [
        ("i would like", "unfinished"),
        ("我想订一个房间", "finished"),
    ]


@pytest.mark.parametrize(
    "text",
    ["mum i'm on the phone", "honey can you close the door", "stop hitting your brother", "妈我在打电话呢"],
)
def test_what_is_said_to_somebody_else_is_told_apart(text: str) -> None:
    assert classify(text).aside > 0.5
    assert set(classify(text).as_json()["probabilities"]) == {*LABELS, "aside"}  # type: ignore[call-overload]


@pytest.mark.parametrize("language", data.LANGUAGES)
def test_hardly_a_word_to_the_agent_is_surely_an_aside(language: str) -> None:
    asides = [classify(example.text).aside for example in data.held_out_asides(language)]
    directed = [classify(example.text).aside for example in data.held_out_examples(language)]
    assert sum(one >= check.SURELY for one in asides) >= 0.3 * len(asides) > 0
    assert sum(one >= check.SURELY for one in directed) <= 0.012 * len(directed)


def test_the_weights_are_small_and_in_order() -> None:
    weights: Weights = shipped()
    assert (weights.keys[1:] > weights.keys[:-1]).all()
    assert weights.values.shape == (len(weights.keys), len(LABELS) + 1)


def test_every_word_has_one_class() -> None:
    assert lexicon("en")["hold"] == "HOLD" and lexicon("zh")["因为"] == "BECAUSE"
    assert max(len(word) for word in lexicon("zh")) <= 5


# --- the data files ---------------------------------------------------------------------------------


def test_a_line_of_data_stands_for_many() -> None:
    slots = read_slots(data.FOLDER / "en" / "slots.txt")
    line = parse("i (want|need) / a (red / hat|cat)", slots)
    rng = random.Random(1)
    drawn = {line.draw(rng) for _ in range(20)}
    assert {without_cuts(text, True) for text in drawn} == {
        "i want a red hat", "i want a cat", "i need a red hat", "i need a cat",
    }  # fmt: skip
    assert cuts("i want / a red / hat", True) == ["i want", "i want a red"]
    assert without_cuts("我想/退 这件/外套", False) == "我想退这件外套"
    for wrong in ("i want (a", "a) b", "<nothing>"):
        with pytest.raises(ValueError, match="expected"):
            parse(wrong, slots)


def test_the_same_seed_draws_the_same_texts() -> None:
    assert data.training_examples("zh", 3)[:500] == data.training_examples("zh", 3)[:500]
