"""ICE restarted by PATCH in real calls: another path, the same call; and what a client can get wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from tests.calls.peers import Beeper, Caller
from tests.calls.test_server import FRAGMENT, SDP, a_server, client_of, graph_of, until_no_call
from voice_agent import audio
from voice_agent.http.calls import Calls
from voice_agent.media import fragment
from voice_agent.testing import tone

CANDIDATE = "a=candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host"
NEW = ["a=ice-ufrag:anew", f"a=ice-pwd:{'p' * 22}"]


@dataclass
class OnTheLine:
    """A caller in a call, and the call's resource."""

    caller: Caller
    http: httpx.AsyncClient
    location: str
    calls: Calls
    tag: str

    @property
    def beeper(self) -> Beeper:
        session = next(iter(self.calls.sessions.values()))
        return next(item for item in session.extensions if isinstance(item, Beeper))

    async def patch(self, content: str, **headers: str) -> httpx.Response:
        return await self.http.patch(self.location, content=content, headers={**FRAGMENT, **headers})

    async def restart(self) -> httpx.Response:
        """As a browser does."""
        response = await self.patch(str(await self.caller.ice.begin()), **{"if-match": "*"})
        self.caller.ice.connect(fragment.read(response.text))
        return response

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait, looked at whenever a frame has been heard."""
        async with asyncio.timeout(10):
            while not happened():
                await self.caller.wait_heard(len(self.caller.heard) + 1)

    async def moved_from(self, address: tuple[str, int]) -> None:
        """Wait until the caller sends from another address."""
        await self.until(lambda: self.caller.address != address)

    async def both_hear(self) -> None:
        """Half a second more of sound in both directions, and an event there and back."""
        heard, received = len(self.caller.heard), len(self.beeper.frames())
        await self.until(lambda: len(self.caller.heard) > heard + 25)
        await self.until(lambda: len(self.beeper.frames()) > received + 25)
        errors = len(self.caller.of("error"))
        self.caller.send(type="no.such.event")
        await self.caller.wait_for("error", errors + 1)


@asynccontextmanager
async def on_the_line(**client: Any) -> AsyncIterator[OnTheLine]:
    async with a_server(graph_of(**client)) as (url, calls), client_of(url) as http:
        caller = Caller(audio.frames(tone(60)))
        try:
            response = await http.post("/v1/realtime/calls", content=await caller.offer(), headers=SDP)
            await caller.accept(response.text)
            await caller.wait_for("session.created")
            yield OnTheLine(caller, http, response.headers["location"], calls, response.headers["etag"])
        finally:
            await caller.hang_up()
            await until_no_call(calls)


def test_a_restart_moves_the_call_to_other_sockets_and_nothing_else_changes() -> None:
    async def main() -> None:
        async with on_the_line() as line:
            await line.both_hear()
            for _ in range(2):
                before, session = line.caller.address, next(iter(line.calls.sessions))
                answer = await line.restart()
                assert answer.status_code == 200
                assert answer.headers["content-type"] == fragment.TYPE
                assert answer.headers["etag"] == f'"{fragment.read(answer.text).ufrag}"' != line.tag
                assert fragment.read(answer.text).complete
                await line.moved_from(before)
                await line.both_hear()
                assert list(line.calls.sessions) == [session]
            assert len(line.caller.of("session.created")) == 1
            times = [round(frame.time_s / audio.FRAME_S) for frame in line.beeper.frames()]
            assert times == list(range(len(times))), "not one packet was lost on the way"
            assert not any(frame.gap for frame in line.beeper.frames())

    asyncio.run(main())


def test_a_newer_restart_takes_the_place_of_one_under_way() -> None:
    async def main() -> None:
        async with on_the_line() as line:
            before = line.caller.address
            first = await line.patch("\r\n".join([*NEW, CANDIDATE]))
            assert first.status_code == 200
            assert (await line.restart()).status_code == 200
            await line.moved_from(before)
            await line.both_hear()

    asyncio.run(main())


def test_a_restart_that_fails_leaves_the_old_path_in_use() -> None:
    async def main() -> None:
        async with on_the_line() as line:
            before = line.caller.address
            nobody = replace(fragment.read("\r\n".join([*NEW, CANDIDATE])), complete=True)
            assert (await line.patch(str(nobody))).status_code == 200
            await line.caller.ice.begin()
            line.caller.ice.connect(replace(nobody, candidates=()))
            await line.both_hear()
            assert line.caller.address == before
            await line.until(lambda: not line.caller.ice.knows("anew"))
            await line.both_hear()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "expected an SDP fragment with a=candidate lines"),
        (["hello"], "expected an SDP fragment with a=candidate lines"),
        ([CANDIDATE], "expected a line a=ice-ufrag"),
        (["a=ice-ufrag:ab", CANDIDATE], "expected a line a=ice-ufrag of 4 to 256 ice-chars, got 'ab'"),
        (["a=ice-ufrag:anew", "a=ice-pwd:short", CANDIDATE], "a=ice-pwd of 22 to 256 ice-chars, got 5"),
        (["a=ice-ufrag:anew", CANDIDATE], "expected the a=ice-ufrag of this call"),
        ([NEW[0], "a=candidate:x"], "expected an ICE candidate, got 'a=candidate:x'"),
        ([NEW[0], CANDIDATE.replace("50000", "99999")], "expected an ICE candidate"),
        ([NEW[0], CANDIDATE.replace("127.0.0.1", "example.org")], "expected an ICE candidate"),
        ([NEW[0], *(CANDIDATE.replace("50000", str(n)) for n in range(1, 102))], "at most 100"),
    ],
)
def test_a_fragment_that_is_none_says_what_was_expected(lines: list[str], words: str) -> None:
    async def main() -> None:
        async with on_the_line() as line:
            response = await line.patch("\r\n".join([*lines, ""]))
            assert response.status_code == 400
            assert words in response.json()["error"]["message"]

    asyncio.run(main())


def test_the_headers_of_a_patch() -> None:
    async def main() -> None:
        async with on_the_line() as line:
            trickled = line.caller.fragment(CANDIDATE)
            assert (await line.patch(trickled)).status_code == 204
            assert (await line.patch(trickled, **{"if-match": line.tag})).status_code == 204
            assert (await line.patch(trickled, **{"if-match": f"W/{line.tag}"})).status_code == 204
            stale = await line.patch(trickled, **{"if-match": '"other"'})
            assert stale.status_code == 412
            assert "ICE was restarted since" in stale.json()["error"]["message"]
            kind = await line.patch(trickled, **{"content-type": "application/sdp"})
            assert kind.status_code == 415
            assert f"expected {fragment.TYPE}, got application/sdp" in kind.json()["error"]["message"]
            end = line.caller.fragment("a=end-of-candidates")
            assert (await line.patch(end)).status_code == 204
            assert (await line.patch(trickled)).status_code == 204, "late, and ignored"
            await line.both_hear()

    asyncio.run(main())


def test_an_answer_does_not_wait_for_names_that_nobody_knows() -> None:
    """As a browser gives them that hides its addresses; looking one up takes a second."""

    async def main() -> None:
        async with a_server() as (url, _), client_of(url) as http:
            caller = Caller(iter([]))
            offer = (await caller.offer()).splitlines()
            first = next(index for index, text in enumerate(offer) if text.startswith("a=candidate:"))
            offer.insert(first, "a=candidate:9 1 udp 2122260223 0b0e9d2c-nobody.local 50001 typ host")
            begun_s = asyncio.get_running_loop().time()
            response = await http.post("/v1/realtime/calls", content="\r\n".join([*offer, ""]), headers=SDP)
            assert response.status_code == 201
            assert asyncio.get_running_loop().time() - begun_s < 0.7
            await caller.accept(response.text)
            await caller.wait_for("session.created")
            await caller.hang_up()

    asyncio.run(main())
