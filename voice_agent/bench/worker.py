"""One node, measured in a process of its own, so that no node disturbs another.

    python -m voice_agent.bench.worker ADDON

The result is a line of JSON on stdout.
"""

import asyncio
import dataclasses
import importlib
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import voice_agent.bench.material as materials
from voice_agent import graph
from voice_agent.bench.figures import Figure, Subject
from voice_agent.errors import VoiceAgentError
from voice_agent.testing import FakeSession, attach

MEASURES: Mapping[str, str] = {
    "vad": "vad",
    "denoise": "denoise",
    "stt": "stt",
    "turn": "turn",
    "router": "text",
    "llm": "text",
    "text": "text",
    "tts": "tts",
}
"""By role, the module that measures its nodes."""


def main() -> None:
    """Measure the node and print the result."""
    print(json.dumps(measure(sys.argv[1])))  # noqa: T201


def measure(addon: str) -> dict[str, Any]:
    """What is known of a node, as JSON takes it; `problem` says why it could not be measured."""
    result: dict[str, Any] = {"node": addon, "problem": ""}
    before_mb, began_s = memory_mb(), time.perf_counter()
    try:
        found = graph.single(addon, {})
        if problem := found.readiness()[0].problem:
            return result | {"problem": problem}
        extension = found.nodes[0].build()
        asyncio.run(_start(extension))
        result |= {
            "load_s": round(time.perf_counter() - began_s, 3),
            "memory_mb": round(memory_mb() - before_mb, 1),
        }
        module = importlib.import_module(f"voice_agent.bench.{MEASURES[addon.split('.')[0]]}")
        subject = Subject(addon, found.nodes[0].build)
        figures: list[Figure] = module.measure(subject, materials.Material.find())
    except VoiceAgentError as error:
        return result | {"problem": str(error)}
    return result | {"figures": [_as_json(figure) for figure in figures]}


async def _start(extension: Any) -> None:
    """One call's state is part of what a node needs."""
    attach(extension, FakeSession())
    await extension.start()
    await extension.stop()


def _as_json(figure: Figure) -> dict[str, Any]:
    value = None if math.isnan(figure.value) else round(figure.value, 4)
    return dataclasses.asdict(figure) | {"value": value}


def memory_mb() -> float:
    """What this process holds in memory, in MB (Linux: proc(5), statm; elsewhere 0)."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0.0
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
