"""A whole stress test: every cell after the other, and the result that is stored."""

import asyncio
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voice_agent import __version__
from voice_agent.calls.caller import Manners
from voice_agent.calls.report import machine
from voice_agent.network import profile
from voice_agent.network.profile import LinkSettings, Profile
from voice_agent.stress import cell as cells
from voice_agent.stress import plan
from voice_agent.stress.against import FORMAT
from voice_agent.stress.host import Host
from voice_agent.stress.plan import Cell, Habits
from voice_agent.stress.sounds import Sounds
from voice_agent.stress.worker import Job


@dataclass(frozen=True)
class Test:
    """What is to be done."""

    __test__ = False  # no test of pytest's

    cells: Sequence[Cell]
    turns: int
    rounds: int
    seed: int
    language: str
    host: Host
    habits: Habits
    manners: Manners
    stagger_s: float
    sounds: Sounds
    log: Path | None
    """Where the servers' own words go; None throws them away."""
    time_limit_s: float

    @property
    def turns_in_all(self) -> int:
        return sum(cell.calls for cell in self.cells) * self.rounds * self.turns


@dataclass
class Outcome:
    """Fills while the test runs, so that something is left when it is cut short."""

    begun: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    cells: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""
    """Why it ended before the last cell; "" when it did not."""

    @property
    def failed(self) -> int:
        """Calls that were made and failed."""
        return sum(cell["calls"]["failed"] for cell in self.cells)

    def result(self, test: Test, command: str) -> dict[str, Any]:
        """All of it, as it is stored."""
        return {
            "format": FORMAT,
            "version": __version__,
            "begun": self.begun,
            "command": command,
            "machine": machine(),
            "system": f"{platform.system()} {platform.release()}",
            "seed": test.seed,
            "settings": {
                "turns": test.turns,
                "rounds": test.rounds,
                "language": test.language,
                "server": _told(test.host),
                "habits": asdict(test.habits),
                "answer_timeout_s": test.manners.answer_timeout_s,
                "call_timeout_s": test.manners.call_timeout_s,
                "utterances": sorted({line.said for line in test.sounds.speech}),
            },
            "stopped": self.stopped,
            "cells": self.cells,
        }


def _told(host: Host) -> dict[str, Any]:
    return {
        "graph": host.graph,
        "url": host.url,
        "command": host.command,
        "stand_ins_ms": list(host.stand_ins_ms),
        "cores": sorted(host.cores),
        "cores_of_callers": sorted(os.sched_getaffinity(0) - host.cores) if host.cores else [],
    }


async def run(
    test: Test, outcome: Outcome, on_turn: Callable[[int], None], on_cell: Callable[[Cell], None]
) -> None:
    """Run every cell into `outcome`. When cancelled, or at the time limit, it holds what was done."""
    networks = {cell.network: network(cell.network) for cell in test.cells}
    try:
        async with asyncio.timeout(test.time_limit_s):
            with (
                tempfile.TemporaryDirectory(prefix="voice-agent-stress-") as folder,
                (test.log or Path(folder) / "server.log").open("wb") as log,
            ):
                for cell in test.cells:
                    on_cell(cell)
                    job = _job(test, cell, networks[cell.network])
                    figures = await cells.run(cell, job, test.host, Path(folder), log, on_turn)
                    outcome.cells.append(figures)
                    if figures.get("interrupted"):
                        raise asyncio.CancelledError
                    if figures.get("not_started"):
                        outcome.stopped = "the server did not start"
                        return
    except TimeoutError:
        outcome.stopped = f"the time limit of {test.time_limit_s:g} s was reached"
    except asyncio.CancelledError:
        outcome.stopped = "it was interrupted"
        raise


def network(name: str) -> Profile | None:
    """The simulated network; None for one that does nothing at all. Raises InputError."""
    loaded = profile.load(name)
    perfect = loaded.down == loaded.up == LinkSettings() and not (loaded.trace or loaded.handover)
    return None if perfect else loaded


def _job(test: Test, cell: Cell, through: Profile | None) -> Job:
    calls = plan.calls(
        cell,
        rounds=test.rounds,
        turns=test.turns,
        pools=test.sounds.pools,
        noises=len(test.sounds.noises),
        habits=test.habits,
        stagger_s=test.stagger_s,
        seed=test.seed,
    )
    return Job("", test.language, calls, test.sounds, through, test.seed, test.manners)
