"""The simulated caller against a scripted agent that knows the truth: what was measured is what happened."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from voice_agent import audio, cli
from voice_agent.calls import own_server, report, script
from voice_agent.calls.caller import Call, Manners, place_call
from voice_agent.calls.events import EventLog
from voice_agent.calls.script import Line
from voice_agent.commands.serve import listen
from voice_agent.errors import InputError
from voice_agent.media.peer import Peer
from voice_agent.media.receive import ReceivePath
from voice_agent.media.red import Block
from voice_agent.message import Samples
from voice_agent.testing import silence, tone

QUICK = Manners(answer_timeout_s=1.0, end_timeout_s=5.0, quiet_s=0.2, gap_s=0.1)
MS = 1000
CODEC_MS = 6.5
"""Opus's look-ahead: so much later than its frame's first sample a sound begins."""


class ScriptedAgent:
    """Plays a tone as greeting, and another `delay_s` after the caller's last loud frame; when the caller
    speaks over it, it ducks after `duck_s` and stops after `stop_s`. Keeps when it did all that.
    """

    def __init__(
        self, *, delay_s: float = 0.2, reply_s: float = 0.5, duck_s: float = 0.1, stop_s: float = 0.25
    ) -> None:
        self.delay_s, self.reply_s, self.duck_s, self.stop_s = delay_s, reply_s, duck_s, stop_s
        self.greets = self.answers = True
        self.truth: dict[str, list[float]] = {}
        """Loop times, by what happened."""
        self.form: dict[str, str] = {}
        self.ended = asyncio.Event()
        self._receive = ReceivePath()
        self._playing: list[Samples] = []
        self._response = 0
        self._last_loud_s: float | None = None
        self._over_s: float | None = None
        self._sounds = False
        self.peer = Peer(
            source=self._next,
            on_packet=self._packet,
            on_event=print,
            on_open=self._open,
            on_state=self._state,
        )

    def note(self, what: str) -> None:
        self.truth.setdefault(what, []).append(asyncio.get_running_loop().time())

    def tell(self, type_: str, **fields: Any) -> None:
        self.peer.send(json.dumps({"type": type_, "event_id": "event_1", **fields}))

    def _open(self) -> None:
        if self.greets:
            self._play("Hello, tone here.")

    def _state(self, state: str) -> None:
        if state in ("closed", "failed"):
            self.ended.set()

    def _play(self, text: str) -> None:
        self._response += 1
        response_id = f"resp_{self._response}"
        self.tell("response.created", response={"id": response_id})
        self.tell("output_audio_buffer.started", response_id=response_id)
        self.tell("response.output_audio_transcript.done", response_id=response_id, transcript=text)
        self.tell("voice_agent.route", response_id=response_id, to="llm.fast", reason="a tone")
        stages = [{"name": "vad", "ms": 20.0}, {"name": "tts", "ms": 3.5}]
        self.tell("voice_agent.latency", response_id=response_id, voice_to_voice_ms=100.0, stages=stages)
        self._playing = list(audio.frames(tone(self.reply_s)))
        self._sounds = False

    def _finish(self, how: str) -> None:
        self._playing = []
        self.note(how)
        heard = {"text": "Hello", "final": True, "interrupted": how == "cleared"}
        self.tell(f"output_audio_buffer.{how}", response_id=f"resp_{self._response}")
        self.tell("voice_agent.heard", response_id=f"resp_{self._response}", item_id="i", **heard)

    def _packet(self, sequence: int, timestamp: int, payload: bytes, copies: tuple[Block, ...]) -> None:
        now = asyncio.get_running_loop().time()
        for frame in self._receive.push(sequence, timestamp, payload, now):
            if audio.level_db(frame.samples) > -40:
                self._last_loud_s = now
                if self._playing and self._over_s is None:
                    self._over_s = self._last_loud_s
                    self.note("spoken over")

    def _next(self) -> Samples:
        now = asyncio.get_running_loop().time()
        if self._over_s is not None and now - self._over_s >= self.stop_s:
            self._finish("cleared")
            self._over_s = None
        elif self._last_loud_s is not None and now - self._last_loud_s >= self.delay_s and self.answers:
            self.truth.setdefault("last loud", []).append(self._last_loud_s)
            self._last_loud_s = None
            self.tell("conversation.item.input_audio_transcription.completed", item_id="i", transcript="beep")
            self._play("A tone back.")
        if not self._playing:
            return silence(audio.FRAME_S)
        if not self._sounds:
            self._sounds = True
            self.note("sounded")
        frame = self._playing.pop(0)
        if not self._playing:
            self._finish("stopped")
        if self._over_s is not None and now - self._over_s >= self.duck_s:
            if "ducked" not in self.truth:
                self.note("ducked")
            frame = (frame * 0.1).astype(np.int16)
        return frame


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


@asynccontextmanager
async def served(agent: ScriptedAgent) -> AsyncIterator[str]:
    app = FastAPI()

    @app.post("/v1/realtime/calls")
    async def begin(request: Request) -> Response:
        async with request.form() as form:
            agent.form = {name: str(form[name]) for name in ("sdp", "session")}
        answer = await agent.peer.answer(agent.form["sdp"])
        return Response(answer, 201, {"Location": "/v1/realtime/calls/1"}, "application/sdp")

    @app.delete("/v1/realtime/calls/1")
    async def hang_up() -> Response:
        agent.note("hung up")
        return Response(status_code=204)

    try:
        async with serving(app) as url:
            yield url
    finally:
        await agent.peer.close()


def beep(seconds: float, barge_in_s: float | None = None, lead_s: float = 0.0, tail_s: float = 0.0) -> Line:
    return Line("beep", np.concatenate((silence(lead_s), tone(seconds), silence(tail_s))), barge_in_s)


def talk(
    agent: Callable[[], ScriptedAgent], *lines: Line, manners: Manners = QUICK
) -> tuple[Call, dict[str, Any], ScriptedAgent]:
    async def main() -> tuple[Call, ScriptedAgent]:
        scripted = agent()
        async with served(scripted) as url:
            return await place_call(url, lines, language="zh", manners=manners), scripted

    call, scripted = asyncio.run(main())
    return call, report.measure(call), scripted


def test_what_is_measured_is_what_happened(tmp_path: Path) -> None:
    """A greeting, an answer, an answer that is interrupted, one after that: against the agent's own notes."""
    agent = lambda: ScriptedAgent(delay_s=0.2, reply_s=0.7, duck_s=0.1, stop_s=0.25)  # noqa: E731
    lines = beep(0.3, lead_s=0.1, tail_s=0.3), beep(0.2), beep(0.4, barge_in_s=0.25, lead_s=0.1)
    call, figures, scripted = talk(agent, *lines)
    truth = scripted.truth
    assert figures["errors"] == []
    assert json.loads(scripted.form["session"])["audio"]["input"]["transcription"]["language"] == "zh"
    assert len(truth["hung up"]) == 1

    assert figures["greeting"]["text"] == "Hello"
    greeted_ms = (truth["sounded"][0] - call.phone.offered_s) * MS
    assert figures["answer_ms"] == pytest.approx(greeted_ms + CODEC_MS, abs=30)
    assert (
        figures["greeting"]["after_connect_ms"]
        < figures["greeting"]["after_answer_ms"]
        < figures["answer_ms"]
    )

    measured = [turn["voice_to_voice_ms"] for turn in figures["turns"]]
    answered = zip(truth["sounded"][1:], truth["last loud"], strict=True)
    # The codec makes a packet's last sounds come with the next packet, 20 ms later.
    expected = [(sounded_s - loud_s) * MS + 20 + CODEC_MS for sounded_s, loud_s in answered]
    assert measured == pytest.approx(expected, abs=30)
    assert all(ms > 200 for ms in measured), "the delay that was injected"

    first = figures["turns"][0]
    assert (first["said"], first["heard_as"], first["reply"]) == ("beep", "beep", "Hello")
    assert first["stages_ms"] == {"vad": 20.0, "tts": 3.5}
    assert (first["route"], first["server_voice_to_voice_ms"]) == ("llm.fast", 100.0)

    (barge_in,) = figures["barge_ins"]
    assert barge_in["turn"] == 3
    assert barge_in["cut"]
    line = call.turns[2]
    assert line.voice is not None
    spoke_s = call.phone.sent.times[line.frame + line.voice.first // audio.FRAME]
    assert barge_in["duck_ms"] == pytest.approx((truth["ducked"][0] - spoke_s) * MS + CODEC_MS, abs=30)
    assert barge_in["stop_ms"] == pytest.approx((truth["cleared"][0] - spoke_s) * MS + CODEC_MS, abs=30)
    assert barge_in["stop_ms"] > 250 > barge_in["duck_ms"] > 100, "what was injected"
    interrupted_s = truth["spoken over"][0] - truth["sounded"][2]
    assert interrupted_s == pytest.approx(0.25, abs=0.08), "the first voiced sample, not the lead, interrupts"
    assert figures["lost_frames"] == 0

    assert figures["summary"]["voice_to_voice_ms"]["count"] == 3
    json.dumps(figures)
    text = "\n".join(report.lines(figures))
    assert "interrupted after 'Hello': softer after" in text
    assert "llm.fast" in text

    report.record(call, tmp_path / "call.wav")
    both = report.stereo(call)
    assert abs(len(both) / audio.SAMPLE_RATE - (call.ended_s - call.phone.sent.times[0])) < 0.2
    said, replied = (np.flatnonzero(np.abs(side.astype(int)) > 500) for side in both.T)
    assert replied[0] < said[0], "the agent greets first"
    pause_s = (replied[replied > said[0]][0] - said[0]) / audio.SAMPLE_RATE - 0.3
    assert pause_s * MS == pytest.approx(measured[0], abs=80), "one time axis"


def test_an_agent_that_never_answers_is_an_error_of_that_turn() -> None:
    def agent() -> ScriptedAgent:
        scripted = ScriptedAgent()
        scripted.answers = scripted.greets = False
        return scripted

    _, figures, _ = talk(agent, beep(0.1), manners=replace(QUICK, answer_timeout_s=0.3))
    assert figures["answer_ms"] is None
    assert figures["turns"][0]["voice_to_voice_ms"] is None
    assert figures["turns"][0]["error"] == "no answer within 0.3 s"
    assert figures["errors"] == ["greeting: no greeting within 0.3 s", "turn 1: no answer within 0.3 s"]
    assert "no answer within 0.3 s" in "\n".join(report.lines(figures))


def test_an_agent_that_hangs_up_ends_the_script() -> None:
    class Rude(ScriptedAgent):
        def _packet(self, sequence: int, timestamp: int, payload: bytes, copies: tuple[Block, ...]) -> None:
            if self._playing and sequence % 5 == 0 and not hasattr(self, "leaving"):
                self.leaving = asyncio.create_task(self.peer.close())

    _, figures, _ = talk(lambda: Rude(reply_s=3), beep(0.1), beep(0.1))
    assert figures["errors"][-1].startswith("the agent hung up: ")
    assert figures["errors"][-1].endswith("of 2 lines were said")
    assert len(figures["turns"]) < 2


def test_a_barge_in_that_comes_too_late_is_told_and_said_after_the_answer() -> None:
    _, figures, _ = talk(lambda: ScriptedAgent(reply_s=0.2), beep(0.1, barge_in_s=5.0))
    assert figures["barge_ins"] == []
    assert figures["errors"] == ["turn 1: the answer had ended before 5 s of it"]
    assert figures["turns"][0]["voice_to_voice_ms"] > 200


class Deaf(ScriptedAgent):
    """Speaks on, whoever speaks over it."""

    def _next(self) -> Samples:
        self._over_s = self._last_loud_s = None
        return super()._next()


def test_an_agent_that_does_not_give_way_is_told() -> None:
    _, figures, _ = talk(lambda: Deaf(reply_s=1.2), beep(0.1, barge_in_s=0.2))
    (barge_in,) = figures["barge_ins"]
    assert (barge_in["cut"], barge_in["stop_ms"]) == (False, None)
    assert "turn 1: the agent did not give way to it" in figures["errors"]
    assert "did not give way" in "\n".join(report.lines(figures))


# --- the command ---


def test_the_command_prints_json_alone_and_writes_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    audio.write_wav(tmp_path / "voice.wav", tone(0.2))
    files = ["--wav", str(tmp_path / "voice.wav"), "--record", str(tmp_path / "call.wav")]

    async def main() -> int:
        async with served(ScriptedAgent(reply_s=0.2)) as url:
            line = ["call", "--url", url, *files, "--json", "-"]
            monkeypatch.setattr(sys, "argv", ["/somewhere/voice-agent", *line])
            return await asyncio.to_thread(cli.main, line)

    assert asyncio.run(main()) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["turns"][0]["said"] == "voice.wav"
    assert figures["command"].startswith("voice-agent call --url http")
    assert set(figures) >= {"answer_ms", "turns", "barge_ins", "lost_frames", "errors", "machine"}
    assert len(audio.read(tmp_path / "call.wav")) > audio.SAMPLE_RATE


def test_a_call_that_cannot_be_made_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["call", "--url", "http://127.0.0.1:9"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("voice-agent: no server answers at http://127.0.0.1:9")
    assert (told.err.count("\n"), told.out) == (1, "")


@pytest.mark.parametrize("option", ["--json", "--record"])
@pytest.mark.parametrize(("name", "why"), [("no/such/file", "there is no folder"), ("", "it is a folder")])
def test_a_file_that_cannot_be_written_is_told_before_the_call(
    option: str, name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = ["--url", "http://127.0.0.1:9"]
    assert cli.main(["call", *nobody, option, str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.startswith(f"voice-agent: {tmp_path / name}: cannot be written: {why}")


def test_a_timeout_that_is_no_number_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["call", "--timeout", "soon"])
    assert "argument --timeout: expected seconds, more than 0, got soon" in capsys.readouterr().err


# --- calls that do not come about ---


def refuse(respond: Callable[[], Coroutine[Any, Any, Response]] | None) -> str:
    """Call a server that answers so, or none at all; returns what the caller is told."""

    async def main() -> str:
        app = FastAPI()
        if respond is not None:
            app.post("/v1/realtime/calls")(respond)
        async with serving(app) as url:
            with pytest.raises(InputError) as caught:
                await place_call(url, [beep(0.1)])
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, others
        return str(caught.value)

    return asyncio.run(main())


async def busy() -> Response:
    return Response('{"error": {"message": "all lines\\nare busy"}}', 503)


async def nonsense() -> Response:
    return Response("this is no SDP", 201)


def test_a_server_that_refuses_is_quoted_in_one_line() -> None:
    assert refuse(busy).endswith("refused the call: 503 all lines are busy")
    assert "refused the call: 404" in refuse(None)
    assert "expected an SDP answer" in refuse(nonsense)


def test_a_server_that_is_not_there() -> None:
    async def main() -> str:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            with pytest.raises(InputError) as caught:
                await place_call(f"http://127.0.0.1:{unused.getsockname()[1]}", [])
        with pytest.raises(InputError, match="no server answers at"):
            await place_call("no url", [])
        return str(caught.value)

    assert asyncio.run(main()).startswith("no server answers at http://127.0.0.1")


# --- what is said ---


def written(*arguments: str) -> list[Line]:
    options = cli.parser().parse_args(["call", *arguments])
    return asyncio.run(script.write(options.script))


def test_the_script_keeps_the_order_of_the_command_line(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        audio.write_wav(tmp_path / name, tone(0.3))
    files = str(tmp_path / "a.wav"), str(tmp_path / "b.wav")
    lines = written("--say", "Hello.", "--barge-in", "1.5", "--wav", *files, "--say", "Bye.")
    assert [(line.said, line.barge_in_s) for line in lines] == [
        ("Hello.", None), ("a.wav", 1.5), ("b.wav", None), ("Bye.", None),
    ]  # fmt: skip
    assert all(0.2 < len(line.samples) / audio.SAMPLE_RATE < 3 for line in lines)
    assert written() == []


def test_chinese_is_said_in_a_chinese_voice() -> None:
    options = cli.parser().parse_args(["call", "--say", "我的订单在哪里？", "--language", "zh"])
    (line,) = asyncio.run(script.write(options.script, options.language))
    assert 0.5 < len(line.samples) / audio.SAMPLE_RATE < 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--say", "Hello.", "--barge-in", "1"], "expected an utterance after --barge-in"),
        (["--barge-in", "1", "--barge-in", "2", "--say", "x"], "between two --barge-in"),
        (["--barge-in", "soon", "--say", "x"], "expected seconds from 0 to 600 after --barge-in, got 'soon'"),
        (["--barge-in", "-1", "--say", "x"], "expected seconds from 0 to 600"),
        (["--barge-in", "nan", "--say", "x"], "expected seconds from 0 to 600"),
        (["--say", "..."], "expected words after --say, got '...'"),
        (["--wav", "nowhere.wav"], "nowhere.wav: expected a sound file"),
    ],
)
def test_a_script_that_cannot_be_said_says_why(arguments: list[str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        written(*arguments)
    assert words in str(caught.value)


def test_an_unknown_voice_is_named() -> None:
    with pytest.raises(InputError, match=r"the caller has no voice for 'Hello': .*klingon"):
        asyncio.run(script.say("Hello", voice="klingon-9"))


# --- what the server tells ---


def test_events_that_make_no_sense_are_survived() -> None:
    log = EventLog()
    for text in ("", "[]", "3", "{}", '{"type": "response.created"}', '{"type": "error"}'):
        log.receive(text, 1.0)
    log.receive('{"type": "response.created", "response": {"id": 7}}', 1.0)
    log.receive('{"type": "error", "error": {"message": "no such thing"}}', 1.0)
    log.receive('{"type": "voice_agent.latency", "response_id": "r", "stages": 1}', 2.0)
    assert log.errors[-1].startswith("the server sent a broken voice_agent.latency: ")
    assert log.errors[-2] == "the server told: no such thing"
    latency = '"voice_to_voice_ms": 1, "stages": [1, {"name": "x"}]'
    log.receive(f'{{"type": "voice_agent.latency", "response_id": "r", {latency}}}', 2.0)
    assert log.responses["r"].stages_ms == {"x": 0.0}
    assert log.playing is None


def test_a_reply_is_followed_from_its_making_to_its_end() -> None:
    log = EventLog()

    def tell(type_: str, now: float, **fields: Any) -> None:
        log.receive(json.dumps({"type": type_, "response_id": "r1", **fields}), now)

    tell("response.created", 1.0, response={"id": "r1"})
    tell("response.output_audio_transcript.delta", 1.1, delta="Hello ")
    tell("response.output_audio_transcript.delta", 1.2, delta="there.")
    assert log.responses["r1"].text == "Hello there."
    tell("output_audio_buffer.started", 1.3)
    assert log.playing is log.responses["r1"] is log.last_begun
    tell("voice_agent.heard", 1.5, text="Hello", final=True, interrupted=True)
    tell("output_audio_buffer.cleared", 1.5)
    reply = log.responses["r1"]
    assert (reply.text, reply.transcript, reply.cut) == ("Hello", "Hello there.", True)
    assert (reply.created_s, reply.started_s, reply.ended_s) == (1.0, 1.3, 1.5)
    assert log.playing is None


# --- a server of its own ---


def test_its_own_server_is_ready_when_it_says_so_and_ends_with_the_call() -> None:
    ready = "print('a table'); print('Serving calls at http://127.0.0.1:7', flush=True)"
    program = f"import time; {ready}; time.sleep(60)"

    async def main() -> None:
        async with own_server.own_server([sys.executable, "-c", program]) as server:
            assert server.url == "http://127.0.0.1:7"
            cpu_s = server.cpu_s()
            assert cpu_s is None or 0 <= cpu_s < 10
        assert own_server.OwnServer("", server.pid).cpu_s() is None, "it is gone"

    asyncio.run(main())


def test_a_server_that_does_not_start_is_told() -> None:
    async def main() -> None:
        async with own_server.own_server([sys.executable, "-c", "raise SystemExit(2)"]):
            pass

    with pytest.raises(InputError, match=r"did not start \(exit status 2\)"):
        asyncio.run(main())
