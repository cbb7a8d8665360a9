"""A path that is lost ends nothing: two ICE agents on this machine, on the virtual clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aioice import Connection

from voice_agent.media.aiortc_private import allow_loopback
from voice_agent.media.ice import CONSENT_EXPIRES_S, _prepare
from voice_agent.testing import run


@asynccontextmanager
async def a_path() -> AsyncIterator[tuple[Connection, Connection]]:
    """Ours, and the other side's, which is aioice's own."""
    allow_loopback()
    ours, theirs = Connection(ice_controlling=False), Connection(ice_controlling=True)
    _prepare(ours)
    for side, other in ((ours, theirs), (theirs, ours)):
        await side.gather_candidates()
        for candidate in side.local_candidates:
            await other.add_remote_candidate(candidate)
        await other.add_remote_candidate(None)
        other.remote_username, other.remote_password = side.local_username, side.local_password
    await asyncio.gather(ours.connect(), theirs.connect())
    try:
        yield ours, theirs
    finally:
        await ours.close()
        await theirs.close()


async def passes(sender: Connection, receiver: Connection) -> bool:
    """Whether a packet gets from here to there."""
    await sender.send(b"\x80 sound")
    try:
        async with asyncio.timeout(0.5):
            return await receiver.recv() == b"\x80 sound"
    except TimeoutError:
        return False


def test_without_consent_sending_pauses_until_there_is_consent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with a_path() as (ours, theirs):

            def deaf(*_: Any) -> None:
                pass

            await asyncio.sleep(60)
            assert await passes(ours, theirs)
            vars(theirs)["request_received"] = deaf
            await asyncio.sleep(CONSENT_EXPIRES_S - 12)
            assert await passes(ours, theirs), "consent lasts for 30 s"
            await asyncio.sleep(30)
            assert not await passes(ours, theirs)
            assert await passes(theirs, ours), "what comes is still taken"
            await asyncio.sleep(300)
            del vars(theirs)["request_received"]
            await asyncio.sleep(12)
            assert await passes(ours, theirs)

    run(main())


def test_a_slow_answer_is_consent_too() -> None:
    """aioice takes an answer after 0.5 s for none, and after 30 s of that ends the connection."""

    async def main() -> None:
        async with a_path() as (ours, theirs):
            answer = theirs.request_received

            def slow(*request: Any) -> None:
                asyncio.get_running_loop().call_later(2.0, answer, *request)

            vars(theirs)["request_received"] = slow
            await asyncio.sleep(120)
            assert await passes(ours, theirs)

    run(main())


def test_a_socket_that_is_lost_ends_nothing() -> None:
    async def main() -> None:
        async with a_path() as (ours, theirs):
            waiting = asyncio.create_task(ours.recv())
            await asyncio.sleep(1)
            ours._nominated[1].protocol.transport.abort()
            await asyncio.sleep(10)
            assert not waiting.done()
            assert not await passes(ours, theirs)
            waiting.cancel()
            await asyncio.wait({waiting})

    run(main())
