"""All installed nodes, one after the other, each in a process of its own and for a bounded time."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from voice_agent import registry
from voice_agent.bench.worker import MEASURES
from voice_agent.errors import InputError

Row = dict[str, Any]


def chosen(only: Sequence[str]) -> list[str]:
    """The nodes to measure: of these roles, or of these names; all that can be measured without any.

    Raises InputError for what is neither.
    """
    known = [name for name in registry.names() if name.split(".")[0] in MEASURES]
    for part in only:
        if part not in MEASURES and part not in known:
            raise InputError(f"--only: expected roles ({', '.join(MEASURES)}) or nodes, got {part!r}")
    return [name for name in known if not only or name in only or name.split(".")[0] in only]


def run(nodes: Sequence[str], limit_s: float, on_row: Callable[[Row], None]) -> list[Row]:
    """Measure nodes, each for at most `limit_s`."""
    rows = []
    for node in nodes:
        row = measure(node, limit_s)
        on_row(row)
        rows.append(row)
    return rows


def measure(node: str, limit_s: float) -> Row:
    """What the worker tells of a node, or why it tells nothing."""
    command = [sys.executable, "-m", "voice_agent.bench.worker", node]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"node": node, "problem": f"measuring it took longer than {limit_s:g} s"}
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines()
        reason = said[-1] if said else f"exit status {done.returncode}"
        return {"node": node, "problem": f"measuring it failed: {reason}"}
    row: Row = json.loads(lines[-1])
    return row
