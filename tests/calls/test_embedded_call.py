"""The embedded graph on a server of its own, called by the simulated caller: what `voice-agent call` does."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from voice_agent.calls.caller import place_call
from voice_agent.calls.own_server import command, own_server
from voice_agent.calls.report import measure
from voice_agent.calls.script import say

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        order = await say("Where is my order? My order number is one two three four.")
        hours = await say("What are your opening hours?")
        delivery = await say("How long does delivery take?")
        lines = [order, hours, replace(delivery, barge_in_s=1.2)]
        async with own_server(command("embedded")) as server:
            return measure(await place_call(server.url, lines))

    return asyncio.run(main())


def test_the_greeting_is_heard(figures: dict[str, Any]) -> None:
    assert figures["greeting"]["text"].startswith("Hello, this is Mia")
    assert figures["answer_ms"] > 0
    assert figures["errors"] == []


def test_the_order_is_found_in_the_shops_database(figures: dict[str, Any]) -> None:
    turn = figures["turns"][0]
    assert "one two three four" in turn["heard_as"]
    assert "brass desk lamp" in turn["reply"]
    assert turn["route"] == "fast"
    assert turn["voice_to_voice_ms"] > 0


def test_the_interrupted_answer_stops_and_the_next_question_is_answered(figures: dict[str, Any]) -> None:
    assert figures["barge_ins"][0]["stop_ms"] > 0
    cut, whole = (turn["reply"] for turn in figures["turns"][1:])
    assert cut.startswith("My colleagues") and not cut.endswith("here.")
    assert "three to five working days" in whole


def test_the_stages_of_a_turn_are_told(figures: dict[str, Any]) -> None:
    """The voice works before the turn is sure, or after: then it is a stage."""
    stages = figures["turns"][0]["stages_ms"]
    assert {"turn", "client"} <= set(stages)
    assert sum(stages.values()) == pytest.approx(figures["turns"][0]["server_voice_to_voice_ms"], abs=2)
