"""A real coturn on 127.0.0.1: calls whose sound goes through it alone, with credentials made for each."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any

import pytest
from aioice.ice import CandidatePair
from aiortc.rtcconfiguration import RTCIceServer, RTCIceTransportPolicy
from aiortc.rtcicetransport import RTCIceGatherer

import voice_agent.calls.phone
from tests.calls.peers import Beeper
from tests.calls.test_server import a_server, client_of, graph_of, until_no_call
from tests.unit.test_compose import VALUES, turnserver_configuration
from voice_agent.calls.phone import Phone
from voice_agent.commands.serve import listen
from voice_agent.errors import InputError
from voice_agent.ice_servers import ICE_PATH, IceServers, credentials

TURNSERVER = shutil.which("turnserver")
pytestmark = pytest.mark.skipif(TURNSERVER is None, reason="no coturn found (turnserver): apt install coturn")
SECRET = VALUES["VOICE_AGENT_TURN_SECRET"]
ON_LOOPBACK = """
listening-ip=127.0.0.1
relay-ip=127.0.0.1
allow-loopback-peers
verbose
pidfile={folder}/turnserver.pid
userdb={folder}/turndb
"""


def free_port() -> int:
    """One that was free a moment ago."""
    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[str]:
    """The URL of a coturn that is ready; it has the configuration of docker/compose.yaml."""
    port, file = free_port(), folder / "turnserver.conf"
    shipped = turnserver_configuration().replace("listening-port=3478", f"listening-port={port}")
    file.write_text(shipped + ON_LOOPBACK.format(folder=folder))
    assert TURNSERVER is not None
    process = await asyncio.create_subprocess_exec(TURNSERVER, "-c", str(file), stdout=PIPE, stderr=STDOUT)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(10):
            async for line in process.stdout:
                if b"UDP listener opened" in line:
                    break
        reading = asyncio.create_task(process.stdout.read())  # so that its pipe never fills
        yield f"turn:127.0.0.1:{port}?transport=udp"
    finally:
        process.terminate()
        await process.wait()
    await reading


def servers_at(url: str, secret: str = SECRET) -> IceServers:
    return IceServers(turn=(url,), secret=secret, relay_only=True)


def test_a_call_through_coturn_alone_and_its_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with coturn(tmp_path) as url, a_server(servers=servers_at(url)) as (address, calls):
            phone = Phone()
            await phone.dial(address, "en")
            (session,) = calls.sessions.values()
            beeper = next(item for item in session.extensions if isinstance(item, Beeper))
            before = await pair_in_use(phone, beeper)
            assert phone._location is not None
            await phone._restart(phone._location)
            assert await phone.until(lambda: pair_of(phone) is not before, 10)
            after = await pair_in_use(phone, beeper)
            assert before.local_candidate.type == after.local_candidate.type == "relay"
            assert before.local_addr != after.local_addr
            await phone.hang_up()
            await until_no_call(calls)

    asyncio.run(main())


def pair_of(phone: Phone) -> CandidatePair:
    return phone._ice._transport._connection._nominated[1]


async def pair_in_use(phone: Phone, beeper: Beeper) -> CandidatePair:
    """The phone's pair of addresses, when half a second more has been heard at both ends."""
    heard, received = len(phone.heard) + 25, len(beeper.frames()) + 25
    assert await phone.until(lambda: len(phone.heard) > heard and len(beeper.frames()) > received, 10)
    return pair_of(phone)


def test_a_browser_is_told_what_coturn_accepts(tmp_path: Path) -> None:
    async def main() -> None:
        async with coturn(tmp_path) as url, a_server(servers=servers_at(url)) as (address, _):
            async with client_of(address) as http:
                told = (await http.get(ICE_PATH)).json()
            assert told["iceTransportPolicy"] == "relay"
            (server,) = told["iceServers"]
            assert len(await relayed(server)) == 1
            expired = dict(
                zip(("username", "credential"), credentials(SECRET, "late", 1_000_000), strict=True)
            )
            assert await relayed(server | expired) == []
            assert await relayed(server | {"credential": "wrong"}) == []

    asyncio.run(main())


async def relayed(server: dict[str, Any]) -> list[str]:
    """The addresses that a TURN server gives."""
    gatherer = RTCIceGatherer([RTCIceServer(**server)], RTCIceTransportPolicy.RELAY)
    await gatherer.gather()
    addresses = [candidate.ip for candidate in gatherer.getLocalCandidates()]
    await gatherer._connection.close()
    return addresses


def test_where_there_is_no_turn_server_the_answer_comes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_agent.calls.phone, "CONNECT_TIMEOUT_S", 1.0)

    async def main() -> None:
        nobody = servers_at(f"turn:127.0.0.1:{free_port()}?transport=udp")
        async with a_server(graph_of(connect_timeout_s=1.0), servers=nobody) as (address, calls):
            phone, begun_s = Phone(), asyncio.get_running_loop().time()
            with pytest.raises(InputError, match="no connection came about"):
                await phone.dial(address, "en")
            assert phone.answered_s - begun_s < 3.0, "a second at each end, and what the machine takes"
            await until_no_call(calls)
            await phone.hang_up()

    asyncio.run(main())
