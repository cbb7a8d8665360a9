"""What a call keeps has an end: after a thousand turns no more than after a hundred."""

import asyncio
import gc
import tracemalloc

import numpy as np

from extensions.router.fast import FastRouter
from tests.fuzz import seeds
from voice_agent.audio import FRAME, FRAME_S
from voice_agent.media.playout import Playout
from voice_agent.media.receive import ReceivePath
from voice_agent.message import (
    Clause,
    Heard,
    Message,
    Prompt,
    Speech,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    TurnEnded,
)
from voice_agent.realtime.conversation import Conversation
from voice_agent.realtime.latency import LatencyMeter
from voice_agent.session import Session
from voice_agent.testing import Outbox, Wiring, attach

MAY_GROW = 50_000
"""Bytes: Python keeps some 30,000 for numbers and tuples to come. A line kept of each turn is 180,000."""


class Conversing:
    """One call's state that turns go through, without sound."""

    def __init__(self) -> None:
        self.session = Session(Wiring({}, []))
        self.conversation = Conversation("en", "voice-agent")
        self.latency = LatencyMeter()
        self.playout = Playout()
        self.router = FastRouter()
        self.out: Outbox = attach(self.router)

    async def turn(self) -> None:
        """The caller says something, and every fourth time interrupts the answer, every seventh unheard."""
        turn = self.session.begin_turn()
        time_s = 3.0 * turn
        said = f"I ask for number {turn}, and where it is"
        messages: list[Message] = [
            SpeechStarted(time_s),
            SpeechEnded(time_s + 1),
            Transcript(said, final=True, end_s=time_s + 1),
            TurnEnded(said, ended_s=time_s + 1, turn=turn),
        ]
        for message in messages:
            self.latency.on_message(message, time_s, time_s)
            self.conversation.on_message(message)
        await self.router.handle(messages[-1], self.out)
        answer = f"It is number {turn}, of course."
        self.conversation.on_message(Clause(answer, final=True, turn=turn))
        self.playout.push(Speech(np.ones(4 * FRAME, np.int16), text=answer, final=True, turn=turn))
        for _ in range(0 if turn % 7 == 0 else 2 if turn % 4 == 0 else 8):
            self.playout.pull()
        if turn % 4 == 0 or turn % 7 == 0:
            self.playout.cut()
        for heard in self.playout.progress():
            self.conversation.on_message(heard)
            self.latency.first_sample(turn, time_s + 2, self.session.timings(turn), "client")
            await self.router.handle(heard, self.out)
        self.out.clear()


def test_turns_are_forgotten() -> None:
    async def main() -> None:
        call = Conversing()
        await call.router.start()
        for _ in range(100):
            await call.turn()
        tracemalloc.start()
        try:
            for _ in range(100):
                await call.turn()
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(900):
                await call.turn()
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < MAY_GROW
        finally:
            tracemalloc.stop()

    asyncio.run(main())


def test_packets_are_forgotten() -> None:
    path, packets = ReceivePath(), seeds.opus_packets()
    rng = np.random.default_rng(1)

    def receive(start: int, count: int) -> int:
        for number in range(start, start + count):
            if rng.random() > 0.1:  # a tenth is lost, and what is lost is remembered for a while
                payload = packets[number % len(packets)]
                path.push(number & 0xFFFF, 960 * number & 0xFFFFFFFF, payload, number * FRAME_S)
            path.poll(number * FRAME_S)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = receive(0, 10_000)
        assert receive(10_000, 20_000) - before < MAY_GROW
    finally:
        tracemalloc.stop()


def test_a_model_is_told_so_many_lines_as_configured() -> None:
    async def main() -> None:
        router = FastRouter(history_lines=4)
        out = attach(router)
        await router.start()
        for turn in range(1, 9):
            await router.handle(TurnEnded(f"question {turn}", turn=turn), out)
            await router.handle(Heard(turn, f"answer {turn}", final=True), out)
        [*_, prompt] = out.of(Prompt)
        assert [line.text for line in prompt.history] == ["question 6", "answer 6", "question 7", "answer 7"]

    asyncio.run(main())
