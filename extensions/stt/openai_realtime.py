"""Recognition by a transcription session of the OpenAI Realtime API: the sound is sent while it is spoken.

One WebSocket for a call. What the caller says is sent from the first hint of a voice on; at its end the
server is told so (our own VAD's word counts, the server's is off), and the final text is some tens of
milliseconds of sound away instead of a whole upload.
"""

import asyncio
import json
import logging
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Annotated

import httpx
from pydantic import Field

from extensions.stt._dictation import Dictation, Stretch, parse, session_update
from extensions.stt._utterance import PreRoll
from voice_agent import audio
from voice_agent.errors import TurnError, requires
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message, SpeechEnded, SpeechStarted, Transcript
from voice_agent.openai_service import Service

with requires("realtime"):
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.exceptions import InvalidStatus, WebSocketException

log = logging.getLogger(__name__)
CONNECT_TIMEOUT_S = 3.0
SEND_TIMEOUT_S = 3.0
MAX_EVENT_BYTES = 1_000_000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
"""Before a connection is tried again; doubled each time that none comes about."""
MAX_TRIES = 2
"""A stretch of speech is told on so many connections."""
FAILURES_TO_ERROR = 3
WITH_LOGPROBS = ("gpt-4o-transcribe", "gpt-4o-mini-transcribe")
"""Models that tell the log probability of each token when asked."""


