"""Real WebRTC calls on this machine: the client node against an aiortc peer, sound and events both ways."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from extensions.client.webrtc import WebRtcClient
from tests.calls.peers import Beeper, Caller
from voice_agent import audio
from voice_agent.errors import ExtensionError, InputError
from voice_agent.message import Playback
from voice_agent.session import Session
from voice_agent.testing import FakeSession, Wiring, attach, tone

LINES = [
    ("client", "call_started", "beeper"),
    ("client", "pcm_frame", "beeper"),
    ("client", "heard", "beeper"),
    ("client", "typed", "beeper"),
    ("beeper", "pcm_frame", "client"),
    ("beeper", "clause", "client"),
]


@asynccontextmanager
async def a_call(seconds: float = 0.6, **config: Any) -> AsyncIterator[tuple[Caller, Session, Beeper]]:
    client, beeper = WebRtcClient(**config), Beeper(seconds)
    session = Session(Wiring({"client": client, "beeper": beeper}, LINES))
    caller = Caller(iter(list(audio.frames(tone(5, hz=300)))))
    await session.start()
    await caller.accept(await client.answer(await caller.offer()))
    running = asyncio.create_task(session.run())
    try:
        await caller.wait_for("session.created")
        yield caller, session, beeper
    finally:
        session.close("test over")
        try:
            await running
        finally:
            await caller.hang_up()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not [task for task in others if "voice_agent" in repr(task.get_coro())], others


def test_sound_and_events_flow_both_ways() -> None:
    async def main() -> None:
        async with a_call() as (caller, _, beeper):
            await caller.wait_for("output_audio_buffer.stopped")
            heard = np.concatenate(caller.heard)
            loud = np.flatnonzero(np.abs(heard) > 1000)
            assert 0.5 < (loud[-1] - loud[0]) / audio.SAMPLE_RATE < 0.7, "the whole tone was heard"
            frames = beeper.frames()
            assert len(frames) > 20
            assert [round(f.time_s / audio.FRAME_S) for f in frames] == list(range(len(frames)))
            assert audio.level_db(frames[20].samples) == pytest.approx(-20, abs=2)
            assert [(h.text, h.final) for h in beeper.heard()][-1] == ("Hello there.", True)
            types = [event["type"] for event in caller.events]
            assert types.index("response.created") < types.index("output_audio_buffer.started")
            assert types.index("response.done") < types.index("output_audio_buffer.stopped")

    asyncio.run(main())


def test_an_interrupt_silences_the_caller_at_once_and_tells_what_was_heard() -> None:
    async def main() -> None:
        async with a_call(seconds=5) as (caller, _, beeper):
            await caller.wait_for("output_audio_buffer.started")
            caller.send(type="response.cancel")
            await caller.wait_for("output_audio_buffer.cleared")
            before = len(caller.heard)
            await caller.wait_for("conversation.item.truncated")
            assert caller.of("voice_agent.heard")[-1]["interrupted"]
            await caller.wait_heard(before + 15)
            assert audio.level_db(np.concatenate(caller.heard[-5:])) < -60
            assert beeper.heard()[-1].interrupted

    asyncio.run(main())


def test_ducking_is_heard_by_the_caller_within_a_few_frames() -> None:
    async def main() -> None:
        async with a_call(seconds=9) as (caller, session, _):
            await caller.wait_for("output_audio_buffer.started")
            await caller.wait_heard(len(caller.heard) + 10)
            for mode, level_db in (("ducked", -35), ("full", -20), ("paused", -90), ("ducked", -35)):
                await session.nodes["client"].inbox.put(Playback(mode))  # type: ignore[arg-type]
                before = len(caller.heard)
                await caller.wait_heard(before + 15)
                heard_db = audio.level_db(np.concatenate(caller.heard[before + 5 : before + 15]))
                assert heard_db == pytest.approx(level_db, abs=2) or heard_db < level_db < -80
            assert [event["mode"] for event in caller.of("voice_agent.playback")] == [
                "ducked", "full", "paused", "ducked",
            ]  # fmt: skip

    asyncio.run(main())


def test_a_typed_line_reaches_the_graph() -> None:
    async def main() -> None:
        async with a_call() as (caller, _, beeper):
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
            caller.send(type="conversation.item.create", item=item)
            caller.send(type="response.create")
            caller.send(type="no.such.event")
            error = await caller.wait_for("error")
            assert error["error"]["code"] == "unknown_event"
            assert [m for m in beeper.received if type(m).__name__ == "Typed"]

    asyncio.run(main())


def test_a_caller_who_hangs_up_ends_the_session() -> None:
    async def main() -> None:
        async with a_call() as (caller, session, _):
            await caller.hang_up()
            async with asyncio.timeout(5):
                await session._closing.wait()
            assert session.closed_because == "the caller hung up"

    asyncio.run(main())


def test_a_caller_who_vanishes_without_a_word_is_not_waited_for() -> None:
    async def main() -> None:
        async with a_call(reconnect_grace_s=0.3) as (caller, session, beeper):
            await beeper.hearing.wait()
            caller.fall_silent()
            async with asyncio.timeout(5):
                await session._closing.wait()
            assert session.closed_because == "the caller was away for 0.3 s"

    asyncio.run(main())


def received() -> float:
    """The packets that the process has counted."""
    return REGISTRY.get_sample_value("voice_agent_packets_total", {"fate": "received"}) or 0.0


def test_the_caller_is_told_of_the_network_once_a_second() -> None:
    async def main() -> None:
        before = received()
        async with a_call() as (caller, _, beeper):
            told = await caller.wait_for("voice_agent.network", 2)
            assert 30 <= told["received"] <= 70
            assert (told["lost"], told["concealed"], told["late"]) == (0, 0, 0)
            assert told["jitter_ms"] >= 0 and told["wait_ms"] == 0
            counted = sum(event["received"] for event in caller.of("voice_agent.network"))
            assert counted <= received() - before <= counted + 70, "metrics count the same"
            assert len(beeper.frames()) > 50

    asyncio.run(main())


def test_audio_time_goes_on_in_a_gap_and_the_end_of_the_call_is_that_of_the_packets() -> None:
    async def main() -> None:
        async with a_call(reconnect_grace_s=0.8) as (caller, session, beeper):
            await beeper.hearing.wait()
            caller.fall_silent()
            async with asyncio.timeout(5):
                await session._closing.wait()
            assert session.closed_because == "the caller was away for 0.8 s"
            frames = beeper.frames()
            first_gap = next(index for index, frame in enumerate(frames) if frame.gap)
            gaps = frames[first_gap:]
            assert all(frame.gap for frame in gaps)
            assert 10 < len(gaps) < 40, "from 0.2 s after the last packet to 0.8 s"
            assert [round(f.time_s / audio.FRAME_S) for f in frames] == list(range(len(frames)))

    asyncio.run(main())


def test_a_bug_in_a_callback_ends_the_call_by_its_name() -> None:
    async def main() -> None:
        with pytest.raises(ExtensionError, match="node 'client': ZeroDivisionError"):
            async with a_call() as (caller, session, _):
                client = session.nodes["client"].extension
                assert isinstance(client, WebRtcClient)
                client._commands.receive = lambda text: 1 // 0  # type: ignore[assignment, method-assign, return-value]
                caller.send(type="response.cancel")
                async with asyncio.timeout(5):
                    await session._closing.wait()

    asyncio.run(main())


def test_a_caller_who_never_connects_is_not_waited_for() -> None:
    async def main() -> None:
        client = WebRtcClient(connect_timeout_s=0.1)
        session = Session(Wiring({"client": client, "beeper": Beeper()}, LINES))
        await session.start()
        caller = Caller(iter([]))
        await client.answer(await caller.offer())
        await session.run()
        assert session.closed_because == "not connected within 0.1 s"
        await caller.hang_up()

    asyncio.run(main())


AUDIO = "\r\n".join(
    [
        *("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"),
        *(
            "m=audio 9 UDP/TLS/RTP/SAVPF 0",
            "c=IN IP4 0.0.0.0",
            "a=mid:0",
            "a=sendrecv",
            "a=rtpmap:0 PCMU/8000",
        ),
        "",
    ]
)


@pytest.mark.parametrize(
    ("offer", "expected"),
    [
        ("", "without"),
        ("hello", "offer"),
        ("v=0\r\nm=audio", "offer"),
        (AUDIO, "Opus"),
        (AUDIO.replace("m=audio", "m=video"), "audio section"),
        (AUDIO.replace("0 PCMU/8000", "111 opus/48000/2").replace("SAVPF 0", "SAVPF 111"), "answered"),
    ],
)
def test_an_offer_that_cannot_be_answered_says_why(offer: str, expected: str) -> None:
    async def main() -> None:
        client = WebRtcClient()
        attach(client, FakeSession())
        await client.start()
        with pytest.raises(InputError, match=expected):
            await client.answer(offer)
        await client.stop()

    asyncio.run(main())
