"""Results of stress tests with known figures."""

from typing import Any

from voice_agent.stress.against import FORMAT
from voice_agent.stress.measure import cell_figures, failed_row
from voice_agent.stress.plan import Cell, PlannedCall

MEMORY = {"before": 200.0, "peak": 230.0, "after": 210.0}


def turn(
    heard: float | None, believed: float | None = None, kind: str = "plain", **fields: Any
) -> dict[str, Any]:
    stages = {"turn": 300.0, "llm": 100.0, "client": 0.5} if believed is not None else {}
    return {
        "kind": kind, "said": "Hello", "heard_as": "hello", "reply": "Hi", "begun_too_early": 0,
        "stages_ms": stages, "voice_to_voice_ms": heard, "server_voice_to_voice_ms": believed, **fields,
    }  # fmt: skip


def row(number: int, *turns: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A call of a minute, whose callers missed 10 of 1000 packets and the server 4."""
    seen = {"received": 990, "lost": 10, "recovered": 6, "concealed": 4, "late": 0}
    upwards = {"received": 996, "lost": 4, "recovered": 0, "concealed": 4, "late": 0}
    return {
        "number": number, "lost": False, "failures": [], "missed": [], "lasted_s": 60.0, "answer_ms": 150.0,
        "connect_ms": 90.0, "turns": list(turns),
        "barge_ins": [
            {"turn": 2, "duck_ms": 60.0, "stop_ms": 120.0 + number, "taken_back": False, "cut": True},
        ],
        "frames": {"heard": 1000, "late": 5, "sent": 1000, "own_late": 2},
        "to_caller": seen, "to_server": upwards,
        "network": {"to_caller": {"sent": 1010, "lost": 10}, "to_server": {"sent": 1010, "lost": 4}},
        **fields,
    }  # fmt: skip


def cell(network: str = "loopback", calls: int = 2, slower_ms: float = 0.0, **fields: Any) -> dict[str, Any]:
    rows = [row(n, *(turn(400.0 + 10 * n + t + slower_ms, 350.0 + t) for t in range(3))) for n in (1, 2)]
    host = {"lasted_s": 70.0, "server_cpu_s": 8.0, "callers_cpu_s": 4.0, "memory_mb": MEMORY, "busy": 0.25}
    return {**cell_figures(Cell(network, calls), 2, rows, host), **fields}


def failed_cell(reason: str, network: str = "4g_edge") -> dict[str, Any]:
    rows = [failed_row(PlannedCall(1, 0, 0.0, ()), reason)]
    return cell_figures(Cell(network, 1), 1, rows, {"lasted_s": 1.0})


def result(*cells: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "format": FORMAT, "version": "1", "begun": "2030-01-01T00:00:00+00:00",
        "command": "voice-agent stress", "machine": "2 cores", "system": "Linux", "seed": 1, "stopped": "",
        "cells": list(cells),
        "settings": {
            "turns": 3, "rounds": 1, "language": "en", "habits": {"interrupt": 0.2}, "utterances": ["Hello"],
            "server": {"graph": "embedded", "url": "", "cores": []},
        },
        **fields,
    }  # fmt: skip
