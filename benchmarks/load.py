"""Several calls at once on a server with stand-in models: which 20 ms frames come late or not at all?

    python -m benchmarks.load --calls 8 --seconds 20

Callers and server share the machine. A frame is late when it comes more than 20 ms after its time, which is
set by the promptest frame of its call: a loudspeaker with the least buffer would have run dry.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass, field
from itertools import cycle

import httpx
import numpy as np

from tests.calls.peers import Caller
from voice_agent import audio
from voice_agent.calls.own_server import own_server
from voice_agent.calls.report import machine
from voice_agent.media.red import Block
from voice_agent.message import Samples
from voice_agent.testing import silence, tone

LATE_S = 0.020


@dataclass
class ListeningCaller(Caller):
    """Notes when which packet came."""

    arrivals: list[tuple[int, float]] = field(default_factory=list)

    def _packet(self, sequence: int, timestamp: int, payload: bytes, copies: tuple[Block, ...]) -> None:
        self.arrivals.append((sequence, asyncio.get_running_loop().time()))
        super()._packet(sequence, timestamp, payload, copies)

    def figures(self) -> dict[str, int]:
        """Frames that should have come, came late, did not come."""
        first = self.arrivals[0][0]
        numbers = np.array([(sequence - first) & 0xFFFF for sequence, _ in self.arrivals])
        offsets = np.array([time for _, time in self.arrivals]) - numbers * audio.FRAME_S
        expected = int(numbers.max()) + 1
        late = int((offsets - offsets.min() > LATE_S).sum())
        return {"frames": expected, "late": late, "missing": expected - len(set(numbers.tolist()))}


def talk() -> list[Samples]:
    """A caller who speaks for 1.5 s of every 5 s, sometimes over the agent."""
    return list(audio.frames(np.concatenate((silence(2.5), tone(1.5), silence(1.0)))))


async def one_call(url: str, seconds: float) -> dict[str, int]:
    caller = ListeningCaller(cycle(talk()))
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        response = await http.post(
            f"{url}/v1/realtime/calls",
            content=await caller.offer(),
            headers={"content-type": "application/sdp"},
        )
        response.raise_for_status()
        await caller.accept(response.text)
        await caller.wait_for("session.created")
        await asyncio.sleep(seconds)
        await http.delete(url + response.headers["location"])
    await caller.hang_up()
    return {**caller.figures(), "replies": len(caller.of("response.done"))}


async def run(calls: int, seconds: float) -> dict[str, object]:
    """The figures of all calls together."""
    async with own_server([sys.executable, "-m", "benchmarks.fake_server"]) as server:
        before_s = server.cpu_s() or 0.0
        results = await asyncio.gather(*(one_call(server.url, seconds) for _ in range(calls)))
        cpu_s = (server.cpu_s() or 0.0) - before_s
    total = {key: sum(result[key] for result in results) for key in results[0]}
    return {
        "machine": machine(),
        "calls": calls,
        "seconds": seconds,
        **total,
        "late_or_missing_percent": round(100 * (total["late"] + total["missing"]) / total["frames"], 3),
        "server_cpu_s_per_call_minute": round(cpu_s / calls / seconds * 60, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(run(arguments.calls, arguments.seconds)), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
