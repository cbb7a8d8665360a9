"""After a call nothing of it is alive, however it ended."""

import asyncio
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.calls.peers import Caller
from tests.calls.test_server import SDP, a_server, graph_of
from voice_agent import audio
from voice_agent.http.calls import Calls, Simulation
from voice_agent.network import profile
from voice_agent.session import Session
from voice_agent.testing import tone

End = Callable[[str, str, Caller, Calls], Awaitable[None]]
LOOP_TURNS = 50
"""So many turns of the loop are enough for every callback of an end to have run."""


def parts(session: Session) -> dict[str, weakref.ref[Any]]:
    """What a call is made of."""
    client: Any = session.nodes["client"].extension
    connection = client._peer._connection
    transceiver = connection.getTransceivers()[0]
    objects = {
        "session": session,
        **{name: node.extension for name, node in session.nodes.items()},
        "inbox": session.nodes["client"].inbox,
        "peer": client._peer,
        "link": client._peer.link,
        "receive path": client._receive,
        "playout": client._playout,
        "connection": connection,
        "receiver": transceiver.receiver,
        "sender": transceiver.sender,
        "DTLS": transceiver.receiver.transport,
        "ICE": transceiver.receiver.transport.transport,
        "SCTP": connection.sctp,
    }
    return {name: weakref.ref(value) for name, value in objects.items()}


async def hung_up(url: str, location: str, caller: Caller, calls: Calls) -> None:
    async with httpx.AsyncClient() as http:
        await http.delete(url + location)


async def closed(url: str, location: str, caller: Caller, calls: Calls) -> None:
    await caller.hang_up()


async def failed(url: str, location: str, caller: Caller, calls: Calls) -> None:
    next(iter(calls.sessions.values())).fail("client", ValueError("broken"))


@pytest.mark.parametrize("end", [hung_up, closed, failed])
def test_nothing_of_a_call_stays(
    end: Callable[..., Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest keeps what is logged, with the frames of its errors.
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)

    async def one_call(url: str, calls: Calls) -> dict[str, weakref.ref[Any]]:
        caller = Caller(iter(list(audio.frames(tone(1)))))
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{url}/v1/realtime/calls", content=await caller.offer(), headers=SDP)
        await caller.accept(answer.text)
        await caller.wait_for("output_audio_buffer.started")
        alive = parts(next(iter(calls.sessions.values())))
        await end(url, answer.headers["location"], caller, calls)
        await calls.idle()
        await caller.hang_up()
        return alive

    async def main() -> None:
        async with a_server() as (url, calls):
            alive = await one_call(url, calls)
            for _ in range(LOOP_TURNS):
                await asyncio.sleep(0)
            gc.collect()
            assert [name for name, part in alive.items() if part() is not None] == []

    asyncio.run(main())


def test_nothing_of_a_refused_offer_stays() -> None:
    async def main() -> None:
        async with a_server() as (url, calls):
            gc.collect()
            before = sum(isinstance(each, Session) for each in gc.get_objects())
            async with httpx.AsyncClient() as http:
                answer = await http.post(f"{url}/v1/realtime/calls", content="v=0", headers=SDP)
            assert answer.status_code == 400
            gc.collect()
            assert sum(isinstance(each, Session) for each in gc.get_objects()) == before
            assert not calls.sessions

    asyncio.run(main())


def test_nothing_of_a_relay_stays() -> None:
    async def main() -> None:
        calls = Calls(graph_of(), 1, Simulation(profile.load("loopback")))
        caller = Caller(iter(()))
        call_id, _ = await calls.begin(await caller.offer(), "en")
        relay = weakref.ref(calls._relays[call_id])
        calls.find(call_id).close("test over")
        await calls.idle()
        await caller.hang_up()
        for _ in range(LOOP_TURNS):
            await asyncio.sleep(0)
        gc.collect()
        assert relay() is None

    asyncio.run(main())
