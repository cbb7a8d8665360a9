"""Real calls through the relay: an aiortc peer, a real server, and 4G as most callers have it in between."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tests.calls.peers import Beeper, Caller
from tests.calls.test_server import FRAGMENT, SDP, a_server, graph_of, until_no_call
from voice_agent import audio
from voice_agent.calls.phone import Phone
from voice_agent.http.calls import Calls, Simulation
from voice_agent.message import Samples
from voice_agent.network import profile
from voice_agent.network.relay import Relay
from voice_agent.server import make_app
from voice_agent.testing import tone

FRAMES = 20


def voice() -> Iterator[Samples]:
    return audio.frames(tone(30))


def relay_of(calls: Calls) -> Relay:
    return next(iter(calls._relays.values()))


def beeper_of(calls: Calls) -> Beeper:
    session = next(iter(calls.sessions.values()))
    return next(item for item in session.extensions if isinstance(item, Beeper))


def test_a_call_through_a_network_of_the_servers() -> None:
    """Both voices come through it, a trickled candidate cannot go around it, and it ends with the call."""

    async def main() -> None:
        app = make_app(graph_of(), simulation=Simulation(profile.load("4g_typical")))
        calls: Calls = app.state.calls
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            caller = Caller(voice())
            response = await http.post("/v1/realtime/calls", content=await caller.offer(), headers=SDP)
            assert response.status_code == 201
            location = response.headers["location"]
            relay = relay_of(calls)
            own = caller.fragment("a=candidate:1 1 UDP 2130706431 127.0.0.1 50000 typ host")
            assert " 50000 " not in relay.rewrite_fragment(own)
            assert (await http.patch(location, content=own, headers=FRAGMENT)).status_code == 204
            await caller.accept(response.text)
            await caller.wait_for("output_audio_buffer.stopped")
            assert len(caller.heard) > FRAMES
            assert len(beeper_of(calls).frames()) > FRAMES
            assert relay.up.delivered > FRAMES and relay.down.delivered > FRAMES
            assert (await http.delete(location)).status_code == 204
            await until_no_call(calls)
            assert calls._relays == {}
            await caller.hang_up()

    asyncio.run(main())


def test_a_refused_offer_leaves_no_relay_behind() -> None:
    async def main() -> None:
        app = make_app(graph_of(), simulation=Simulation(profile.load("loopback")))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            response = await http.post("/v1/realtime/calls", content="v=0", headers=SDP)
            assert response.status_code == 400
            assert app.state.calls._relays == {}

    asyncio.run(main())


@pytest.mark.parametrize("name", ["loopback", "4g_good"])
def test_a_network_on_the_callers_side(name: str) -> None:
    """As `voice-agent call --url ... --network ...` has it; the server knows nothing of it."""

    async def main() -> None:
        async with a_server() as (url, calls):
            relay = Relay(profile.load(name))
            phone = Phone(relay)
            await phone.dial(url, "en")
            assert await phone.until(lambda: len(phone.heard) > FRAMES, 10)
            await phone.hang_up()
            assert relay.up.delivered > FRAMES and relay.down.delivered > FRAMES
            relay.close()
            await until_no_call(calls)

    asyncio.run(main())
