"""The fixed texts of a vertical: what a voice may have ready, and what it may never keep."""

import pytest

from voice_agent.clauses import Cutter
from voice_agent.dialogue.fixed import fixed_texts
from voice_agent.dialogue.flow import render
from voice_agent.dialogue.vertical import load_vertical

SHOP = "customer_service"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_greeting_comes_first_and_no_clause_holds_a_slot(language: str) -> None:
    fixed = fixed_texts(SHOP, language)
    assert load_vertical(SHOP).greeting[language].startswith(fixed.clauses[0])
    assert len(fixed.clauses) == len(set(fixed.clauses)) > 50
    assert all(clause in fixed and "{" not in clause and "\ua66e" not in clause for clause in fixed.clauses)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_fixed_answer_is_ready_as_it_will_be_cut(language: str) -> None:
    fixed = fixed_texts(SHOP, language)
    vertical = load_vertical(SHOP)
    answers = [line for intent in vertical.intents for line in intent.answers.get(language, ())]
    for answer in [vertical.greeting[language], *answers]:
        assert set(Cutter().push(answer, complete=True)) <= set(fixed.clauses)


def test_what_has_a_slot_filled_is_not_fixed_but_the_rest_of_it_is() -> None:
    fixed = fixed_texts(SHOP, "en")
    template = "I can't find order {order_number:digits}. Could you check the number and say it again?"
    named, asked = Cutter().push(render(template, {"order_number": "1234"}), complete=True)
    assert named == "I can't find order 1 2 3 4." and named not in fixed
    assert asked in fixed.clauses


def test_however_a_fixed_text_is_cut_it_is_fixed() -> None:
    fixed = fixed_texts(SHOP, "en")
    whole = (
        "A refund takes five working days after your parcel is back with us, and goes to the account you paid"
    )
    assert whole in fixed and "That is 5 5 5 1 2 3." not in fixed and 3 not in fixed
