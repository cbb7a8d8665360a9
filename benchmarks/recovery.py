"""How soon does sound flow again after the link does, and is a gap taken for the end of a turn?

    python -m benchmarks.recovery --repeats 3

Real calls through the relay, on this machine, those of one round at once. In each the caller speaks one long
sentence, the agent a tone all the time; in the middle of both the link is down once, or the caller gets
another address after a hole. Packets sent meanwhile are held until its end, or lost. From the moment the
link is up again it is measured when

- the caller hears the agent: the first audible frame that comes;
- the server hears the caller: the first frame that is no filling.

HTTP does not pass through the relay: a restart of ICE can be asked for while the link is down.
"""

import argparse
import asyncio
import json
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from extensions.client.webrtc import WebRtcClient
from extensions.turn.silence import SilenceTurn
from extensions.vad.silero import SileroVad
from tests.calls.test_server import a_server, until_no_call
from voice_agent.calls.ear import AUDIBLE_DB, levels_db
from voice_agent.calls.phone import Phone
from voice_agent.calls.report import machine
from voice_agent.calls.script import Line, say
from voice_agent.extension import Emit, Extension
from voice_agent.graph import Edge, Graph, Node
from voice_agent.http.calls import Calls
from voice_agent.message import AudioFrame, CallStarted, Message, Speech, SpeechEnded, Transcript, TurnEnded
from voice_agent.network import profile
from voice_agent.network.profile import Handover, LinkSettings, Profile
from voice_agent.network.relay import Relay
from voice_agent.testing import tone

DOWN_AT_S = 4.0
"""After the start of the call; the caller speaks since its greeting, and speaks on."""
TARGETS_S = {"80 ms": 0.1, "1 s": 0.5, "4.5 s": 1.0, "another address": 2.0}
AGENT_S = 40.0
SENTENCE = (
    "I would like to know where my order is and when it will arrive at my house in the city because the lamp "
    "that I bought for my mother is still not here and her birthday is on the third of next month and I have "
    "to travel to her by train and carry it with me and wrap it and write a card so please tell me"
)


@dataclass
class Listener(Extension):
    """Talks all the time, answers each stretch of speech with a transcript, and notes what comes."""

    inputs = (CallStarted, AudioFrame, SpeechEnded, TurnEnded)
    outputs = {"pcm_frame": Speech, "asr_result": Transcript}

    async def start(self) -> None:
        self.came_s: list[float] = []
        """Loop times of the frames with the caller's own sound."""
        self.turns: list[TurnEnded] = []

    async def handle(self, message: Message, emit: Emit) -> None:
        match message:
            case CallStarted():
                await emit("pcm_frame", Speech(tone(AGENT_S), text="A long tone.", final=True))
            case AudioFrame(gap=False):
                self.came_s.append(asyncio.get_running_loop().time())
            case SpeechEnded():
                await emit("asr_result", Transcript("words", final=True, end_s=message.time_s))
            case TurnEnded():
                self.turns.append(message)


def graph() -> Graph:
    """A client, real ears, and the listener in place of everything else."""
    nodes = (
        Node("client", "client.webrtc", WebRtcClient, {}),
        Node("vad", "vad.silero", SileroVad, {}),
        Node("turn", "turn.silence", SilenceTurn, {}),
        Node("listener", "benchmark.listener", Listener, {}),
    )
    lines = chain(
        (("client", "call_started", "listener"), ("listener", "pcm_frame", "client")),
        (("client", "pcm_frame", to) for to in ("vad", "turn", "listener")),
        (("vad", name, "turn") for name in ("speech_started", "speech_ended")),
        (("vad", "speech_ended", "listener"), ("listener", "asr_result", "turn")),
        (("turn", "turn_ended", "listener"),),
    )
    return Graph("recovery", Path("recovery.json"), nodes, [Edge(*line) for line in lines])


