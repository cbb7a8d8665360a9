"""`voice-agent node`: one node on a file, its messages as lines of JSON."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.outside import installed
from voice_agent import audio, cli
from voice_agent.testing import silence, tone

SLOW = '''
import asyncio
from dataclasses import dataclass
from voice_agent.errors import TurnError
from voice_agent.extension import Extension
from voice_agent.message import *

@dataclass
class Slow(Extension):
    """Answers after a time, in several pieces."""
    pieces: int = 3
    piece_s: float = 0.02
    inputs = (Clause,)
    outputs = {"speech": Speech}

    async def handle(self, message, emit):
        if message.text == "unspeakable":
            raise TurnError("no such sound")
        for index in range(self.pieces):
            await asyncio.sleep(self.piece_s)
            await emit("speech", Speech(np.full(1600, 1000, np.int16), final=index == self.pieces - 1))

@dataclass
class Deaf(Extension):
    """Owes an answer, and gives it from a thread of its own."""
    inputs = (AudioFrame, SpeechEnded)
    outputs = {"asr_result": Transcript}

    async def start(self):
        self.ended = asyncio.Queue()

    async def run(self, emit):
        while True:
            end_s = await self.ended.get()
            answered = asyncio.Event()
            import threading
            loop = asyncio.get_running_loop()
            threading.Timer(0.05, loop.call_soon_threadsafe, [answered.set]).start()
            await answered.wait()
            await emit("asr_result", Transcript("heard", True, end_s=end_s))

    async def handle(self, message, emit):
        if isinstance(message, SpeechEnded):
            self.ended.put_nowait(message.time_s)

@dataclass
class Broken(Extension):
    """Breaks."""
    inputs = (Text,)
    outputs = {"text": Text}

    async def handle(self, message, emit):
        raise RuntimeError("out of order")

@dataclass(frozen=True, slots=True, eq=False)
class Given(Message):
    """What the loudspeaker was given."""
    kind = "audio_frame"
    samples: Samples
    time_s: float

@dataclass
class Echo(Extension):
    """Takes away what was played, as if it came back at once."""
    inputs = (AudioFrame, Given)
    outputs = {"pcm_frame": AudioFrame}

    async def handle(self, message, emit):
        if isinstance(message, Given):
            self.given = message
        else:
            assert self.given.time_s == message.time_s
            await emit("pcm_frame", AudioFrame(message.samples - self.given.samples, message.time_s))

@dataclass
class Lame(Extension):
    """Stands still for longer than a call's inbox lasts, once."""
    inputs = (AudioFrame,)
    outputs = {"pcm_frame": AudioFrame}

    async def handle(self, message, emit):
        if message.time_s == 0:
            await asyncio.sleep(1.1)
        await emit("pcm_frame", message)
