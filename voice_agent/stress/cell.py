"""One cell of a stress test: a server, its callers, and their figures."""

import asyncio
import json
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from voice_agent.errors import InputError
from voice_agent.stress import host as hosts
from voice_agent.stress.host import Host
from voice_agent.stress.measure import Figures, cell_figures, failed_row
from voice_agent.stress.plan import Cell, PlannedCall
from voice_agent.stress.worker import Job

SLOTS_PER_PROCESS = 8
"""A caller costs about 4 % of a processor, and 28 endpoints in one process are where frames come late."""
MARGIN_S = 60.0
"""For a process to start and its calls to connect and hang up, beyond the time they may take."""
LINE_BYTES = 64 * 1024 * 1024
"""The longest line that a process of callers writes: a call of a thousand turns has about 1 MB."""


@dataclass
class Progress:
    """Rows as they come, so that an interrupted cell still has those of the calls that were over."""

    rows: list[Figures] = field(default_factory=list)
    callers_cpu_s: float = 0.0
    on_turn: Callable[[int], None] = lambda turns: None
    """Called with how many more turns are done, or will not be."""
    turns_said: dict[int, int] = field(default_factory=dict)
    """By call."""

    def take(self, fact: dict[str, Any], turns: int) -> None:
        """Note what a process of callers tells; each of its calls has so many turns."""
        if "turn" in fact:
            number = fact["turn"]
            self.turns_said[number] = self.turns_said.get(number, 0) + 1
            self.on_turn(1)
        elif "row" in fact:
            self.over(fact["row"], turns)
        else:
            self.callers_cpu_s += fact["cpu_s"]

    def over(self, row: Figures, turns: int) -> None:
        """A call is over."""
        self.rows.append(row)
        self.on_turn(turns - self.turns_said.get(row["number"], 0))


async def run(
    cell: Cell, job: Job, host: Host, folder: Path, log: IO[bytes], on_turn: Callable[[int], None]
) -> Figures:
    """Make the calls of a cell. `job` holds all of them, and no address yet.

    Returns figures in any case. A server that does not start is the failure of every call, and they have
    "not_started": True; when this is cancelled they are of the calls that were over, and have
    "interrupted": True.
    """
    progress = Progress(on_turn=on_turn)
    used: dict[str, Any] = {"lasted_s": 0.0}
    came: dict[str, Any] = {}
    try:
        async with hosts.running(host, cell.calls, folder, log) as meter:
            meter.begin()
            try:
                await _calls(replace(job, url=meter.url), cell.calls, host, progress)
            finally:
                used = await meter.end() | {"callers_cpu_s": progress.callers_cpu_s or None}
    except InputError as error:
        _fail_missing(job.calls, str(error), progress)
        came = {"not_started": True}
    except asyncio.CancelledError:  # the caller, who cancelled, raises it again
        came = {"interrupted": True}
    return cell_figures(cell, len(job.calls), progress.rows, used) | came


async def _calls(job: Job, slots: int, host: Host, progress: Progress) -> None:
    """All calls, in as many processes as they need but no more than there are processors."""
    cores = hosts.other_cores(host.cores)
    most = len(cores or os.sched_getaffinity(0))
    processes = min(most, -(-slots // SLOTS_PER_PROCESS))
    shares = [[call for call in job.calls if call.slot % processes == n] for n in range(processes)]
    async with asyncio.TaskGroup() as group:
        for share in shares:
            group.create_task(_process(replace(job, calls=share), cores, progress))


async def _process(job: Job, cores: frozenset[int], progress: Progress) -> None:
    command = [sys.executable, "-m", "voice_agent.stress.worker"]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
        start_new_session=True,  # Ctrl-C is this process's to handle
    )
    assert process.stdin and process.stdout
    if cores:
        os.sched_setaffinity(process.pid, cores)
    rounds = max(sum(call.slot == other.slot for other in job.calls) for call in job.calls)
    turns = len(job.calls[0].turns)
    reason = ""
    try:
        async with asyncio.timeout(rounds * (job.manners.call_timeout_s + MARGIN_S)):
            process.stdin.write(pickle.dumps(job))
            with suppress(ConnectionError):  # it has ended; its exit status tells more
                await process.stdin.drain()
            async for line in process.stdout:
                progress.take(json.loads(line), turns)
            if status := await process.wait():
                reason = f"the callers' process ended with status {status}"
    except TimeoutError:
        reason = "the callers' process did not end in time"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    _fail_missing(job.calls, reason, progress)


def _fail_missing(calls: Sequence[PlannedCall], reason: str, progress: Progress) -> None:
    """Every planned call has a row, also one that nobody told of."""
    told = {row["number"] for row in progress.rows}
    for call in calls:
        if call.number not in told:
            progress.over(
                failed_row(call, reason or "the callers' process told nothing of it"), len(call.turns)
            )