def cases() -> dict[str, tuple[Profile, float]]:
    """Each with the length of its gap or hole in seconds."""
    found: dict[str, tuple[Profile, float]] = {}
    for name, seconds in (("80 ms", 0.08), ("1 s", 1.0), ("4.5 s", 4.5)):
        for fate in ("held", "lost"):
            length = dict.fromkeys(("min_ms", "mean_ms", "max_ms"), seconds * 1000)
            when = {"every_s": 3600, "regular": True, "first_s": DOWN_AT_S, "both_ways": True}
            gaps = [when | length | {"lost": fate == "lost"}]
            link = LinkSettings.model_validate({"delay_ms": 20, "jitter_ms": 3, "gaps": gaps})
            found[f"{name}, {fate}"] = Profile(name, "", (), link, link), seconds
    for seconds in (0.1, 1.0, 4.5):
        moves = Handover(at_s=DOWN_AT_S, hole_ms=seconds * 1000, to="4g_typical")
        moved = replace(profile.load("wifi_to_4g"), handover=moves)
        found[f"another address, after {seconds:g} s"] = moved, seconds
    return found


async def one_call(url: str, calls: Calls, relay: Relay, down_s: float, line: Line) -> dict[str, Any]:
    """Make it; `down_s` is the length of its gap or hole."""
    phone, loop = Phone(relay), asyncio.get_running_loop()
    try:
        await phone.dial(url, "en")
        session = calls.find(str(phone._location).rpartition("/")[2])
        listener = next(each for each in session.extensions if isinstance(each, Listener))
        await phone.until(lambda: phone.last_audible_s > 0, 10)
        phone.say(line.samples)
        up_s = relay._began_s + DOWN_AT_S + down_s
        await phone.until(lambda: loop.time() > up_s + 2.5 and not phone.speaking, 60)
        ended_early = len(listener.turns)
        await phone.until(lambda: bool(listener.turns), 5)
        return {
            "caller_hears_s": first_after(up_s, audible(phone)),
            "server_hears_s": first_after(up_s, listener.came_s),
            "turns": len(listener.turns),
            "turns_before_the_end": ended_early,
            "restarts": phone.restarts,
            "told": phone.events.connection,
            "ended": phone.ended_because,
        }
    finally:
        await phone.hang_up()
        relay.close()


def audible(phone: Phone) -> list[float]:
    """When the frames came in which the agent can be heard."""
    tape = zip(phone.heard.times, phone.heard.frames, strict=True)
    return [time_s for time_s, samples in tape if levels_db(samples).max() > AUDIBLE_DB]


def first_after(up_s: float, times: list[float]) -> float | None:
    """How long after the link was up the first one came."""
    return next((round(time_s - up_s, 3) for time_s in times if time_s >= up_s), None)


async def run(repeats: int) -> dict[str, Any]:
    """Every case so many times; the worst of each is what counts."""
    SileroVad().prepare()
    line = await say(SENTENCE)
    found: dict[str, list[dict[str, Any]]] = {}
    async with a_server(graph()) as (url, calls):
        for seed in range(1, repeats + 1):
            round_ = [
                one_call(url, calls, Relay(network, seed), down_s, line)
                for network, down_s in cases().values()
            ]
            for name, call in zip(cases(), await asyncio.gather(*round_), strict=True):
                found.setdefault(name, []).append(call)
            await until_no_call(calls)
    return {"cases": {name: summary(name, each) for name, each in found.items()}, "machine": machine()}


def summary(name: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    """The worst of the calls, beside what was aimed at."""
    both = [call[key] for call in calls for key in ("caller_hears_s", "server_hears_s")]
    return {
        "target_s": TARGETS_S[name.split(",")[0]],
        "worst_s": None if None in both else max(both),
        "median_s": None if None in both else round(float(np.median(both)), 3),
        "turns": [call["turns"] for call in calls],
        "calls": calls,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="calls of each kind (default: %(default)s)")
    print(json.dumps(asyncio.run(run(parser.parse_args().repeats)), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
