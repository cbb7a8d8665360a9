"""The embedded graph at the caller's ear: ten common questions, then twenty interruptions.

    python -m benchmarks.embedded

Every second line of the second call is spoken over the agent's answer to the line before it.
"""

import asyncio
import json
from dataclasses import replace
from typing import Any

from voice_agent.calls.caller import place_call
from voice_agent.calls.own_server import OwnServer, command, own_server
from voice_agent.calls.report import measure
from voice_agent.calls.script import Line, say

QUESTIONS = (
    "Where is my order? My order number is one two three four.",
    "What are your opening hours?",
    "How long does delivery take?",
    "How much is shipping?",
    "Do you ship to other countries?",
    "How can I pay?",
    "Can I change my delivery address?",
    "Do you have a gift card?",
    "I want to talk to a person.",
    "Never mind.",
)
INTERRUPTIONS = 20
BARGE_IN_S = 0.9
"""Into the answer."""


async def questions(server: OwnServer) -> dict[str, Any]:
    """Ten common questions, each after the answer to the one before."""
    call = await place_call(server.url, [await say(text) for text in QUESTIONS])
    report = measure(call)
    told = ("said", "heard_as", "reply", "voice_to_voice_ms", "route")
    return {
        "answer_ms": report["answer_ms"],
        "voice_to_voice_ms": report["summary"]["voice_to_voice_ms"],
        "turns": [{key: turn[key] for key in told} for turn in report["turns"]],
        "late_frames": report["late_frames"],
        "own_late_frames": report["own_late_frames"],
        "errors": report["errors"],
        "machine": report["machine"],
    }


async def interruptions(server: OwnServer) -> dict[str, Any]:
    """A question, and then each line over the answer to the one before it."""
    texts = (QUESTIONS[1], QUESTIONS[2])
    spoken = [await say(text) for text in texts]
    lines: list[Line] = [spoken[0]]
    lines += [replace(spoken[number % 2], barge_in_s=BARGE_IN_S) for number in range(1, INTERRUPTIONS + 1)]
    report = measure(await place_call(server.url, lines))
    return {
        "stop_ms": report["summary"]["stop_ms"],
        "duck_ms": report["summary"]["duck_ms"],
        "own_late_frames": report["own_late_frames"],
        "errors": report["errors"],
    }


async def run() -> dict[str, Any]:
    """Both calls, on one server."""
    async with own_server(command("embedded")) as server:
        return {"questions": await questions(server), "interruptions": await interruptions(server)}


def main() -> None:
    print(json.dumps(asyncio.run(run()), indent=2, ensure_ascii=False))  # noqa: T201


if __name__ == "__main__":
    main()
