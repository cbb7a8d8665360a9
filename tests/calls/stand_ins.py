"""Nodes that stand in for models, with known delays, for whole calls on the virtual clock."""

import asyncio
from dataclasses import dataclass, field

import numpy as np

from voice_agent import audio
from voice_agent.extension import Emit, Extension
from voice_agent.media.playout import Playout
from voice_agent.message import (
    AudioFrame,
    CallStarted,
    Clause,
    Heard,
    Message,
    Samples,
    Speech,
    SpeechEnded,
    SpeechStarted,
    Text,
    Transcript,
    TurnEnded,
)
from voice_agent.testing import silence, tone

LOUD_DB = -40.0


@dataclass
class ScriptedCaller(Extension):
    """Speaks (a tone) during the given stretches of time, and listens, frame by frame."""

    stretches: tuple[tuple[float, float], ...] = ()
    """(start_s, end_s)."""
    length_s: float = 10.0

    inputs = (Speech,)
    outputs = {"call_started": CallStarted, "pcm_frame": AudioFrame, "heard": Heard}

    async def start(self) -> None:
        self.playout = Playout()
        self.ear: list[tuple[float, int | None, bool]] = []
        """For each frame its time, the turn being played, and whether it is audible."""
        self.heard: list[Heard] = []

    async def run(self, emit: Emit) -> None:
        await emit("call_started", CallStarted(turn=self.session.begin_turn()))
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for index in range(round(self.length_s / audio.FRAME_S)):
            time_s = index * audio.FRAME_S
            await asyncio.sleep(begin + time_s - loop.time())
            speaking = any(start <= time_s < end for start, end in self.stretches)
            await emit("pcm_frame", AudioFrame(tone(0.02) if speaking else silence(0.02), time_s=time_s))
            self.listen(time_s)
            for heard in self.playout.progress():
                self.heard.append(heard)
                await emit("heard", heard)
        self.session.close("script over")

    def listen(self, time_s: float) -> None:
        playing = self.playout.playing
        frame: Samples = self.playout.pull()
        self.ear.append((time_s, self.playout.playing or playing, audio.level_db(frame) > LOUD_DB))

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Speech)
        self.playout.push(message)

    def flush(self) -> None:
        self.playout.cut()


@dataclass
class LevelVad(Extension):
    """Hears a voice in every loud frame, with the delays of a real VAD."""

    start_frames: int = 4
    end_frames: int = 5

    inputs = (AudioFrame,)
    outputs = {"speech_started": SpeechStarted, "speech_ended": SpeechEnded}

    async def start(self) -> None:
        self.loud = self.quiet = 0
        self.speaking = False

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, AudioFrame)
        if audio.level_db(message.samples) > LOUD_DB:
            self.loud, self.quiet = self.loud + 1, 0
        else:
            self.loud, self.quiet = 0, self.quiet + 1
        if not self.speaking and self.loud == self.start_frames:
            self.speaking = True
            await emit("speech_started", SpeechStarted(message.time_s - (self.loud - 1) * audio.FRAME_S))
        if self.speaking and self.quiet == self.end_frames:
            self.speaking = False
            await emit("speech_ended", SpeechEnded(message.time_s - (self.quiet - 1) * audio.FRAME_S))


@dataclass
class NumberingStt(Extension):
    """Understands the n-th stretch of speech as "utterance n", after a delay."""

    delay_s: float = 0.1

    inputs = (SpeechEnded,)
    outputs = {"asr_result": Transcript}

    async def start(self) -> None:
        self.count = 0

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, SpeechEnded)
        self.count += 1
        text = f"utterance {self.count}"
        await asyncio.sleep(self.delay_s)
        await emit("asr_result", Transcript(text, final=True, end_s=message.time_s))


@dataclass
class EchoLlm(Extension):
    """Answers with what it was told, word by word, with a delay before each."""

    delay_s: float = 0.05
    words: int = 12

    inputs = (CallStarted, TurnEnded, Heard)
    outputs = {"text": Text}

    async def start(self) -> None:
        self.asked: list[TurnEnded] = []
        self.heard: list[Heard] = []

    async def handle(self, message: Message, emit: Emit) -> None:
        match message:
            case Heard(final=True):
                self.heard.append(message)
            case CallStarted():
                await emit("text", Text("Hello, how can I help you today?", final=True))
            case TurnEnded():
                self.asked.append(message)
                for index in range(self.words):
                    await asyncio.sleep(self.delay_s)
                    end = ". " if index % 4 == 3 else " "
                    await emit("text", Text(f"answer{message.turn}{end}", final=index == self.words - 1))


@dataclass
class ToneTts(Extension):
    """Speaks a tone as long as the text, in pieces, after a delay."""

    delay_s: float = 0.08
    seconds_per_char: float = 0.03
    spoken: list[str] = field(default_factory=list)

    inputs = (Clause,)
    outputs = {"pcm_frame": Speech}

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Clause)
        await asyncio.sleep(self.delay_s)
        voice = tone(max(0.02, self.seconds_per_char * len(message.text)))
        pieces = np.array_split(voice, 3)
        for index, piece in enumerate(pieces):
            last = message.final and index == len(pieces) - 1
            await emit("pcm_frame", Speech(piece, text=message.text if index == 0 else "", final=last))
