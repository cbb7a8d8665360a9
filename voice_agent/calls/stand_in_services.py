"""A stand-in for the OpenAI API with known delays and, by model name, known faults.

    python -m voice_agent.calls.stand_in_services --port 0 --stt-ms 100 --llm-ms 150 --tts-ms 80

or, in a test, `with serve(llm_ms=20) as fake: ... fake.url ... fake.requests`.

Faults are chosen by the model's name. At any endpoint: "error-500" (any HTTP status), "stall" (never
answers), "stall-mid" (a first piece, then nothing), "die" (a first piece, then the connection breaks),
"garbage" (what is not of the protocol), "empty", "unprocessable" (422 as FastAPI tells it, which repeats the
request). At chat only: "garbage-shape" (JSON of another kind), "comments" (keeps the line open, sends no
token), "cut" (a first piece, then a regular end), "error-event" (an error in the stream).
"""

import argparse
import asyncio
import json
import queue
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

VOICE_RATE = 24_000
"""Hz; what the API sends for response_format "pcm"."""
VOICE_MS_PER_CHAR = 60
PIECE_BYTES = 4801
"""Speech is sent in pieces of about 100 ms, of an odd length: a sample may be cut in two."""


class Broken(Exception):
    """The connection is to be cut without an ending."""


@dataclass
class Recorded:
    """A request as it came."""

    path: str
    fields: dict[str, Any]
    """The JSON body, or the form's fields; an uploaded file as bytes."""
    port: int
    """The client's port: the same for two requests on one connection."""
    received_s: float
    """Loop time at which the whole request had arrived."""


@dataclass
class FakeOpenAi:
    """What the stand-in answers, and what it was asked."""

    stt_ms: float = 0
    """From the whole request to the whole transcript."""
    llm_ms: float = 0
    """From the whole request to the first token."""
    tts_ms: float = 0
    """From the whole request to the first sound."""
    token_ms: float = 0
    """Between tokens."""
    tts_speed: float = 0
    """Sound is sent at this multiple of real time; 0: as fast as it goes."""
    transcript: str = "Where is my order?"
    logprob: float = 0.0
    """Of each of its tokens, told to whom asks for it."""
    reply: str = "Your order is on its way. It will arrive tomorrow."
    replies: list[Sequence[str | dict[str, str]]] = field(default_factory=list)
    """Scripted answers, used up before `reply`: tokens, or tool calls as {"name", "arguments"}."""
    drops: int = 0
    """So many of the next requests are cut off without an answer."""
    url: str = ""
    """The base_url, once it is served."""
    requests: list[Recorded] = field(default_factory=list)
    """Kept only where `records`."""
    records: bool = True
    arrivals: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    """The path of each request, to wait for it."""
    disconnects: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    """The path of each request whose client went away before the answer's end."""

    _server: uvicorn.Server | None = field(default=None, repr=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, repr=False)

    def close_connections(self) -> None:
        """Close all connections, as servers do with idle ones. Not from the server's own thread."""
        assert self._server and self._loop
        closed = threading.Event()
        self._loop.call_soon_threadsafe(self._abort)
        self._loop.call_soon_threadsafe(self._loop.call_soon, closed.set)
        closed.wait(5)

    def _abort(self, port: int | None = None) -> None:
        """Cut the connection from a client's port, or all."""
        assert self._server
        for connection in list(self._server.server_state.connections):
            if port in (None, connection.transport.get_extra_info("peername")[1]):
                connection.transport.abort()

    def to(self, path: str) -> list[Recorded]:
        """The requests to paths that end so."""
        return [request for request in self.requests if request.path.endswith(path)]


# --- the three services ---------------------------------------------------------------------------


async def _transcribe(fake: FakeOpenAi, asked: Recorded) -> AsyncIterator[bytes]:
    model = asked.fields["model"]
    await _until(asked.received_s + fake.stt_ms / 1000)
    if model.startswith("stall"):
        await _forever()
    if model == "garbage":
        yield b"<html>not what you asked for"
    elif model == "die":
        yield b'{"text": "Whe'
        raise Broken
    else:
        answer: dict[str, Any] = {"text": "" if model == "empty" else fake.transcript}
        if asked.fields.get("include[]") == "logprobs":
            answer["logprobs"] = [
                {"token": token, "logprob": fake.logprob} for token in fake.transcript.split()
            ]
        yield json.dumps(answer).encode()


