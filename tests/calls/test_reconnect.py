"""Calls whose network goes away, comes back, or becomes another one: over real WebRTC through the relay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from extensions.client import webrtc
from tests.calls.peers import Beeper
from tests.calls.test_server import a_server, graph_of, until_no_call
from voice_agent.calls.phone import Phone
from voice_agent.http.calls import Calls, Simulation
from voice_agent.network import profile
from voice_agent.network.profile import Handover, LinkSettings, Profile
from voice_agent.network.relay import Relay
from voice_agent.session import Session

GREETED_S = 1.5
"""By then the call is up and the agent has said its greeting."""


def handover(hole_s: float) -> Profile:
    """wifi_to_4g, sooner."""
    moved = Handover(at_s=GREETED_S, hole_ms=hole_s * 1000, to="4g_typical")
    wifi = LinkSettings(delay_ms=20, jitter_ms=3)
    after = profile.load("4g_typical")
    return Profile("sooner", "", (), wifi, wifi, moved, after)


def gap(seconds: float, lost: bool) -> Profile:
    """A link that is down once."""
    once = {"every_s": 3600, "regular": True, "first_s": GREETED_S, "lost": lost, "both_ways": True}
    length = dict.fromkeys(("min_ms", "mean_ms", "max_ms"), seconds * 1000)
    link = LinkSettings.model_validate({"gaps": [once | length]})
    return Profile("gap", "", (), link, link)


def only(calls: Calls) -> Session:
    (session,) = calls.sessions.values()
    return session


def beeper_of(session: Session) -> Beeper:
    return next(item for item in session.extensions if isinstance(item, Beeper))


@asynccontextmanager
async def a_call(
    network: Profile, at_server: bool = False, **client: Any
) -> AsyncIterator[tuple[Phone, Calls]]:
    simulation = Simulation(network) if at_server else None
    async with a_server(graph_of(**client), simulation=simulation) as (url, calls):
        relay = None if at_server else Relay(network)
        phone = Phone(relay)
        try:
            await phone.dial(url, "en")
            yield phone, calls
        finally:
            await phone.hang_up()
            if relay is not None:
                relay.close()
            await until_no_call(calls)


async def until_heard_again(phone: Phone, session: Session, after_s: float) -> float:
    """Wait until both ends have heard something that was sent after the gap; returns for how long."""
    loop = asyncio.get_running_loop()
    received = beeper_of(session).received
    begun_s = loop.time()
    await asyncio.sleep(max(0.0, phone.offered_s + after_s - begun_s))
    frames = len(phone.heard), len(received)
    assert await phone.until(lambda: len(phone.heard) > frames[0] + 25 and len(received) > frames[1] + 25, 10)
    return loop.time() - begun_s


@pytest.mark.parametrize("at_server", [False, True], ids=["at the caller", "at the server"])
def test_from_wifi_to_4g_the_call_and_its_conversation_go_on(at_server: bool) -> None:
    async def main() -> None:
        async with a_call(handover(1.0), at_server) as (phone, calls):
            session = only(calls)
            await until_heard_again(phone, session, GREETED_S + 1.0)
            assert phone.restarts >= 1
            assert only(calls) is session and not phone.ended_because
            assert not phone.events.errors
            assert len(phone.events.responses) == 1, "it was not greeted again"
            phone.send(type="no.such.event")
            assert await phone.until(lambda: bool(phone.events.errors), 10), "events go there and back"

    asyncio.run(main())


def test_a_gap_that_is_told_to_the_caller_and_overcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "AWAY_S", 0.5)

    async def main() -> None:
        async with a_call(gap(1.5, lost=True)) as (phone, calls):
            session = only(calls)
            await until_heard_again(phone, session, GREETED_S + 1.5)
            assert await phone.until(lambda: phone.events.connection == ["waiting", "connected"], 5)
            assert only(calls) is session

    asyncio.run(main())


def test_a_line_that_stays_down_ends_the_call_after_the_grace(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "voice_agent.http.calls")

    async def main() -> None:
        async with a_call(gap(60, lost=True), reconnect_grace_s=3.0) as (phone, calls):
            await until_no_call(calls)
            assert await phone.until(lambda: bool(phone.ended_because), 5) or phone.ended_because
            assert phone.ended_because == "the agent hung up", "its PATCH was told that there is no such call"

    asyncio.run(main())
    assert "ended: the caller was away for 3 s" in caplog.text


def test_hanging_up_ends_at_once() -> None:
    async def main() -> None:
        async with a_call(profile.load("loopback")) as (phone, calls):
            loop, session = asyncio.get_running_loop(), only(calls)
            begun_s = loop.time()
            assert phone._connection is not None
            await phone._connection.close()
            await until_no_call(calls)
            assert loop.time() - begun_s < 1.0
            assert session.closed_because == "the caller hung up"

    asyncio.run(main())
