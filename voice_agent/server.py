"""The HTTP server: calls by WebRTC in the manner of the OpenAI Realtime API, the page, metrics."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from voice_agent import __version__, resources
from voice_agent.graph import Graph
from voice_agent.http import about, refusal, resource
from voice_agent.http.calls import Calls, Simulation
from voice_agent.http.refusal import CallRefused
from voice_agent.ice_servers import IceServers


def make_app(
    graph: Graph,
    *,
    max_calls: int = 64,
    simulation: Simulation | None = None,
    servers: IceServers | None = None,
) -> FastAPI:
    """The application that serves calls of a graph whose nodes are prepared."""
    calls = Calls(graph, max_calls, simulation, servers)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await calls.end_all()

    app = FastAPI(title="voice-agent", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.calls = calls
    app.middleware("http")(_same_origin)
    app.add_exception_handler(CallRefused, refusal.handle)
    app.include_router(resource.routes(calls))
    app.include_router(about.routes(calls))
    app.mount("/", StaticFiles(directory=resources.folder("web_client"), html=True))
    return app


async def _same_origin(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    """No other web site may use a visitor's browser to make calls here."""
    origin = request.headers.get("origin")
    if origin and request.method != "GET" and urlsplit(origin).netloc != request.headers.get("host"):
        said = f"pages of {origin[:100]} may not call this server"
        return refusal.answer(CallRefused(403, said, "forbidden"))
    return await go_on(request)
