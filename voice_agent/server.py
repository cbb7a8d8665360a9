"""The HTTP server: calls by WebRTC in the manner of the OpenAI Realtime API, the page, metrics."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic_core import from_json

from voice_agent import __version__, resources
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import InputError, VoiceAgentError
from voice_agent.graph import Graph
from voice_agent.message import Transcript
from voice_agent.network.profile import Profile
from voice_agent.network.relay import Relay
from voice_agent.realtime import WebRtcEndpoint
from voice_agent.realtime.commands import language_of
from voice_agent.session import Session

log = logging.getLogger(__name__)
MAX_BODY = 256 * 1024
"""Bytes of an offer; a browser's has about 5 kB."""
LANGUAGES = ("en", "zh")


class CallRefused(Exception):
    """An answer other than 2xx, in the form of the OpenAI API's errors."""

    def __init__(self, status: int, message: str, code: str) -> None:
        self.status, self.message, self.code = status, message, code


@dataclass
class Simulation:
    """The network that every call passes through; each has its own seed, by the order of their offers."""

    profile: Profile
    seed: int = 1
    calls: int = 0

    def relay(self) -> Relay:
        """For the next call."""
        self.calls += 1
        return Relay(self.profile, f"{self.seed}/{self.calls}")


class Calls:
    """The calls under way."""

    def __init__(self, graph: Graph, max_calls: int, simulation: Simulation | None = None) -> None:
        self.graph = graph
        self.max_calls = max_calls
        self.sessions: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._simulation = simulation
        self._relays: dict[str, Relay] = {}

    async def begin(self, offer: str, language: str) -> tuple[str, str]:
        """Answer an offer; returns the call's id and the SDP answer. Raises CallRefused."""
        if len(self.sessions) >= self.max_calls:
            raise CallRefused(503, f"all {self.max_calls} lines are busy, call again later", "busy")
        session = Session(self.graph, language=language)
        self.sessions[session.session_id] = session
        try:
            answer = await self._answer(session, offer)
        except BaseException:
            self._forget(session)
            await session.stop()
            raise
        log.info("call %s begins, language %s", session.session_id, language)
        task = asyncio.create_task(self._run(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return session.session_id, answer

    async def _answer(self, session: Session, offer: str) -> str:
        client = endpoint_of(session)
        if client is None:
            message = f"graph '{self.graph.name}' has no client that answers WebRTC calls (client.webrtc)"
            raise CallRefused(501, message, "no_webrtc_client")
        try:
            await session.start()
            if self._simulation is None:
                return await client.answer(offer)
            relay = self._relays[session.session_id] = self._simulation.relay()
            return relay.rewrite_answer(await client.answer(relay.rewrite_offer(offer)))
        except InputError as error:
            raise CallRefused(400, str(error), "invalid_offer") from error
        except VoiceAgentError as error:
            raise CallRefused(503, f"the call cannot start: {error}", "session_failed") from error

    async def _run(self, session: Session) -> None:
        """A call to its end; what breaks in it stays in it."""
        try:
            await session.run()
        except VoiceAgentError as error:
            log.error("call %s ended: %s", session.session_id, error)
        except Exception:
            log.exception("call %s ended", session.session_id)
        else:
            log.info("call %s ended: %s", session.session_id, session.closed_because)
        finally:
            self._forget(session)

    def _forget(self, session: Session) -> None:
        self.sessions.pop(session.session_id, None)
        if relay := self._relays.pop(session.session_id, None):
            relay.close()

    def trickled(self, call_id: str, fragment: str) -> str:
        """A fragment of SDP as the call's network lets it through."""
        relay = self._relays.get(call_id)
        return relay.rewrite_fragment(fragment) if relay else fragment

    def find(self, call_id: str) -> Session:
        """The call. Raises CallRefused."""
        if session := self.sessions.get(call_id):
            return session
        raise CallRefused(404, f"there is no call '{call_id[:60]}'", "no_such_call")

    async def end_all(self) -> None:
        """Hang up everywhere and wait for it."""
        for session in list(self.sessions.values()):
            session.close("the server is shutting down")
        await self.idle()

    async def idle(self) -> None:
        """Wait until no call is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def endpoint_of(session: Session) -> WebRtcEndpoint | None:
    """The node that is the caller's end of the call."""
    return next((item for item in session.extensions if isinstance(item, WebRtcEndpoint)), None)


def make_app(graph: Graph, *, max_calls: int = 64, simulation: Simulation | None = None) -> FastAPI:
    """The application that serves calls of a graph whose nodes are prepared."""
    calls = Calls(graph, max_calls, simulation)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await calls.end_all()

    app = FastAPI(title="voice-agent", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.calls = calls
    _add_calls(app, calls)
    _add_information(app, calls)
    app.mount("/", StaticFiles(directory=resources.folder("web_client"), html=True))
    return app


def _add_calls(app: FastAPI, calls: Calls) -> None:
    @app.middleware("http")
    async def same_origin(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        """No other web site may use a visitor's browser to make calls here."""
        origin = request.headers.get("origin")
        if origin and request.method != "GET" and urlsplit(origin).netloc != request.headers.get("host"):
            return _refusal(
                CallRefused(403, f"pages of {origin[:100]} may not call this server", "forbidden")
            )
        return await go_on(request)

    @app.exception_handler(CallRefused)
    async def refused(_: Request, error: CallRefused) -> JSONResponse:
        return _refusal(error)

    @app.post("/v1/realtime/calls", status_code=201)
    async def begin(request: Request) -> Response:
        offer, language = await _read_offer(request)
        call_id, answer = await calls.begin(offer, language)
        headers = {"Location": f"/v1/realtime/calls/{call_id}"}
        return Response(answer, 201, headers, "application/sdp")

    @app.patch("/v1/realtime/calls/{call_id}")
    async def trickle(call_id: str, request: Request) -> Response:
        client = endpoint_of(calls.find(call_id))
        assert client is not None
        try:
            await client.add_candidates(calls.trickled(call_id, await _body(request)))
        except InputError as error:
            raise CallRefused(400, str(error), "invalid_candidate") from error
        return Response(status_code=204)

    @app.delete("/v1/realtime/calls/{call_id}")
    async def hang_up(call_id: str) -> Response:
        calls.find(call_id).close("the caller hung up")
        return Response(status_code=204)


def _refusal(error: CallRefused) -> JSONResponse:
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    body = {"error": {"message": error.message, "type": kind, "code": error.code, "param": None}}
    return JSONResponse(body, error.status, {"Retry-After": "5"} if error.status == 503 else None)


def _add_information(app: FastAPI, calls: Calls) -> None:
    information = describe(calls.graph)

    @app.get("/healthz")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "calls": len(calls.sessions)}

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/voice_agent")
    async def about() -> dict[str, Any]:
        return information


def describe(graph: Graph) -> dict[str, Any]:
    """What the page shows of the graph and its vertical."""
    extensions = graph.build().values()
    name = next((value for extension in extensions if (value := getattr(extension, "vertical", ""))), "")
    vertical = load_vertical(name) if name else None
    recognisers = [extension for extension in extensions if Transcript in extension.outputs.values()]
    spoken = [tag for tag in LANGUAGES if all(not r.languages or tag in r.languages for r in recognisers)]
    return {
        "version": __version__,
        "graph": graph.name,
        "nodes": [{"name": node.name, "addon": node.addon} for node in graph.nodes],
        "languages": list(LANGUAGES),
        "spoken_languages": spoken,
        "vertical": vertical
        and {"name": vertical.name, "title": vertical.title, "suggestions": vertical.suggestions},
    }


async def _read_offer(request: Request) -> tuple[str, str]:
    """The SDP offer and the caller's language, from either form of the request. Raises CallRefused."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/sdp":
        return await _body(request), _language(request.query_params.get("language", ""))
    if kind != "multipart/form-data":
        message = f"expected application/sdp or multipart/form-data, got {kind[:60] or 'no content type'}"
        raise CallRefused(415, message, "unsupported_media_type")
    async with Request(request.scope, _again(await _read(request))).form() as form:
        offer, session = [await _field(form.get(name)) for name in ("sdp", "session")]
    if not offer:
        raise CallRefused(400, "expected a form field 'sdp' with the offer", "invalid_offer")
    try:
        language = language_of(from_json(session)) if session else ""
    except ValueError as error:
        message = f"expected JSON in the form field 'session': {error}"
        raise CallRefused(400, message, "invalid_session") from error
    return offer, _language(language)


def _language(tag: str) -> str:
    """A language tag such as "en" or "zh-CN", else the default."""
    return tag if re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}", tag) else LANGUAGES[0]


async def _field(value: Any) -> str:
    """A form field, sent as text or as a file."""
    raw = await value.read() if hasattr(value, "read") else (value or "")
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


async def _body(request: Request) -> str:
    return (await _read(request)).decode("utf-8", "replace")


async def _read(request: Request) -> bytes:
    """The body, as far as it may be long. Raises CallRefused."""
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > MAX_BODY:
            raise CallRefused(413, f"expected at most {MAX_BODY} bytes", "too_large")
    return bytes(raw)


def _again(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    """An ASGI `receive` that gives a body which has been read."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
