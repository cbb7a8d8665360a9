"""The server under test, one for each cell, and what it costs.

A fresh process for each cell: its processor time and memory are that cell's alone, and a server that breaks
under one load does not spoil the next.
"""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from voice_agent.calls.own_server import OwnServer, command, own_server

STAND_IN_GRAPH = "openai"
UNKNOWN = "please explain the theory of relativity to me"
"""What the stand-in recogniser writes: no small model answers it, so every turn goes through all services."""
REPLY = "It says that time passes differently for those who move. And it bends the way of light."
"""5 s at the stand-in's rate: long enough to be interrupted."""
SERVICES = ("STT", "LLM", "TTS")
SAMPLE_EVERY_S = 0.5


@dataclass(frozen=True)
class Host:
    """Which server is called. Exactly one of `url`, `command` and `graph` (also "") applies."""

    graph: str = ""
    url: str = ""
    """A server that is running already; nothing can be said of what it costs."""
    command: str = ""
    """The command line of another one; it prints `Serving calls at URL` when it is ready."""
    stand_ins_ms: tuple[float, ...] = ()
    """Delays of recognition, model and voice, which are then services beside the server."""
    cores: frozenset[int] = frozenset()
    """The only processors that the server may use; callers and services then take the others."""


def other_cores(cores: frozenset[int]) -> frozenset[int]:
    """The processors for callers and services: what the server leaves, or all where it leaves none."""
    every = frozenset(os.sched_getaffinity(0)) if cores else frozenset()
    return every - cores or every


@asynccontextmanager
async def running(host: Host, calls: int, state: Path, log: IO[bytes]) -> "AsyncIterator[Meter]":
    """Run the server for `calls` calls at once. What it stores goes to `state`, what it says to `log`.

    Raises InputError when it does not start.
    """
    async with AsyncExitStack() as stack:
        if host.url:
            yield Meter(host.url, None)
            return
        env = dict(os.environ) | {"VOICE_AGENT_STATE": str(state)}
        if host.stand_ins_ms:
            line = _stand_ins(host.stand_ins_ms)
            cores = other_cores(host.cores)
            ready = re.compile(r"^(http://\S+)")
            services = await stack.enter_async_context(own_server(line, cores=cores, log=log, ready=ready))
            env |= _addresses(services.url)
        if host.command:
            line = shlex.split(host.command)
        else:
            graph = host.graph or (STAND_IN_GRAPH if host.stand_ins_ms else "")
            line = [*command(graph), "--max-calls", str(max(64, calls))]
        server = await stack.enter_async_context(own_server(line, env=env, cores=host.cores, log=log))
        yield Meter(server.url, server)


def _stand_ins(delays_ms: tuple[float, ...]) -> list[str]:
    line = [sys.executable, "-m", "voice_agent.calls.stand_in_services", "--transcript", UNKNOWN]
    for service, ms in zip(SERVICES, delays_ms, strict=True):
        line += [f"--{service.lower()}-ms", f"{ms:g}"]
    return [*line, "--reply", REPLY]


def _addresses(url: str) -> Mapping[str, str]:
    """Environment that leads every service there, and no key of the user's anywhere."""
    env = {f"{service}_{what}": url for service in SERVICES for what in ("BASE_URL",)}
    keys = {f"{service}_API_KEY": "stand-in" for service in SERVICES}
    return env | keys | {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "stand-in"}


class Meter:
    """What a server uses, from `begin` to `end`."""

    def __init__(self, url: str, server: OwnServer | None) -> None:
        self.url = url
        self._server = server
        self._memory_mb: list[float] = []
        self._sampling: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start to measure; the server is ready, and nobody calls yet."""
        self._begun_s = asyncio.get_running_loop().time()
        self._cpu_s = self._server.cpu_s() if self._server else None
        self._machine = machine_time()
        self._sampling = asyncio.create_task(self._sample())

    async def end(self) -> dict[str, Any]:
        """The figures that `measure.cell_figures` takes; no call is under way any more."""
        cpu_s = self._server.cpu_s() if self._server else None
        machine = machine_time()
        if self._sampling is not None:
            self._sampling.cancel()
            with suppress(asyncio.CancelledError):
                await self._sampling
        self._note()
        busy, total = (end - begin for end, begin in zip(machine, self._machine, strict=True))
        seen = [round(mb, 1) for mb in self._memory_mb]
        return {
            "lasted_s": asyncio.get_running_loop().time() - self._begun_s,
            "server_cpu_s": None if cpu_s is None or self._cpu_s is None else cpu_s - self._cpu_s,
            "memory_mb": {"before": seen[0], "peak": max(seen), "after": seen[-1]} if seen else None,
            "busy": busy / total if total else None,
        }

    async def _sample(self) -> None:
        while True:
            self._note()
            await asyncio.sleep(SAMPLE_EVERY_S)

    def _note(self) -> None:
        if self._server is not None and (mb := self._server.memory_mb()) is not None:
            self._memory_mb.append(mb)


def machine_time() -> tuple[float, float]:
    """Time that this machine's processors have been busy, and all their time, in ticks; 0 where unknown."""
    try:
        ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    except OSError:
        return 0.0, 0.0
    return float(sum(ticks) - ticks[3] - ticks[4]), float(sum(ticks))  # without idle and iowait: proc(5)
