"""What the sound of a call costs a server, with stock aiortc and with ours, over real WebRTC.

    python -m benchmarks.endpoint --calls 8 --seconds 20

Two servers in turn, each in a process of its own, with the same callers in another: both take the caller's
sound as 16 kHz mono, and send a tone without a pause. Stock aiortc does it as its documentation shows, by
tracks; ours by `voice_agent.media`. Nothing else is in them: no graph, no models.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from fractions import Fraction
from typing import Any

import av
import uvicorn
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from fastapi import FastAPI, Request, Response

from voice_agent.audio import FRAME, FRAME_S, SAMPLE_RATE
from voice_agent.calls.own_server import own_server
from voice_agent.calls.phone import Phone
from voice_agent.calls.report import machine
from voice_agent.commands.serve import listen
from voice_agent.media.aiortc_private import allow_loopback
from voice_agent.media.peer import Peer
from voice_agent.media.receive import ReceivePath
from voice_agent.media.red import Block
from voice_agent.message import Samples
from voice_agent.testing import tone

Answer = Callable[[str], Coroutine[Any, Any, str]]
VOICE = tone(FRAME_S, 400.0)


class ToneTrack(MediaStreamTrack):
    """A frame every 20 ms from an absolute start."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._began_s: float | None = None
        self._count = 0

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        self._began_s = self._began_s or loop.time()
        await asyncio.sleep(self._began_s + self._count * FRAME_S - loop.time())
        frame = av.AudioFrame.from_ndarray(VOICE[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = (
            SAMPLE_RATE,
            self._count * FRAME,
            Fraction(1, SAMPLE_RATE),
        )
        self._count += 1
        return frame


async def stock(offer: str) -> str:
    """Answer by aiortc as it comes."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    kept.append(connection)
    connection.on("track", lambda track: kept.append(asyncio.ensure_future(_listen(track))))
    connection.addTrack(ToneTrack())
    await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    sdp: str = connection.localDescription.sdp
    return sdp


async def _listen(track: Any) -> None:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    while True:
        try:
            for frame in resampler.resample(await track.recv()):
                frame.to_ndarray()
        except MediaStreamError:
            return


async def ours(offer: str) -> str:
    """Answer by `voice_agent.media`."""
    path, loop = ReceivePath(), asyncio.get_running_loop()

    def source() -> Samples:
        path.poll(loop.time())
        return VOICE

    def take(sequence: int, timestamp: int, payload: bytes, copies: tuple[Block, ...]) -> None:
        path.push(sequence, timestamp, payload, loop.time(), copies)

    peer = Peer(
        source=source,
        on_packet=take,
        on_event=lambda text: None,
        on_open=lambda: None,
        on_state=lambda state: None,
    )
    kept.append(peer)
    return await peer.answer(offer)


SERVERS: dict[str, Answer] = {"aiortc": stock, "ours": ours}
kept: list[Any] = []
"""Until the process ends."""


def serve(answer: Answer) -> None:
    """Take calls on a free port until terminated."""
    allow_loopback()
    app = FastAPI()

    @app.post("/v1/realtime/calls", status_code=201)
    async def call(request: Request) -> Response:
        async with request.form() as form:
            offer = form["sdp"]
            text = offer if isinstance(offer, str) else (await offer.read()).decode()
        return Response(await answer(text), 201, media_type="application/sdp")

    listener = listen("127.0.0.1", 0)
    print(f"Serving calls at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listener])


async def measure(name: str, calls: int, seconds: float) -> dict[str, object]:
    """The processor time of one server with so many calls."""
    command = [sys.executable, "-m", "benchmarks.endpoint", "--serve", name]
    async with own_server(command) as server:
        phones = [Phone() for _ in range(calls)]
        for phone in phones:
            await phone.dial(server.url, "en")
        before_s = server.cpu_s() or 0.0
        await asyncio.sleep(seconds)
        cpu_s = (server.cpu_s() or 0.0) - before_s
        heard = sum(len(phone.heard) for phone in phones)
        await asyncio.gather(*(phone.hang_up() for phone in phones))
    return {"server": name, "cpu_s_per_call_minute": round(cpu_s / calls / seconds * 60, 2), "frames": heard}


async def run(calls: int, seconds: float) -> dict[str, object]:
    """Both servers in turn."""
    rows = [await measure(name, calls, seconds) for name in SERVERS]
    stock_s, ours_s = (float(str(row["cpu_s_per_call_minute"])) for row in rows)
    ratio = round(ours_s / stock_s, 2)
    return {"machine": machine(), "calls": calls, "seconds": seconds, "rows": rows, "ours_to_aiortc": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--serve", choices=SERVERS, help="be one of the servers")
    arguments = parser.parse_args()
    if arguments.serve:
        serve(SERVERS[arguments.serve])
    else:
        print(json.dumps(asyncio.run(run(arguments.calls, arguments.seconds)), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
