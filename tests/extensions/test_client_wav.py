"""client.wav in a session on the virtual clock, with an agent that says fixed things."""

import asyncio
import tempfile
import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions.client.wav import WavClient
from extensions.text.clause import ClauseCutter
from extensions.tts.espeak import EspeakTts
from voice_agent import audio
from voice_agent.audio import FRAME_S, SAMPLE_RATE
from voice_agent.errors import InputError
from voice_agent.extension import Emit, Extension
from voice_agent.message import (
    AudioFrame,
    CallStarted,
    Heard,
    Message,
    Playback,
    PlaybackMode,
    PlayedFrame,
    Samples,
    Speech,
    Text,
    Word,
)
from voice_agent.session import Session
from voice_agent.testing import Wiring, run, tone

HELLO = Speech(tone(1.0), "Hello there.", (Word("Hello", 0.0, 0.5), Word("there.", 0.5, 1.0)), final=True)


@dataclass
class Agent(Extension):
    """Greets with HELLO, says it again at `answer_s`, and interrupts itself at `interrupt_s`."""

    answer_s: float = 1e9
    confirm_s: float | None = None
    """When the turn of that answer is confirmed; None if it is sure from the start."""
    interrupt_s: float = 1e9
    playback: dict[float, PlaybackMode] = field(default_factory=dict)
    """How its voice is to be played, by time."""

    inputs = (CallStarted, AudioFrame, PlayedFrame, Heard)
    outputs = {"pcm_frame": Speech, "playback": Playback}

    async def start(self) -> None:
        self.started: list[CallStarted] = []
        self.frames: list[tuple[float, AudioFrame]] = []
        self.heard: list[tuple[float, Heard]] = []
        self.played: list[PlayedFrame] = []

    async def handle(self, message: Message, emit: Emit) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(message, CallStarted):
            self.started.append(message)
            await emit("pcm_frame", HELLO)
        elif isinstance(message, Heard):
            self.heard.append((round(now, 6), message))
        elif isinstance(message, PlayedFrame):
            self.played.append(message)
        elif isinstance(message, AudioFrame):
            self.frames.append((now, message))
            if abs(message.time_s - self.interrupt_s) < FRAME_S / 2:
                self.session.interrupt()
            if abs(message.time_s - self.answer_s) < FRAME_S / 2:
                turn = self.session.begin_turn(tentative=self.confirm_s is not None)
                await emit("pcm_frame", Speech(HELLO.samples, HELLO.text, HELLO.words, True, turn=turn))
            if self.confirm_s is not None and abs(message.time_s - self.confirm_s) < FRAME_S / 2:
                self.session.confirm(2)
            if mode := self.playback.get(round(message.time_s, 2)):
                await emit("playback", Playback(mode))


@dataclass
class Call:
    """A call that is over."""

    agent: Agent
    closed_because: str
    took_s: float
    heard: list[Heard] = field(default_factory=list)


def call(path: Path, agent: Agent | None = None, **config: object) -> Call:
    agent = agent or Agent()

    async def main() -> Call:
        client = WavClient(str(path), **config)  # type: ignore[arg-type]
        lines = [(port, "agent") for port in client.outputs]
        edges = [("client", port, dest) for port, dest in lines] + [
            ("agent", port, "client") for port in agent.outputs
        ]
        session = Session(Wiring({"client": client, "agent": agent}, edges), language="zh")
        began = asyncio.get_running_loop().time()
        await session.start()
        await session.run()
        took_s = asyncio.get_running_loop().time() - began
        return Call(agent, session.closed_because, took_s, [heard for _, heard in agent.heard])

    return run(main())


@pytest.fixture
def caller(tmp_path: Path) -> Path:
    """Two seconds of a caller."""
    path = tmp_path / "caller.wav"
    audio.write_wav(path, tone(2.0, hz=300))
    return path


def read_stereo(path: Path) -> tuple[Samples, Samples]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, SAMPLE_RATE, 2)
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def test_what_is_played_is_told_with_the_time_of_the_callers_frames(caller: Path, tmp_path: Path) -> None:
    agent = call(caller, tail_s=0.5, out=str(tmp_path / "call.wav")).agent
    assert [frame.time_s for frame in agent.played][: len(agent.frames)] == [
        f.time_s for _, f in agent.frames
    ]
    _, right = read_stereo(tmp_path / "call.wav")
    told = np.concatenate([frame.samples for frame in agent.played])
    assert np.array_equal(told, right[: len(told)]) and told.any()


def test_frames_come_in_real_time_and_are_the_recording(caller: Path) -> None:
    agent = call(caller, tail_s=0.5).agent
    times = np.array([time for time, _ in agent.frames])
    assert np.allclose(times - times[0], np.arange(len(times)) * FRAME_S)
    assert [frame.time_s for _, frame in agent.frames] == pytest.approx(np.arange(len(times)) * FRAME_S)
    sent = np.concatenate([frame.samples for _, frame in agent.frames])
    assert np.array_equal(sent[: 2 * SAMPLE_RATE], audio.read(caller))
    assert not sent[2 * SAMPLE_RATE :].any()


def test_the_call_begins_with_a_turn_in_the_callers_language(caller: Path) -> None:
    assert call(caller, tail_s=0).agent.started == [CallStarted("zh", turn=1)]
    assert call(caller, tail_s=0, language="en").agent.started == [CallStarted("en", turn=1)]


def test_what_is_heard_follows_the_playing(caller: Path) -> None:
    told = call(caller, tail_s=0.1).agent.heard
    assert [(heard.text, heard.final) for _, heard in told] == [
        ("", False),
        ("Hello", False),
        ("Hello there.", False),
        ("Hello there.", True),
    ]
    times = [time for time, _ in told]
    assert np.allclose(np.array(times) - times[0], [0, 0.26 - 0.02, 0.76 - 0.02, 0.98])


