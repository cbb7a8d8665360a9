"""A caller that is a recording: for tests and for trying a graph without a browser."""

import asyncio
import itertools
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from voice_agent import audio
from voice_agent.audio import FRAME, FRAME_S
from voice_agent.extension import Emit, Extension
from voice_agent.media.playout import Playout
from voice_agent.message import (
    AudioFrame,
    CallStarted,
    Heard,
    Message,
    Playback,
    PlayedFrame,
    Samples,
    Speech,
)


@dataclass
class WavClient(Extension):
    """Plays the recording into the graph in real time, listens to the replies, and hangs up."""

    path: str
    """A sound file of any rate, width, channel count and common format."""
    out: str = ""
    """Where to write the call, a stereo WAV file: the caller left, the agent right; "" for nowhere."""
    language: str = ""
    """What the caller speaks, as BCP 47; "" for the session's."""
    tail_s: Annotated[float, Field(ge=0, le=600)] = 10.0
    """After the recording, how long to wait in silence for a reply."""
    after_reply_s: Annotated[float, Field(ge=0, le=600)] = 3.0
    """The same once a reply has been heard after the recording's end."""

    inputs = (Speech, Playback)
    outputs = {
        "call_started": CallStarted, "pcm_frame": AudioFrame, "played_frame": PlayedFrame, "heard": Heard,
    }  # fmt: skip

    def prepare(self) -> None:
        recording(self.path)

    async def start(self) -> None:
        self._caller = await asyncio.to_thread(recording, self.path)
        self._playout = Playout()
        self._left: list[Samples] = []
        self._right: list[Samples] = []

    async def run(self, emit: Emit) -> None:
        turn = self.session.begin_turn()
        await emit("call_started", CallStarted(self.language or self.session.language, turn=turn))
        loop = asyncio.get_running_loop()
        began = loop.time()
        caller = list(audio.frames(self._caller))
        wait_s, quiet_s = self.tail_s, 0.0
        for index in itertools.count():
            said = caller[index] if index < len(caller) else np.zeros(FRAME, np.int16)
            played = self._playout.pull()
            if "played_frame" in self.connected:
                await emit("played_frame", PlayedFrame(played, index * FRAME_S))
            await emit("pcm_frame", AudioFrame(said, time_s=index * FRAME_S))
            self._left.append(said)
            self._right.append(played)
            over = index >= len(caller)
            for heard in self._playout.progress():
                await emit("heard", heard)
                if over and heard.final:
                    wait_s = self.after_reply_s
            quiet_s = quiet_s + FRAME_S if over and self._playout.playing is None else 0.0
            if quiet_s > wait_s:
                break
            await asyncio.sleep(began + (index + 1) * FRAME_S - loop.time())
        self.session.close("the recording is over")

    async def handle(self, message: Message, emit: Emit) -> None:
        await self.session.confirmed(message.turn)
        match message:
            case Speech():
                self._playout.push(message)
            case Playback():
                self._playout.set_mode(message.mode)

    def flush(self) -> None:
        self._playout.cut()

    async def stop(self) -> None:
        if self.out and self._left:
            await asyncio.to_thread(self._write)

    def _write(self) -> None:
        both = np.stack((np.concatenate(self._left), np.concatenate(self._right)), axis=1)
        audio.write_wav(Path(self.out), both)


@lru_cache(maxsize=8)
def recording(path: str) -> Samples:
    """The file as 16 kHz mono, read once for all calls that play it. Raises InputError."""
    return audio.read(Path(path))
