"""A process full of callers.

They have processes of their own, so that the server's event loop is not theirs and no loop has too many. The
process takes a `Job`, pickled, on stdin, and writes JSON lines: {"turn": number} when a caller has said one,
{"row": ...} when a call is over, {"cpu_s": ...} at the end. When stdin closes before, it ends.
"""

import asyncio
import json
import os
import pickle
import resource
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voice_agent.calls.caller import Manners, place_call
from voice_agent.calls.loop import loop_factory
from voice_agent.errors import InputError
from voice_agent.network.profile import Profile
from voice_agent.stress.measure import Figures, call_row, failed_row
from voice_agent.stress.plan import PlannedCall
from voice_agent.stress.sounds import Sounds


@dataclass(frozen=True, eq=False)
class Job:
    """What the callers of one process do."""

    url: str
    language: str
    calls: Sequence[PlannedCall]
    sounds: Sounds
    network: Profile | None
    seed: int
    manners: Manners


async def work(job: Job) -> None:
    """Make all the calls; the slots run at once."""
    slots: dict[int, list[PlannedCall]] = {}
    for call in job.calls:
        slots.setdefault(call.slot, []).append(call)
    leaving = asyncio.create_task(_stdin_closed())
    working = asyncio.create_task(_all(job, slots.values()))
    await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    working.cancel()
    leaving.cancel()
    await asyncio.wait({working, leaving})
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _tell({"cpu_s": usage.ru_utime + usage.ru_stime})


async def _all(job: Job, slots: Iterable[Sequence[PlannedCall]]) -> None:
    async with asyncio.TaskGroup() as group:
        for calls in slots:
            group.create_task(_slot(job, calls))


async def _slot(job: Job, calls: Sequence[PlannedCall]) -> None:
    await asyncio.sleep(calls[0].starts_s)
    for call in calls:
        _tell({"row": await _row(job, call)})


async def _row(job: Job, planned: PlannedCall) -> Figures:
    try:
        call = await place_call(
            job.url,
            [job.sounds.line(turn) for turn in planned.turns],
            language=job.language,
            manners=job.manners,
            network=job.network,
            network_seed=f"{job.seed}/{planned.number}",
            on_turn=lambda: _tell({"turn": planned.number}),
        )
        return call_row(planned, call)
    except InputError as error:
        return failed_row(planned, str(error))
    except Exception as error:  # what breaks in one call is that call's failure
        return failed_row(planned, f"the caller broke: {type(error).__name__}: {error}")


async def _stdin_closed() -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(os.dup(0), "rb"))
    await reader.read()


def _tell(fact: object) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Do the job that comes on stdin."""
    job = pickle.load(sys.stdin.buffer)
    assert isinstance(job, Job)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(work(job))


if __name__ == "__main__":
    from voice_agent.stress import worker  # Job is to be that of the module, not of __main__

    worker.main()