async def _chat(fake: FakeOpenAi, asked: Recorded) -> AsyncIterator[bytes]:
    model = asked.fields["model"]
    if model == "stall":
        await _forever()
    if model == "garbage":
        yield b"data: {this is not JSON}\n\n"
    if model == "garbage-shape":
        yield b'data: {"choices": "none"}\n\n'
    if model == "error-event":
        yield b'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'
    while model == "comments":
        yield b": still here\n\n"
        await asyncio.sleep(0.02)
    scripted: Sequence[str | dict[str, str]]
    scripted = fake.replies.pop(0) if fake.replies else re.findall(r"\S+\s*|\s+", fake.reply)
    deltas = [] if model == "empty" else list(_deltas(scripted))
    for index, delta in enumerate(deltas):
        await _until(asked.received_s + (fake.llm_ms + index * fake.token_ms) / 1000)
        yield _event({"delta": delta, "index": 0, "finish_reason": None})
        if model == "die":
            raise Broken
        if model == "stall-mid":
            await _forever()
        if model == "cut":
            return
    called = any("tool_calls" in delta for delta in deltas)
    yield _event({"delta": {}, "index": 0, "finish_reason": "tool_calls" if called else "stop"})
    yield b"data: [DONE]\n\n"


def _deltas(scripted: Sequence[str | dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Tokens as they are, tool calls the way the API streams them: a name, then the arguments in halves."""
    for index, item in enumerate(scripted):
        if isinstance(item, str):
            yield {"content": item}
            continue
        begun = {"name": item["name"], "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function", "function": begun}]}
        half = len(item["arguments"]) // 2
        for part in (item["arguments"][:half], item["arguments"][half:]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def _event(choice: dict[str, Any]) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "fake",
        "choices": [choice],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


async def _speak(fake: FakeOpenAi, asked: Recorded) -> AsyncIterator[bytes]:
    model = asked.fields["model"]
    if model == "stall":
        await _forever()
    started_s = asked.received_s + fake.tts_ms / 1000
    sound = b"" if model == "empty" else _voice(len(asked.fields["input"]) * VOICE_MS_PER_CHAR / 1000)
    await _until(started_s)
    for start in range(0, len(sound), PIECE_BYTES):
        if fake.tts_speed:
            await _until(started_s + start / 2 / VOICE_RATE / fake.tts_speed)
        yield sound[start : start + PIECE_BYTES]
        if model == "die":
            raise Broken
        if model == "stall-mid":
            await _forever()


def _voice(seconds: float) -> bytes:
    return np.resize(_second_of_voice(), round(seconds * VOICE_RATE)).tobytes()


@cache
def _second_of_voice() -> "np.ndarray[Any, np.dtype[np.int16]]":
    """220 Hz with three harmonics, swelling four times a second; audible from its first millisecond."""
    t = np.arange(VOICE_RATE) / VOICE_RATE
    tone = sum(np.sin(2 * np.pi * 220 * n * t) / n for n in (1, 2, 3, 4))
    voice: np.ndarray[Any, np.dtype[Any]] = tone * (0.7 + 0.3 * np.cos(2 * np.pi * 4 * t)) * 6000
    return voice.astype("<i2")


# --- the server -----------------------------------------------------------------------------------


def make_app(fake: FakeOpenAi) -> Starlette:
    """The API's four endpoints under /v1."""

    async def models(request: Request) -> Response:
        await _record(fake, request)
        return JSONResponse(
            {"object": "list", "data": [{"id": "fake", "object": "model", "owned_by": "test"}]}
        )

    def endpoint(service: Any, media_type: str) -> Any:
        async def answer(request: Request) -> Response:
            asked = await _record(fake, request)
            if fake.drops:
                fake.drops -= 1
                fake._abort(asked.port)
            if asked.fields.get("model") == "unprocessable":
                problem = {"type": "missing", "loc": ["body", "voice"], "msg": "Field required"}
                return JSONResponse({"detail": [problem | {"input": asked.fields}]}, status_code=422)
            key = request.headers.get("authorization", "no key")  # some services repeat it
            if status := re.search(r"-([45]\d\d)$", asked.fields.get("model", "")):
                error = {
                    "message": f"told to fail with {status[1]} ({key})",
                    "type": "test",
                    "code": None,
                    "param": None,
                }
                return JSONResponse({"error": error}, status_code=int(status[1]))
            return _Streamed(service(fake, asked), media_type, lambda: _note_departure(fake, asked.path))

        return answer

    routes = [
        Route("/v1/models", models),
        Route("/v1/audio/transcriptions", endpoint(_transcribe, "application/json"), methods=["POST"]),
        Route("/v1/chat/completions", endpoint(_chat, "text/event-stream"), methods=["POST"]),
        Route("/v1/audio/speech", endpoint(_speak, "application/octet-stream"), methods=["POST"]),
    ]
    return Starlette(routes=routes)


def _note_departure(fake: FakeOpenAi, path: str) -> None:
    if fake.records:
        fake.disconnects.put(path)


async def _record(fake: FakeOpenAi, request: Request) -> Recorded:
    await request.body()
    received_s = asyncio.get_running_loop().time()
    fields: dict[str, Any] = {}
    if request.headers.get("content-type", "").startswith("application/json"):
        fields = await request.json()
    elif request.method == "POST":
        async with request.form() as form:
            fields = {k: v if isinstance(v, str) else await v.read() for k, v in form.items()}
    port = request.client.port if request.client else 0
    fake._loop = asyncio.get_running_loop()
    recorded = Recorded(request.url.path, fields, port, received_s)
    if fake.records:
        fake.requests.append(recorded)
        fake.arrivals.put(recorded.path)
    return recorded


class _Streamed(Response):
    """Sends the header with the first piece; stops, and says so, when the client goes away before the end."""

    def __init__(self, pieces: AsyncIterator[bytes], media_type: str, on_disconnect: Any) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self.pieces = pieces
        self.on_disconnect = on_disconnect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_disconnected(receive))
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            self.on_disconnect()
        sending.cancel()
        leaving.cancel()
        await asyncio.wait({sending, leaving})

    async def _send(self, send: Send) -> None:
        header = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        begun = False
        try:
            async with aclosing(self.pieces) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    if not begun:
                        await send(header)
                        begun = True
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except Broken:
            return  # uvicorn cuts the connection of an answer without an end
        if not begun:
            await send(header)
        await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until(time_s: float) -> None:
    """Sleep until a loop time, so that what came before does not add to the delay."""
    await asyncio.sleep(max(0.0, time_s - asyncio.get_running_loop().time()))


async def _forever() -> None:
    await asyncio.Event().wait()


@contextmanager
def serve(**settings: Any) -> Iterator[FakeOpenAi]:
    """Serve a `FakeOpenAi(**settings)` on a free port of 127.0.0.1, in a thread, until the block ends."""
    fake = FakeOpenAi(**settings)
    with _listen(0, fake) as (server, listener):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield fake
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join()


@contextmanager
def _listen(port: int, fake: FakeOpenAi) -> Iterator[tuple[uvicorn.Server, socket.socket]]:
    """A server and its open socket: who connects before the server runs waits, and is not refused."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        fake.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        config = uvicorn.Config(make_app(fake), log_level="critical", lifespan="off", timeout_keep_alive=60)
        fake._server = uvicorn.Server(config)
        yield fake._server, listener


def main() -> None:
    """Serve until interrupted; prints the base_url first."""
    parser = argparse.ArgumentParser(description="A stand-in for the OpenAI API with known delays.")
    parser.add_argument("--port", type=int, default=0)
    for name in ("stt-ms", "llm-ms", "tts-ms", "token-ms", "tts-speed"):
        parser.add_argument(f"--{name}", type=float, default=0)
    for name in ("transcript", "reply"):
        parser.add_argument(f"--{name}", default=getattr(FakeOpenAi, name))
    settings = vars(parser.parse_args())
    port = settings.pop("port")
    fake = FakeOpenAi(**settings, records=False)  # nobody looks at them, and a long run would fill memory
    with _listen(port, fake) as (server, listener):
        print(fake.url, flush=True)  # noqa: T201
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
