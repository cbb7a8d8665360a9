"""Calls through services with known delays: what does everything else add?

    python -m benchmarks.stand_ins --turns 20

Runs the graph `openai` against the stand-in server of the tests with 100 + 150 + 80 ms (recognition, model,
voice) and with 0 ms, one call each, and prints what the caller hears and what the server's process costs.
All turns go to the large model, as the stand-in recogniser writes what the small one does not know.
"""

import argparse
import asyncio
import json
import os
from typing import Any

from voice_agent.calls.caller import place_call
from voice_agent.calls.own_server import command, own_server
from voice_agent.calls.report import measure
from voice_agent.calls.script import say
from voice_agent.calls.stand_in_services import serve

UNKNOWN = "please explain the theory of relativity to me"


async def one_call(turns: int, delays_ms: dict[str, int]) -> dict[str, Any]:
    """The figures of a call of so many turns."""
    lines = [await say("Please explain the theory of relativity to me.") for _ in range(turns)]
    with serve(**delays_ms, transcript=UNKNOWN, reply="It says that time passes differently.") as fake:
        os.environ["OPENAI_BASE_URL"] = fake.url
        async with own_server(command("openai")) as server:
            cpu_s, began = server.cpu_s() or 0.0, asyncio.get_running_loop().time()
            call = await place_call(server.url, lines)
            lasted_s = asyncio.get_running_loop().time() - began
            cpu_s = (server.cpu_s() or 0.0) - cpu_s
    report = measure(call)
    return {
        **delays_ms,
        "turns": turns,
        "routes": sorted({turn["route"] for turn in report["turns"]}),
        "voice_to_voice_ms": report["summary"]["voice_to_voice_ms"],
        "begun_too_early": sum(turn["begun_too_early"] for turn in report["turns"]),
        "server_cpu_s_per_minute": round(60 * cpu_s / lasted_s, 2),
        "late_frames": report["late_frames"],
        "own_late_frames": report["own_late_frames"],
        "errors": report["errors"],
        "machine": report["machine"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=20)
    turns = parser.parse_args().turns
    for delays_ms in ({"stt_ms": 100, "llm_ms": 150, "tts_ms": 80}, {"stt_ms": 0, "llm_ms": 0, "tts_ms": 0}):
        print(json.dumps(asyncio.run(one_call(turns, delays_ms)), indent=2), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
