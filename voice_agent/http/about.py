"""What the server tells of itself: health, metrics, and what the page shows."""

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from voice_agent import __version__
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.graph import Graph
from voice_agent.http.calls import Calls
from voice_agent.message import Transcript

LANGUAGES = ("en", "zh")
"""Of the page."""


def routes(calls: Calls) -> APIRouter:
    """The routes, for an application to include."""
    router = APIRouter()
    information = describe(calls.graph)

    @router.get("/healthz")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "calls": len(calls.sessions)}

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @router.get("/v1/voice_agent")
    async def about() -> dict[str, Any]:
        return information

    return router


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