def test_it_hangs_up_after_the_silence_it_was_told(caller: Path) -> None:
    over = call(caller, tail_s=4)
    assert over.closed_because == "the recording is over"
    assert over.took_s == pytest.approx(2 + 4, abs=0.05)


def test_it_hears_a_late_reply_to_its_end(caller: Path) -> None:
    over = call(caller, Agent(answer_s=5.0), tail_s=4, after_reply_s=1)
    assert over.heard[-1] == Heard(2, "Hello there.", final=True)
    assert over.took_s == pytest.approx(5 + 1 + 1, abs=0.05)


def test_an_interruption_cuts_the_reply(caller: Path, tmp_path: Path) -> None:
    over = call(caller, Agent(interrupt_s=0.6), tail_s=0.1, out=str(tmp_path / "call.wav"))
    assert over.heard[-1] == Heard(1, "Hello", final=True, interrupted=True)
    _, right = read_stereo(tmp_path / "call.wav")
    last = int(np.flatnonzero(right)[-1]) / SAMPLE_RATE
    assert 0.58 < last < 0.66


def test_the_call_is_written_caller_left_agent_right(caller: Path, tmp_path: Path) -> None:
    call(caller, Agent(answer_s=2.5), out=str(tmp_path / "call.wav"), after_reply_s=0.5)
    left, right = read_stereo(tmp_path / "call.wav")
    assert np.array_equal(left[: 2 * SAMPLE_RATE], audio.read(caller))
    said = right[np.flatnonzero(right)[0] - 1 :][:SAMPLE_RATE]
    assert np.array_equal(said, HELLO.samples)
    answer = right[round(2.4 * SAMPLE_RATE) :]
    assert np.flatnonzero(answer)[0] / SAMPLE_RATE == pytest.approx(0.1, abs=0.03)


def test_a_file_that_is_no_sound_is_known_before_the_call(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"no sound at all")
    for path in (tmp_path / "x.wav", tmp_path / "none.wav"):
        with pytest.raises(InputError, match="expected a sound file"):
            WavClient(str(path)).prepare()


def test_a_pause_goes_on_at_a_word_and_ducking_can_be_heard(caller: Path, tmp_path: Path) -> None:
    out = tmp_path / "call.wav"
    over = call(caller, Agent(playback={0.7: "paused", 1.5: "full", 1.7: "ducked"}), tail_s=1, out=str(out))
    assert over.heard == [Heard(1, ""), Heard(1, "Hello"), Heard(1, "Hello there."), over.heard[-1]]
    assert over.heard[-1] == Heard(1, "Hello there.", final=True)
    _, right = read_stereo(out)
    begin_s = np.flatnonzero(right)[0] / SAMPLE_RATE

    def level_db(start_s: float, end_s: float) -> float:
        start, end = (round((begin_s + time_s) * SAMPLE_RATE) for time_s in (start_s, end_s))
        return audio.level_db(right[start:end])

    assert level_db(0.74, 1.48) == audio.SILENCE_DB
    assert level_db(1.54, 1.68) == pytest.approx(-20, abs=0.5)
    assert level_db(1.76, 1.98) == pytest.approx(-35, abs=0.5)
    assert level_db(2.04, 2.5) == audio.SILENCE_DB, "half a second of it was left"


def test_a_tentative_answer_is_heard_when_it_is_confirmed(caller: Path) -> None:
    told = call(caller, Agent(answer_s=2.5, confirm_s=3.0), tail_s=4).agent.heard
    assert [round(time, 1) for time, heard in told if heard.reply == 2 and not heard.text] == [3.0]


@dataclass
class Writer(Extension):
    """Answers the call with a text, a character at a time."""

    text: str
    inputs = (CallStarted, Heard)
    outputs = {"text": Text}

    async def start(self) -> None:
        self.heard: list[Heard] = []

    async def handle(self, message: Message, emit: Emit) -> None:
        if isinstance(message, Heard):
            self.heard.append(message)
        elif isinstance(message, CallStarted):
            for char in self.text:
                await emit("text", Text(char, message.language))
            await emit("text", Text("", final=True))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Good morning, this is the shop. Order #1234 is at https://shop.example/x, Mr. Li!"),
        ("zh", "您好，这里是小店。订单号1234已经发货，请稍等。"),
    ],
)
def test_from_written_to_heard(caller: Path, language: str, text: str) -> None:
    """Clause cutter, voice and client together: every word written is heard, in order, and no other."""
    nodes = {
        "client": WavClient(str(caller), language=language, after_reply_s=0),
        "writer": (writer := Writer(text)),
        "cut": ClauseCutter(),
        "tts": EspeakTts(),
    }
    lines = [
        ("client", "call_started", "writer"),
        ("client", "heard", "writer"),
        ("writer", "text", "cut"),
        ("cut", "clause", "tts"),
        ("tts", "pcm_frame", "client"),
    ]

    async def main() -> None:
        session = Session(Wiring(nodes, lines))
        await session.start()
        await session.run()

    run(main())
    told = [heard.text for heard in writer.heard]
    assert writer.heard[-1] == Heard(1, text, final=True)
    assert told[0] == "" and len(set(told)) > 10 and all(text.startswith(heard) for heard in told)


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([8000, 11025, 44100, 48000]),
    st.integers(1, 3),
    st.integers(200, 30_000),
)
def test_any_recording_is_a_call(rate: int, channels: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.wav"
        audio.write_wav(path, np.ones((count, channels), np.int16), rate)
        over = call(path, tail_s=0, after_reply_s=0)
    assert over.took_s == pytest.approx(max(count / rate, 1.0), abs=0.1), "the greeting takes a second"
    assert over.heard[-1].final
