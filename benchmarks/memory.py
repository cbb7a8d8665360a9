"""Does the server's memory grow with each call, or with a call's length?

    python -m benchmarks.memory --calls 200 --seconds 30 --at-once 8
    python -m benchmarks.memory --calls 0 --long 1800

A server of its own runs the graph `openai` (or --graph) against a stand-in for the services, callers talk to
it and hang up. Memory is VmRSS of the server's process: all that it has in use, with what its allocators
keep for later, read when no call is under way (in the long call: every 10 s). Nothing is trimmed before.
Growth is the median slope between any two readings (Theil and Sen): a reading that is off does not move it.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Iterator
from itertools import combinations, cycle
from typing import Any

import httpx
import numpy as np

from tests.calls.peers import Caller
from voice_agent import audio
from voice_agent.calls.own_server import OwnServer, command, own_server, resident_kb
from voice_agent.calls.report import machine
from voice_agent.calls.script import say
from voice_agent.calls.stand_in_services import serve
from voice_agent.message import Samples
from voice_agent.testing import silence

WARM_CALLS = 50
"""Before them models, caches and pools fill."""
WARM_S = 120.0
"""The same in a long call."""
READ_EVERY_S = 10.0
IDLE_TIMEOUT_S = 30.0
Reading = tuple[float, float]
"""Calls ended, or minutes of a call; kB."""


class MutedCaller(Caller):
    """Keeps nothing of what it hears: memory is looked at on the other side."""

    def _packet(self, *_: object) -> None:
        pass


def slope(readings: list[Reading]) -> float | None:
    """kB for each call or minute: the median of the slopes between any two readings; None if they are few."""
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(readings, 2) if b[0] > a[0]]
    return round(float(np.median(slopes)), 2) if slopes else None


async def talk() -> list[Samples]:
    """Ten seconds: a question and time for its answer."""
    spoken = (await say("Please explain the theory of relativity to me.")).samples
    sound = np.concatenate((silence(1), spoken, silence(9)))[: 10 * audio.SAMPLE_RATE]
    return list(audio.frames(sound))


async def one_call(url: str, voice: Iterator[Samples], seconds: float) -> int:
    """Make a call of so many seconds; returns how many replies were heard."""
    caller = MutedCaller(voice)
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            sdp = {"content-type": "application/sdp"}
            calls = f"{url}/v1/realtime/calls"
            response = await http.post(calls, content=await caller.offer(), headers=sdp)
            response.raise_for_status()
            await caller.accept(response.text)
            await caller.wait_for("session.created")
            await asyncio.sleep(seconds)
            (await http.delete(url + response.headers["location"])).raise_for_status()
        return len(caller.of("output_audio_buffer.started"))
    finally:
        await caller.hang_up()


async def many_calls(server: OwnServer, calls: int, seconds: float, at_once: int) -> dict[str, Any]:
    """Calls in batches, with a reading after each."""
    frames, replies = await talk(), 0
    readings: list[Reading] = [(0, resident_kb(server.pid))]
    while (ended := int(readings[-1][0])) < calls:
        batch = min(at_once, calls - ended)
        replies += sum(
            await asyncio.gather(*(one_call(server.url, cycle(frames), seconds) for _ in range(batch)))
        )
        await idle(server.url)
        readings.append((ended + batch, resident_kb(server.pid)))
        print(f"{ended + batch} calls: {readings[-1][1]:.0f} kB", flush=True)  # noqa: T201
    return {
        "calls": calls,
        "seconds": seconds,
        "at_once": at_once,
        "replies": replies,
        "kb_per_call": slope([reading for reading in readings if reading[0] >= min(WARM_CALLS, calls / 2)]),
        "readings_kb": readings,
    }


async def idle(url: str) -> None:
    """Wait until the server has no call."""
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(IDLE_TIMEOUT_S):
        while (await http.get(f"{url}/healthz")).json()["calls"]:  # noqa: ASYNC110 (another process's)
            await asyncio.sleep(0.1)


async def long_call(server: OwnServer, seconds: float) -> dict[str, Any]:
    """One call, read all along; growth is that after its first two minutes."""
    call = asyncio.create_task(one_call(server.url, cycle(await talk()), seconds))
    readings: list[Reading] = []
    began_s = asyncio.get_running_loop().time()
    while not call.done():
        await asyncio.wait({call}, timeout=READ_EVERY_S)
        passed_s = asyncio.get_running_loop().time() - began_s
        readings.append((round(passed_s / 60, 2), resident_kb(server.pid)))
    replies = await call
    settled = [reading for reading in readings[:-1] if reading[0] * 60 >= min(WARM_S, seconds / 2)]
    memory_kb = [kb for _, kb in settled]
    return {
        "seconds": seconds,
        "replies": replies,
        "kb_per_minute": slope(settled),
        "grown_kb": round(float(np.median(memory_kb[-5:]) - np.median(memory_kb[:5]))),
        "readings_kb": readings,
    }


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures asked for, each of a server of its own."""
    figures: dict[str, Any] = {"machine": machine(), "graph": arguments.graph}
    with serve(transcript="please explain the theory of relativity to me", **arguments.delays) as services:
        os.environ["OPENAI_BASE_URL"] = services.url
        if arguments.calls:
            async with own_server(command(arguments.graph)) as server:
                figures["many"] = await many_calls(
                    server, arguments.calls, arguments.seconds, arguments.at_once
                )
        if arguments.long:
            async with own_server(command(arguments.graph)) as server:
                figures["long"] = await long_call(server, arguments.long)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=200, help="0 for none (default 200)")
    parser.add_argument("--seconds", type=float, default=30, help="of each (default 30)")
    parser.add_argument("--at-once", type=int, default=8, help="calls in a batch (default 8)")
    parser.add_argument("--long", type=float, default=0, help="seconds of one long call (default: none)")
    parser.add_argument("--graph", default="openai")
    arguments = parser.parse_args()
    arguments.delays = {"stt_ms": 100, "llm_ms": 150, "tts_ms": 80}
    print(json.dumps(asyncio.run(run(arguments)), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