@dataclass
class OpenAiRealtimeStt(Extension):
    """Interim texts come as the service sends them; every end is answered once, by "" if need be."""

    base_url: str = ""
    """Such as "http://127.0.0.1:8000/v1"; "" takes OPENAI_BASE_URL, else OpenAI's own."""
    api_key: str = field(default="", repr=False)
    """ "" takes OPENAI_API_KEY, unless base_url is another service's."""
    model: str = "gpt-4o-mini-transcribe"
    language: str = ""
    """As ISO 639-1; "" takes the language of the call."""
    prompt: str = ""
    """Words to expect, such as product names."""
    timeout_s: Annotated[float, Field(gt=0)] = 5.0
    """For the final text, from the end of the speech on."""
    pre_roll_s: Annotated[float, Field(ge=0, le=2)] = 0.4
    """Sound from before the start of speech that is sent with it, as a VAD hears a soft onset late."""
    max_utterance_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Of longer speech only the beginning is sent."""

    inputs = (AudioFrame, SpeechStarted, SpeechEnded)
    outputs = {"asr_result": Transcript}

    def prepare(self) -> None:
        self._find_service().check()

    def _find_service(self) -> Service:
        return Service.find(self.base_url, self.api_key)

    async def start(self) -> None:
        self._service = self._find_service()
        self._language = (self.language or self.session.language).split("-")[0]
        self._dictation = Dictation(self._language, self.max_utterance_s)
        self._pre_roll = PreRoll(self.pre_roll_s)
        self._ended_s = 0.0
        self._deadlines: list[tuple[float, Stretch]] = []
        """Loop time by which a stretch must be answered, soonest first."""
        self._to_send = asyncio.Event()
        self._to_answer = asyncio.Event()
        self._failures = 0

    async def handle(self, message: Message, emit: Emit) -> None:
        """Only collects what is to be sent: frames must not wait for the network."""
        match message:
            case AudioFrame() if self._dictation.listening:
                if not message.gap:  # what has been sent cannot be replaced when the sound comes after all
                    self._hear(message)
            case AudioFrame():
                self._pre_roll.push(message)
            case SpeechStarted() if not self._dictation.listening:
                self._dictation.begin()
                for frame in self._pre_roll.take(message.time_s, self._ended_s):
                    self._hear(frame)
            case SpeechEnded():
                self._end(message.time_s)

    def _hear(self, frame: AudioFrame) -> None:
        self._dictation.hear(frame.samples, frame.time_s + audio.FRAME_S)
        self._to_send.set()

    def _end(self, end_s: float) -> None:
        self._ended_s = end_s
        self._dictation.end(end_s)
        due_s = asyncio.get_running_loop().time() + self.timeout_s
        self._deadlines += [(due_s, stretch) for stretch in self._dictation.unanswered()[-1:]]
        self._to_send.set()
        self._to_answer.set()

    async def run(self, emit: Emit) -> None:
        """Keep a connection, and tell what comes of it, side by side."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._answer(emit))
            group.create_task(self._stay_connected(emit))

    # --- answers ---

    async def _answer(self, emit: Emit) -> None:
        """Final texts in the order of what was said, and those given up that are overdue."""
        loop = asyncio.get_running_loop()
        while True:
            self._deadlines = [(due_s, s) for due_s, s in self._deadlines if s.answer is None]
            try:
                async with asyncio.timeout_at(self._deadlines[0][0] if self._deadlines else None):
                    await self._to_answer.wait()
            except TimeoutError:
                late = [stretch for due_s, stretch in self._deadlines if due_s <= loop.time()]
                self._give_up(late, TurnError(f"no final text within {self.timeout_s:g} s"))
            self._to_answer.clear()
            for transcript in self._dictation.answers():
                log.debug("%s recognised %r", self.session.session_id, transcript.text)
                if transcript.text:
                    self._failures = 0
                await emit("asr_result", transcript)

    def _give_up(self, stretches: list[Stretch], error: TurnError) -> None:
        """Nothing understood is an answer, and the call goes on."""
        for stretch in stretches:
            self._dictation.give_up(stretch)
            self._to_answer.set()
        self._to_send.set()
        self._failures += 1
        level = logging.ERROR if self._failures >= FAILURES_TO_ERROR else logging.WARNING
        reason = str(error)
        if self._service.api_key:
            reason = reason.replace(self._service.api_key, "[key]")
        log.log(
            level,
            "%s speech not recognised, %d in a row: %s: %s",
            self.session.session_id,
            self._failures,
            self._service.base_url,
            reason,
        )

    # --- the connection ---

    async def _stay_connected(self, emit: Emit) -> None:
        """A new connection for each that breaks; one that does not last is tried less and less often."""
        loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while True:
            began_s, told = loop.time(), False
            try:
                async with self._connect() as connection:
                    told = True
                    await self._converse(connection, emit)
            except (OSError, TimeoutError, WebSocketException, TurnError) as error:
                self._lost(TurnError(_words(error)), told)
            pause_s = FIRST_PAUSE_S if loop.time() - began_s > LONGEST_PAUSE_S else pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _connect(self) -> AbstractAsyncContextManager[ClientConnection]:
        url = httpx.URL(f"{self._service.base_url}/realtime", params={"intent": "transcription"})
        key = self._service.api_key
        return connect(
            str(url.copy_with(scheme="wss" if url.scheme == "https" else "ws")),
            additional_headers={"Authorization": f"Bearer {key}"} if key else None,
            compression=None,  # base64 of sound does not get smaller
            proxy=None if self._service.is_local else True,
            open_timeout=CONNECT_TIMEOUT_S,
            close_timeout=0.2,
            max_size=MAX_EVENT_BYTES,
        )

    async def _converse(self, connection: ClientConnection, emit: Emit) -> None:
        """Send and receive until the connection ends; raises what ended it."""
        with_logprobs = self.model.startswith(WITH_LOGPROBS)
        await _send(connection, session_update(self.model, self._language, self.prompt, with_logprobs))
        self._to_send.set()
        receiving = asyncio.ensure_future(self._receive(connection, emit))
        try:
            await self._send_until(connection, receiving)
        finally:
            receiving.cancel()
            await asyncio.wait([receiving])
            broke = None if receiving.cancelled() else receiving.exception()
        raise broke or TurnError("the service ended the connection")

    async def _send_until(self, connection: ClientConnection, over: asyncio.Future[None]) -> None:
        over.add_done_callback(lambda _: self._to_send.set())
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            if over.done():
                return
            for event in self._dictation.outgoing():
                await _send(connection, event)
            self._to_answer.set()

    async def _receive(self, connection: ClientConnection, emit: Emit) -> None:
        async for text in connection:
            try:
                interim = self._dictation.take(parse(text))
            except TurnError as error:
                self._give_up([], error)
            else:
                if interim:
                    await emit("asr_result", interim)
            self._to_answer.set()

    def _lost(self, error: TurnError, told: bool) -> None:
        """What was told is told again on the next connection; without one nobody shall wait for an answer."""
        in_vain = self._dictation.reconnected(MAX_TRIES)
        if not told:
            in_vain = [stretch for stretch in self._dictation.unanswered() if stretch.end_s is not None]
        if in_vain:
            self._give_up(in_vain, error)
        else:
            log.info("%s connecting anew: %s", self.session.session_id, error)


async def _send(connection: ClientConnection, event: dict[str, object]) -> None:
    async with asyncio.timeout(SEND_TIMEOUT_S):
        await connection.send(json.dumps(event))


def _words(error: Exception) -> str:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return f"HTTP {status}" + (": it refuses the key" if status in (401, 403) else "")
    if isinstance(error, TurnError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return f"cannot connect: {error}"
    return f"the connection broke: {error or type(error).__name__}"
