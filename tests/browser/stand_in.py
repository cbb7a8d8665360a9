"""A server for the page whose every move is the test's: it refuses, speaks, cuts, hangs up, vanishes.

The real server is in tests/browser/test_real_call.py; here is what it cannot be made to do on command.
"""

import asyncio
import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from voice_agent import audio, resources
from voice_agent.commands.serve import listen
from voice_agent.ice_servers import ICE_PATH
from voice_agent.media.peer import Peer
from voice_agent.media.receive import ReceivePath
from voice_agent.media.red import Block
from voice_agent.message import Samples
from voice_agent.testing import silence, tone

Event = dict[str, Any]
WAIT_S = 15.0
CALL = "/v1/realtime/calls/test"
ABOUT = {
    "version": "test",
    "graph": "test",
    "vertical": {
        "name": "shop",
        "title": {"en": "Juniper Lane customer service", "zh": "杜松里客服"},
        "suggestions": {
            "en": ["Where is my order? It is one two three four.", "I want to return something."],
            "zh": ["我的订单到哪儿了？订单号是一二三四。", "我想退货。"],
        },
    },
    "nodes": [{"name": "stt", "addon": "stt.pocketsphinx"}, {"name": "tts", "addon": "tts.espeak"}],
    "languages": ["en", "zh"],
    "spoken_languages": ["en"],
}


class StandIn:
    """One call at a time. Its methods are for the test's thread."""

    def __init__(self) -> None:
        self.url = ""
        self.refusal: tuple[int, str, str] | None = None
        """Status, message and code with which the next calls are refused."""
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request to the API, in order."""
        self.offers: list[dict[str, str]] = []
        """The form fields of each offer."""
        self.events: queue.Queue[Event] = queue.Queue()
        """What the page has sent."""
        self.connected = False
        """Events can flow."""
        self.speaking = False
        """The caller hears a tone while this is true, else silence."""
        self.microphone_db = -120.0
        """Level of the caller's latest 20 ms, in dBFS."""
        self._changed = threading.Condition()
        self._peer: Peer | None = None
        self._vanished = False
        self._thawed, self._stopped, self._over = (threading.Event() for _ in range(3))
        self._loop = asyncio.new_event_loop()
        self._server = uvicorn.Server(uvicorn.Config(self._app(), log_level="warning", lifespan="off"))

    def send(self, type_: str, **fields: Any) -> None:
        """Send an event to the page."""
        assert self._peer is not None, "nobody has called"
        text = json.dumps({"type": type_, "event_id": "event_x", **fields})
        self._loop.call_soon_threadsafe(self._peer.send, text)

    def receive(self, type_: str) -> Event:
        """The next event of this type that the page sends, waiting for it."""
        while (event := self.events.get(timeout=WAIT_S))["type"] != type_:
            pass
        return event

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something of this object has become true."""
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_S), "it did not come true"

    def wait_for_packet(self) -> None:
        """Wait until the next packet of the caller's sound has come."""
        with self._changed:
            assert self._changed.wait(WAIT_S), "no packet has come"

    def hang_up(self) -> None:
        """End the call as a server does that means to."""
        assert self._peer is not None
        asyncio.run_coroutine_threadsafe(self._peer.close(), self._loop).result(WAIT_S)

    def freeze(self) -> None:
        """Nothing goes out or comes in until `thaw`, as on a train in a tunnel."""
        self._thawed.clear()
        self._loop.call_soon_threadsafe(self._thawed.wait)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._thawed.set()

    def vanish(self) -> None:
        """From now on nobody is there: no packet, no answer, no goodbye."""
        self._vanished = True
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop)
        assert self._stopped.wait(WAIT_S)

    # --- the server's thread ---

    @contextmanager
    def running(self) -> Iterator["StandIn"]:
        """Serve on a free port."""
        listener = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        self._serving = self._loop.create_task(self._server.serve(sockets=[listener]))
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield self
        finally:
            self.thaw()
            if not self._vanished:
                self.vanish()
            self._over.set()
            thread.join()
            listener.close()

    def _run(self) -> None:
        self._loop.run_forever()
        self._stopped.set()
        self._over.wait()
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _stop(self) -> None:
        for server in self._server.servers:
            server.close()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # lets the aborted ones close
        self._loop.stop()

    async def _close(self) -> None:
        if self._peer is not None:
            await self._peer.close()
        self._server.should_exit = self._server.force_exit = True
        await self._serving

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/voice_agent")
        async def about() -> Event:
            return ABOUT

        @app.get(ICE_PATH)
        async def ice() -> Event:
            return {"iceServers": [], "iceTransportPolicy": "all"}

        @app.post("/v1/realtime/calls")
        async def begin(request: Request) -> Response:
            self._note(request)
            if self.refusal:
                status, message, code = self.refusal
                return JSONResponse({"error": {"message": message, "code": code}}, status)
            async with request.form() as form:
                self.offers.append({key: str(value) for key, value in form.items()})
            return Response(
                await self._answer(self.offers[-1]["sdp"]), 201, {"Location": CALL}, "application/sdp"
            )

        @app.patch(CALL)
        async def trickle(request: Request) -> Response:
            self._note(request)
            assert self._peer is not None
            answer = await self._peer.patch((await request.body()).decode())
            return Response(answer, 200 if answer else 204)

        @app.delete(CALL)
        async def hang_up(request: Request) -> Response:
            self._note(request)
            return Response(status_code=204)

        app.mount("/", StaticFiles(directory=resources.folder("web_client"), html=True))
        return app

    async def _answer(self, offer: str) -> str:
        if self._peer is not None:
            await self._peer.close()
        path = ReceivePath()

        def packet(sequence: int, timestamp: int, payload: bytes, copies: tuple[Block, ...]) -> None:
            for frame in path.push(sequence, timestamp, payload, asyncio.get_running_loop().time(), copies):
                self._set_level(frame.samples)

        self._peer = Peer(
            source=lambda: tone(audio.FRAME_S) if self.speaking else silence(audio.FRAME_S),
            on_packet=packet,
            on_event=lambda text: self.events.put(json.loads(text)),
            on_open=self._opened,
            on_state=lambda state: None,
        )
        return await self._peer.answer(offer)

    def _opened(self) -> None:
        with self._changed:
            self.connected = True
            self._changed.notify_all()

    def _note(self, request: Request) -> None:
        with self._changed:
            self.requests.append((request.method, request.url.path))
            self._changed.notify_all()

    def _set_level(self, samples: Samples) -> None:
        with self._changed:
            self.microphone_db = audio.level_db(samples)
            self._changed.notify_all()
