"""A server of the caller's own: another process, so that it and the measuring do not share an event loop."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from voice_agent.errors import InputError

READY = re.compile(r"^Serving calls at (http://\S+)")
START_TIMEOUT_S = 300.0
"""Large models may have to be loaded."""
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class OwnServer:
    """A server that is running."""

    url: str
    pid: int

    def cpu_s(self) -> float | None:
        """Processor seconds it has used up to now; None where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime: proc(5)

    def memory_mb(self) -> float | None:
        """Resident memory now, in units of 10^6 bytes; None where the system does not tell."""
        try:
            return resident_kb(self.pid) * 1024 / 1e6
        except OSError:
            return None


def resident_kb(pid: int | str = "self") -> int:
    """Memory that a process has in use as the system counts it (VmRSS), with what its allocators keep for
    later. Raises OSError where the system does not tell."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def command(graph: str = "", network: str = "", network_seed: int = 1) -> list[str]:
    """The command line of a server on a free port; its calls pass through `network`, if one is named."""
    serve = [sys.executable, "-m", "voice_agent.cli", "serve", "--host", "127.0.0.1", "--port", "0"]
    if network:
        serve += ["--network", network, "--network-seed", str(network_seed)]
    return [*serve, "--graph", graph] if graph else serve


@asynccontextmanager
async def own_server(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cores: Collection[int] = (),
    log: IO[bytes] | None = None,
    ready: re.Pattern[str] = READY,
) -> AsyncIterator[OwnServer]:
    """Start a server, yield it when it takes calls, stop it.

    `env` replaces the environment, `cores` are the processors it may use, `log` takes its stderr, else this
    process's does; with a log it also is out of reach of the terminal's Ctrl-C, so that the calls on it
    end before it does. `ready` finds the address in what it prints.

    Raises InputError when it ends or stays silent instead of taking calls.
    """
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=log, env=env, start_new_session=log is not None
    )
    assert process.stdout is not None
    if cores:
        os.sched_setaffinity(process.pid, cores)  # at once, before it has threads or counts the cores
    reading: asyncio.Task[None] | None = None
    try:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                url = await _url(process.stdout, ready)
        except TimeoutError as error:
            raise InputError(f"the server did not start within {START_TIMEOUT_S:g} s") from error
        if url is None:
            status = await process.wait()
            why = f": {_last_line(Path(log.name))}" if log else "; it says why above"
            raise InputError(f"the server did not start (exit status {status}){why}")
        reading = asyncio.create_task(_read_on(process.stdout))
        yield OwnServer(url, process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if reading is not None:
            await reading


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why"


async def _url(stdout: asyncio.StreamReader, ready: re.Pattern[str]) -> str | None:
    """Read up to the line that tells the address; None if the output ends before."""
    async for line in stdout:
        if found := ready.match(line.decode("utf-8", "replace")):
            return found[1]
    return None


async def _read_on(stdout: asyncio.StreamReader) -> None:
    """Take what else it writes, so that its pipe never fills."""
    async for _ in stdout:
        pass