'''
ADDONS = {f"tts.{name.lower()}": f"slow_part:{name}" for name in ("Slow", "Deaf", "Broken", "Lame", "Echo")}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "caller.wav"
    audio.write_wav(path, tone(0.5))
    return path


@pytest.fixture
def outside(tmp_path: Path) -> Any:
    """Nodes of a package that is not ours."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "slow_part.py").write_text(SLOW)
    with installed(folder, ADDONS):
        yield


def node(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> list[dict[str, Any]]:
    assert cli.main(["node", *arguments]) == status
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


# --- by role --------------------------------------------------------------------------------------


def test_a_denoiser(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.wav"
    lines = node(capsys, "denoise.webrtc", "--wav", str(recording), "--tail", "0.1", "--out", str(out))
    assert [line["audio_s"] for line in lines] == [pytest.approx(0.02 * n) for n in range(1, 31)]
    assert {line["port"] for line in lines} == {"pcm_frame"} and {line["type"] for line in lines} == {
        "AudioFrame"
    }
    assert all(line["samples"]["seconds"] == 0.02 and not line["gap"] for line in lines)
    assert lines[20]["samples"]["level_db"] > lines[-1]["samples"]["level_db"]
    assert len(audio.read(out)) == 30 * audio.FRAME


def test_a_vad_is_as_late_in_audio_time_as_in_a_call(capsys: pytest.CaptureFixture[str]) -> None:
    started, *paused, ended = node(capsys, "vad.silero", "--say", "hello")
    assert (started["type"], ended["type"]) == ("SpeechStarted", "SpeechEnded")
    assert paused and {line["type"] for line in paused} == {"SpeechPaused"}
    assert 0.16 <= ended["audio_s"] - ended["time_s"] < 0.2
    assert 0 < paused[-1]["audio_s"] - paused[-1]["time_s"] <= 0.052
    assert 0 < started["took_ms"] < 1000


def test_a_recogniser_hears_through_a_vad(capsys: pytest.CaptureFixture[str]) -> None:
    *interim, final = node(capsys, "stt.pocketsphinx", "--say", "What are your opening hours?")
    assert interim and not any(line["final"] for line in interim)
    assert final["final"] and final["text"] == "what are your opening hours"
    assert final["audio_s"] > final["end_s"] > 1


def test_a_turn_node_is_told_lines_and_given_the_silence_it_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("hello there\n\n你好\n", encoding="utf-8")
    lines = node(capsys, "turn.silence", "--lines", str(file), "--property", "silence_ms=500")
    assert [line["port"] for line in lines] == ["turn_started", "turn_ended"] * 2
    assert next(line["text"] for line in lines if "text" in line) == "hello there"
    assert lines[3]["text"].endswith("你好"), "the answer to the first was never heard: both are one"
    for line in lines[1::2]:
        assert line["audio_s"] - line["ended_s"] == pytest.approx(0.5, abs=0.041)


def test_a_turn_node_hears_a_recording_and_is_told_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    lines = node(capsys, "turn.silence", "--say", "hello", "--text", "good evening")
    assert [line["port"] for line in lines] == ["turn_started", "turn_ended"]
    assert lines[1]["text"] == "good evening"


def test_the_first_kind_of_text_that_fits_or_the_named_one(capsys: pytest.CaptureFixture[str]) -> None:
    typed = node(capsys, "turn.silence", "--text", "hello", "--as", "typed")
    assert [line["audio_s"] for line in typed] == [0, 0]
    (route, _) = node(capsys, "router.fast", "--text", "hello")
    assert (route["type"], route["turn"]) == ("Route", 1)


def test_text_nodes_answer_line_by_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO("你们几点开门？\nHow can I pay?\n".encode()))
    )
    lines = node(capsys, "llm.fast", "--lines", "-", "--language", "zh")
    assert list(dict.fromkeys(line["turn"] for line in lines)) == [1, 2]
    clauses = node(capsys, "text.clause", "--text", "One sentence is here. Another one is there.")
    assert [line["type"] for line in clauses] == ["Clause"] * len(clauses) and clauses[-1]["final"]


def test_a_node_that_judges_lines_is_asked_for_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("i would like to\n等一下\n", encoding="utf-8")
    lines = node(capsys, "turn.words", "--lines", str(file))
    assert [(line["text"], line["label"]) for line in lines] == [
        ("i would like to", "unfinished"),
        ("等一下", "wait"),
    ]
    assert all(0.5 < line["probability"] <= 1 and line["took_ms"] < 1000 for line in lines)
    (in_a_session,) = node(capsys, "turn.words", "--text", "hold on", "--as", "transcript")
    assert (in_a_session["type"], in_a_session["label"]) == ("Judged", "wait")


def test_a_voice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "voice.wav"
    (line,) = node(capsys, "tts.espeak", "--text", "Good evening", "--out", str(out))
    assert line["words"][0]["text"] == "Good"
    assert len(audio.read(out)) / audio.SAMPLE_RATE == pytest.approx(line["samples"]["seconds"], abs=1e-3)


# --- outside packages, and what a session does -----------------------------------------------------


def test_an_interruption_flushes_in_the_middle(outside: None, capsys: pytest.CaptureFixture[str]) -> None:
    every = node(capsys, "tts.slow", "--text", "one", "--property", "pieces=9", "--tail", "0.1")
    assert len(every) == 9 and every[-1]["final"]
    cut = node(capsys, "tts.slow", "--text", "one", "--property", "pieces=9", "--interrupt-at", "0.3")
    assert len(cut) == 3 and not cut[-1]["final"]


def test_the_next_line_waits_for_the_answer(
    outside: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("one\nunspeakable\ntwo\n")
    lines = node(capsys, "tts.slow", "--lines", str(file), status=1)
    assert [line["turn"] for line in lines] == [1, 1, 1, 2, 3, 3, 3]
    assert lines[3] | {"took_ms": 0} == {
        "port": "failed", "type": "Failed", "audio_s": 0.0, "took_ms": 0,
        "turn": 2, "node": "tts.slow", "reason": "no such sound",
    }  # fmt: skip
    took = [line["took_ms"] for line in lines if line["turn"] == 3]
    assert took == sorted(took) and took[0] >= 19, "since the line was handed over"


def test_an_answer_that_comes_from_elsewhere_is_waited_for(
    outside: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = node(capsys, "tts.deaf", "--say", "hello", "--tail", "0.3")
    assert line["text"] == "heard" and line["took_ms"] >= 49
    assert line["audio_s"] - line["end_s"] < 0.2, "no sound was handed over meanwhile"


def test_a_node_that_breaks_is_named(outside: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["node", "tts.broken", "--text", "x"]) == 2
    assert capsys.readouterr() == ("", "voice-agent: node 'tts.broken': RuntimeError: out of order\n")


def test_a_slow_node_loses_nothing_unless_it_is_put_to_a_calls_pace(
    outside: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "long.wav"
    audio.write_wav(recording, silence(1.4))
    assert len(node(capsys, "tts.lame", "--wav", str(recording), "--tail", "0")) == 70
    assert cli.main(["node", "tts.lame", "--wav", str(recording), "--tail", "0.2", "--realtime"]) == 0
    out, err = capsys.readouterr()
    lost = int(err.split(" frames lost: ")[0])
    assert 0 < lost == 80 - len(out.splitlines())


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vad.silro", "--text", "x"], "node 'vad.silro': field 'addon': unknown addon 'vad.silro'; did you"),
        (
            ["vad.silero", "--property", "x=1", "--say", "x"],
            "node 'vad.silero': field 'x': vad.silero has no",
        ),
        (
            ["vad.silero", "--property", "threshold=high", "--say", "x"],
            "node 'vad.silero': field 'threshold': expected a valid number, got 'high'",
        ),
        (["vad.silero", "--property", "threshold"], "voice-agent: --property: expected NAME=VALUE, got 'thr"),
        (
            ["vad.silero", "--property", "x=1", "--property", "x=2"],
            "voice-agent: --property: field 'x' is gi",
        ),
        (["vad.silero"], "voice-agent: expected something to work on: --wav, --say, --text or --lines"),
        (["vad.silero", "--text", "x"], "voice-agent: the node takes no text; it takes AudioFrame"),
        (["vad.silero", "--wav", "nosuch.wav"], "voice-agent: nosuch.wav: expected a sound file"),
        (["vad.silero", "--say", "x", "--text", "x"], "voice-agent: text beside a recording is what a recog"),
        (["tts.espeak", "--say", "x"], "voice-agent: the node takes no sound of the caller; it takes Clause"),
        (
            ["tts.espeak", "--text", "x", "--as", "prompt"],
            "voice-agent: the node takes no Prompt; its text can be: clause",
        ),
        (["tts.espeak", "--lines", "nosuch.txt"], "voice-agent: nosuch.txt: expected lines of text: No such"),
        (
            ["tts.espeak", "--text", "x", "--out", "no/such.wav"],
            "voice-agent: no/such.wav: cannot be written",
        ),
        (
            ["stt.pocketsphinx", "--say", "x", "--vad", "denoise.webrtc"],
            "voice-agent: --vad: expected a node that tells of speech, got denoise.webrtc",
        ),
        (
            ["tts.espeak", "--text", "x", "--property", 'voices={"en": "nobody"}'],
            "voice-agent: node 'tts.espeak' (tts.espeak): espeak-ng has no voice nobody",
        ),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["node", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert err.startswith(said)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe"])
def test_lines_that_hold_no_text(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lines.txt"
    file.write_bytes(content)
    assert cli.main(["node", "tts.espeak", "--lines", str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"voice-agent: {file}: expected ")


def test_what_is_played_goes_to_a_node_that_asks_for_it(
    outside: None, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--wav", str(recording), "--played", str(recording), "--tail", "0.1"]
    lines = node(capsys, "tts.echo", *arguments)
    assert len(lines) == 30
    assert all(line["samples"]["level_db"] == -100 for line in lines), "each frame less the one it came with"
    assert cli.main(["node", "vad.silero", *arguments]) == 2
    assert capsys.readouterr().err.startswith("voice-agent: the node takes nothing that was played")
    assert cli.main(["node", "tts.espeak", "--text", "x", "--played", str(recording)]) == 2
    assert capsys.readouterr().err.startswith("voice-agent: --played goes with")
