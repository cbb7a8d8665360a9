"""The HTTP side of a call: offers in both forms, hanging up, and everything a client can get wrong."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import uvicorn

from extensions.client.webrtc import WebRtcClient
from tests.calls.peers import Beeper, Caller
from voice_agent.commands.serve import listen
from voice_agent.errors import ModelError
from voice_agent.extension import Extension
from voice_agent.graph import Edge, Graph, Node
from voice_agent.http.bodies import MAX_BODY
from voice_agent.http.calls import Calls
from voice_agent.server import make_app
from voice_agent.session import Session

EDGES = [
    Edge("client", "call_started", "beeper"),
    Edge("client", "pcm_frame", "beeper"),
    Edge("beeper", "pcm_frame", "client"),
    Edge("beeper", "clause", "client"),
]
SDP = {"content-type": "application/sdp"}
FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}


def graph_of(second: type[Extension] = Beeper, **client: Any) -> Graph:
    nodes = (
        Node("client", "client.webrtc", WebRtcClient, client),
        Node("beeper", "test.beeper", second, {}),
    )
    return Graph("test", Path("test.json"), nodes, EDGES)


class Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def a_server(
    graph: Graph | None = None, max_calls: int = 64, **options: Any
) -> AsyncIterator[tuple[str, Calls]]:
    """A real server on a free port, in this loop."""
    listener = listen("127.0.0.1", 0)
    app = make_app(graph or graph_of(), max_calls=max_calls, **options)
    server = Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await server.ready.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", app.state.calls
    finally:
        server.should_exit = True
        await serving
        listener.close()


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


async def until_no_call(calls: Calls) -> None:
    async with asyncio.timeout(10):
        await calls.idle()
    assert not calls.sessions


def test_a_call_from_offer_to_hanging_up() -> None:
    async def main() -> None:
        async with a_server() as (url, calls), client_of(url) as http:
            caller = Caller(iter([]))
            response = await http.post("/v1/realtime/calls", content=await caller.offer(), headers=SDP)
            assert response.status_code == 201
            assert response.headers["content-type"] == "application/sdp"
            location = response.headers["location"]
            assert location.startswith("/v1/realtime/calls/sess_")
            assert "useinbandfec=1" in response.text
            await caller.accept(response.text)
            await caller.wait_for("output_audio_buffer.started")
            assert (await http.get("/healthz")).json() == {"status": "ok", "calls": 1}
            assert "voice_agent_calls_active 1.0" in (await http.get("/metrics")).text
            candidate = caller.fragment("a=candidate:1 1 UDP 2130706431 127.0.0.1 50000 typ host")
            assert (await http.patch(location, content=candidate, headers=FRAGMENT)).status_code == 204
            assert (await http.delete(location)).status_code == 204
            await until_no_call(calls)
            assert (await http.delete(location)).status_code == 404
            await caller.hang_up()

    asyncio.run(main())


def test_the_openai_package_can_place_the_call() -> None:
    async def main() -> None:
        async with a_server() as (url, _):
            caller = Caller(iter([]))
            client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="not-needed")
            session: Any = {"type": "realtime", "audio": {"input": {"transcription": {"language": "zh"}}}}
            answer = await client.realtime.calls.create(sdp=await caller.offer(), session=session)
            await caller.accept(answer.text)
            created = await caller.wait_for("session.created")
            assert created["session"]["audio"]["input"]["transcription"]["language"] == "zh"
            await caller.hang_up()
            await client.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ({"content": "hello", "headers": SDP}, 400, "expected an SDP offer"),
        ({"content": "", "headers": SDP}, 400, "expected an SDP offer"),
        ({"json": {"sdp": "x"}}, 415, "expected application/sdp or multipart/form-data"),
        ({"content": "x" * (MAX_BODY + 1), "headers": SDP}, 413, "at most"),
        ({"files": {"session": (None, "{}")}}, 400, "form field 'sdp'"),
        ({"files": {"sdp": (None, "v=0"), "session": (None, "{")}}, 400, "JSON in the form field 'session'"),
        ({"files": {"sdp": (None, "v=0"), "session": (None, "[" * 200_000)}}, 400, "JSON in the form field"),
        ({"content": "v=0", "headers": {**SDP, "origin": "http://evil.example"}}, 403, "may not call"),
    ],
)
def test_a_bad_request_is_told_what_was_expected(request_: dict[str, Any], status: int, words: str) -> None:
    async def main() -> None:
        async with a_server() as (url, calls), client_of(url) as http:
            response = await http.post("/v1/realtime/calls", **request_)
            assert response.status_code == status
            assert words in response.json()["error"]["message"]
            assert not calls.sessions

    asyncio.run(main())


def test_fifty_offers_at_once_are_all_answered_or_told_that_it_is_busy() -> None:
    async def main() -> None:
        async with (
            a_server(graph_of(connect_timeout_s=0.2), max_calls=20) as (url, calls),
            client_of(url) as http,
        ):
            callers = [Caller(iter([])) for _ in range(50)]
            offers = [await caller.offer() for caller in callers]
            place = partial(http.post, "/v1/realtime/calls", headers=SDP, timeout=30)
            responses = await asyncio.gather(*(place(content=offer) for offer in offers))
            statuses = [response.status_code for response in responses]
            assert set(statuses) <= {201, 503}
            assert statuses.count(201) >= 20
            await until_no_call(calls)
            assert (await http.get("/healthz")).json()["calls"] == 0
            await asyncio.gather(*(caller.hang_up() for caller in callers))

    asyncio.run(main())


@dataclass
class Absent(Beeper):
    """A node whose model is gone when a call begins."""

    async def start(self) -> None:
        raise ModelError("the model file is gone: put it back")


@dataclass
class Buggy(Beeper):
    """A node with a bug."""

    async def handle(self, message: object, emit: object) -> None:
        raise ZeroDivisionError("oops")


def test_a_call_that_cannot_start_says_which_node_and_why() -> None:
    async def main() -> None:
        async with a_server(graph_of(Absent)) as (url, calls), client_of(url) as http:
            caller = Caller(iter([]))
            response = await http.post("/v1/realtime/calls", content=await caller.offer(), headers=SDP)
            assert response.status_code == 503
            assert "node 'beeper': the model file is gone" in response.json()["error"]["message"]
            assert not calls.sessions
            await caller.hang_up()

    asyncio.run(main())


def test_a_bug_in_a_node_ends_its_call_and_the_server_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with a_server(graph_of(Buggy)) as (url, calls), client_of(url) as http:
            caller = Caller(iter([]))
            response = await http.post("/v1/realtime/calls", content=await caller.offer(), headers=SDP)
            await caller.accept(response.text)
            await until_no_call(calls)
            assert (await http.get("/healthz")).status_code == 200
            await caller.hang_up()

    asyncio.run(main())
    assert "node 'beeper': ZeroDivisionError: oops" in caplog.text


def test_the_page_and_what_it_needs_to_know() -> None:
    async def main() -> None:
        async with a_server() as (url, _), client_of(url) as http:
            about = (await http.get("/v1/voice_agent")).json()
            assert about["graph"] == "test"
            assert about["nodes"][0] == {"name": "client", "addon": "client.webrtc"}
            assert (await http.get("/../pyproject.toml")).status_code == 404

    asyncio.run(main())


def test_a_graph_without_a_caller_cannot_take_calls() -> None:
    async def main() -> None:
        graph = Graph("mute", Path("mute.json"), (Node("beeper", "test.beeper", Beeper, {}),), [])
        async with a_server(graph) as (url, _), client_of(url) as http:
            response = await http.post("/v1/realtime/calls", content="v=0", headers=SDP)
            assert response.status_code == 501
            assert "client.webrtc" in response.json()["error"]["message"]

    asyncio.run(main())


def test_a_session_is_closed_once() -> None:
    session = Session(graph_of())
    session.close("first")
    session.close("second")
    assert session.closed_because == "first"
