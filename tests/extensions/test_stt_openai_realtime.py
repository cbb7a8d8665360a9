"""stt.openai_realtime against a real WebSocket server on 127.0.0.1 that speaks the protocol, or fails to."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest

pytest.importorskip("websockets", reason="the extra `realtime` is not installed")

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from extensions.stt.openai_realtime import OpenAiRealtimeStt
from voice_agent.message import AudioFrame, Message, SpeechEnded, SpeechStarted, Transcript
from voice_agent.testing import FakeSession, attach, frames_of, silence, tone

Live = AudioFrame | SpeechStarted | SpeechEnded
RATE = 24_000
KEY = "sk-right"


@dataclass
class Service:
    """A transcription service: hears stretch after stretch, and says how long each was."""

    delay_s: float = 0.0
    """From the commit to the text."""
    cut: int = 0
    """So many connections are cut at their first commit."""
    fail: bool = False
    """Every transcription fails."""
    garbage: bool = False
    reverse: bool = False
    """The text of the second stretch comes before that of the first."""
    logprob: float | None = None
    sessions: list[dict[str, Any]] = field(default_factory=list)
    heard: list[np.ndarray] = field(default_factory=list)
    """Sound of each stretch that was committed."""
    paths: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        if request.headers.get("Authorization") == f"Bearer {KEY}":
            return None
        return connection.respond(HTTPStatus.UNAUTHORIZED, "wrong key")

    async def talk(self, connection: ServerConnection) -> None:
        buffer, kept = b"", list[str]()
        await connection.send(json.dumps({"type": "session.created"}))
        async for text in connection:
            event = json.loads(text)
            match event["type"]:
                case "session.update":
                    self.sessions.append(event["session"])
                case "input_audio_buffer.append":
                    buffer += base64.b64decode(event["audio"])
                case "input_audio_buffer.clear":
                    buffer = b""
                case "input_audio_buffer.commit":
                    if self.cut:
                        self.cut -= 1
                        connection.transport.abort()
                        return
                    self.heard.append(np.frombuffer(buffer, "<i2"))
                    buffer = b""
                    kept.append(f"item_{len(self.heard)}")
                    await self.answer(connection, kept)

    async def answer(self, connection: ServerConnection, items: list[str]) -> None:
        async def send(kind: str, item_id: str, **more: Any) -> None:
            event = {"type": kind, "item_id": item_id, "event_id": "e", "content_index": 0, **more}
            await connection.send(json.dumps(event))

        await send("input_audio_buffer.committed", items[-1])
        if self.garbage:
            await connection.send("{")
        if self.reverse and len(items) == 1:
            return
        await asyncio.sleep(self.delay_s)
        prefix = "conversation.item.input_audio_transcription."
        for item in reversed(items):
            if self.fail:
                await send(prefix + "failed", item, error={"message": "no room", "type": "server_error"})
                continue
            await send(prefix + "delta", item, delta=f" {item}")
            await send(prefix + "delta", item, delta=" said")
            more = {} if self.logprob is None else {"logprobs": [{"token": "x", "logprob": self.logprob}]}
            await send(prefix + "completed", item, transcript=f" {item} said. ", **more)
        items.clear()


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[Service]:
    async with serve(service.talk, "127.0.0.1", service.port, process_request=service.admit) as server:
        service.port = next(iter(server.sockets)).getsockname()[1]
        yield service


def utterance(start_s: float, seconds: float = 0.5) -> list[Live]:
    sound = np.concatenate((silence(0.4), tone(seconds), silence(0.1)))
    frames: list[Live] = list(frames_of(sound, start_s - 0.4))
    frames.insert(round(0.4 / 0.02) + 4, SpeechStarted(start_s))
    return [*frames, SpeechEnded(start_s + seconds)]


async def recognise(
    stt: OpenAiRealtimeStt, *messages: Live, session: FakeSession | None = None
) -> list[Transcript]:
    """Hand over all messages at once and wait for one final transcript for each SpeechEnded."""
    outbox = attach(stt, session or FakeSession())
    wanted = sum(isinstance(message, SpeechEnded) for message in messages)
    all_there = asyncio.Event()

    async def emit(port: str, message: Message) -> None:
        await outbox(port, message)
        if len([t for t in outbox.of(Transcript) if t.final]) == wanted:
            all_there.set()

    await stt.start()
    worker = asyncio.create_task(stt.run(emit))
    async with asyncio.timeout(10):
        for message in messages:
            await stt.handle(message, emit)
        await all_there.wait()
    worker.cancel()
    await asyncio.wait({worker})
    await stt.stop()
    return outbox.of(Transcript)


def heard_by(service: Service, *messages: Live, **config: Any) -> list[Transcript]:
    async def main() -> list[Transcript]:
        async with running(service):
            config.setdefault("api_key", KEY)
            return await recognise(OpenAiRealtimeStt(base_url=service.url, **config), *messages)

    return asyncio.run(main())


def finals(transcripts: list[Transcript]) -> list[tuple[str, float]]:
    return [(transcript.text, transcript.end_s) for transcript in transcripts if transcript.final]


def test_speech_is_sent_with_its_pre_roll_and_its_text_grows() -> None:
    service = Service(logprob=-0.7)
    transcripts = heard_by(service, *utterance(1.0), language="en", prompt="Parcelly")
    assert [(t.text, t.final) for t in transcripts] == [
        ("item_1", False),
        ("item_1 said", False),
        ("item_1 said.", True),
    ]
    assert transcripts[-1].end_s == 1.5 and transcripts[-1].confidence == pytest.approx(np.exp(-0.7))
    [sound] = service.heard
    assert len(sound) == pytest.approx(RATE * (0.4 + 0.5 + 0.1), abs=RATE * 0.03)
    voiced = np.flatnonzero(np.abs(sound.astype(int)) > 300)
    assert voiced[0] == pytest.approx(RATE * 0.4, abs=RATE * 0.03)
    [session] = service.sessions
    assert session["type"] == "transcription"
    given = session["audio"]["input"]
    assert given["turn_detection"] is None and given["format"] == {"type": "audio/pcm", "rate": RATE}
    assert given["transcription"] == {
        "model": "gpt-4o-mini-transcribe",
        "language": "en",
        "prompt": "Parcelly",
    }
    assert service.paths == ["/v1/realtime?intent=transcription"]


def test_each_end_is_answered_once_in_the_order_of_speech() -> None:
    transcripts = heard_by(Service(reverse=True), *utterance(1.0), *utterance(3.0))
    assert finals(transcripts) == [("item_1 said.", 1.5), ("item_2 said.", 3.5)]


def test_what_is_too_short_or_never_began_is_answered_and_forgotten_by_the_service() -> None:
    service = Service()
    transcripts = heard_by(
        service, SpeechStarted(0.5), SpeechEnded(0.52), SpeechEnded(0.9), *utterance(2.0), pre_roll_s=0.2
    )
    assert finals(transcripts) == [("", 0.52), ("", 0.9), ("item_1 said.", 2.5)]
    assert len(service.heard[0]) == pytest.approx(RATE * 0.8, abs=RATE * 0.03)


def test_a_cut_connection_is_made_anew_and_told_everything_again() -> None:
    service = Service(cut=1)
    transcripts = heard_by(service, *utterance(1.0))
    assert finals(transcripts) == [("item_1 said.", 1.5)]
    assert len(service.sessions) == 2
    assert len(service.heard[0]) == pytest.approx(RATE * 1.0, abs=RATE * 0.03)


def test_what_is_cut_again_and_again_is_given_up_and_the_next_is_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        transcripts = heard_by(Service(cut=2), *utterance(1.0))
    assert finals(transcripts) == [("", 1.5)]
    assert "the connection broke" in caplog.text


def test_a_slow_service_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    transcripts = heard_by(Service(delay_s=1.0), *utterance(1.0), timeout_s=0.2)
    assert finals(transcripts) == [("", 1.5)]
    assert "no final text within 0.2 s" in caplog.text


def test_a_refused_key_ends_no_call_and_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="extensions"):
        transcripts = heard_by(Service(), *utterance(1.0), *utterance(2.0), api_key="sk-wrong")
    assert finals(transcripts) == [("", 1.5), ("", 2.5)]
    assert "HTTP 401: it refuses the key" in caplog.text and "sk-wrong" not in caplog.text


@pytest.mark.parametrize(
    ("service", "reason"),
    [(Service(fail=True), "no room"), (Service(garbage=True), "expected an event in JSON")],
)
def test_failures_are_logged_and_the_call_goes_on(
    service: Service, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    transcripts = heard_by(replace(service), *utterance(1.0))
    assert finals(transcripts) == [("" if service.fail else "item_1 said.", 1.5)]
    assert reason in caplog.text and "said" not in caplog.text


def test_a_service_that_is_not_there_is_an_empty_transcript(caplog: pytest.LogCaptureFixture) -> None:
    stt = OpenAiRealtimeStt(base_url="http://127.0.0.1:9/v1")
    assert finals(asyncio.run(recognise(stt, *utterance(1.0)))) == [("", 1.5)]
    assert "cannot connect" in caplog.text


def test_of_endless_speech_only_the_beginning_is_sent() -> None:
    service = Service()
    heard_by(service, *utterance(1.0, 10.0), max_utterance_s=2.0)
    assert len(service.heard[0]) == pytest.approx(RATE * 2.0, abs=RATE * 0.03)
