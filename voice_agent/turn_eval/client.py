"""The caller's end of the call in a trial: a scripted caller in place of a browser, and two tapes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from voice_agent import spoken
from voice_agent.audio import FRAME, FRAME_S, SAMPLE_RATE
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
    Typed,
    Word,
)
from voice_agent.turn_eval.caller import Caller
from voice_agent.turn_eval.scenario import Echo
from voice_agent.turn_eval.way import Way


@dataclass(frozen=True)
class Reply:
    """What the agent was to say in a turn."""

    text: str
    voice: Samples
    """Its sound, as it was made."""
    words: tuple[Word, ...]
    """From the first sample of the reply."""

    @classmethod
    def of(cls, pieces: Sequence[Speech]) -> "Reply":
        """Join the stretches of a voice."""
        text, words, samples, clause_s = "", [], 0, 0.0
        for piece in pieces:
            if piece.text:
                text, clause_s = spoken.join(text, piece.text), samples / SAMPLE_RATE
            words += [Word(w.text, w.start_s + clause_s, w.end_s + clause_s) for w in piece.words]
            samples += len(piece.samples)
        return cls(text, np.concatenate([piece.samples for piece in pieces]), tuple(words))


class TrialClient(Extension):
    """Speaks the script frame by frame, plays the replies, and keeps what both sides heard."""

    inputs = (Message,)
    outputs = {
        "call_started": CallStarted, "pcm_frame": AudioFrame, "played_frame": PlayedFrame,
        "heard": Heard, "typed": Typed,
    }  # fmt: skip

    def __init__(
        self, caller: Caller, language: str, background: Samples, echo: Echo | None, up: Way, down: Way
    ) -> None:
        self.caller = caller
        self.said: list[Samples] = []
        """What the microphone was given, a frame for every 20 ms of the call."""
        self.ear: list[Samples] = []
        """What the loudspeaker played meanwhile."""
        self._made: dict[int, list[Speech]] = {}
        self.began_s = 0.0
        """Loop time at which the call began."""
        self._language = language
        self._background = background
        self._echo = echo
        self._up, self._down = up, down

    async def start(self) -> None:
        self._playout = Playout()
        self._words: Mapping[int, int] = {}

    async def run(self, emit: Emit) -> None:
        loop = asyncio.get_running_loop()
        self.began_s = loop.time()
        await emit("call_started", CallStarted(self._language, turn=self.session.begin_turn()))
        tick = 0
        while not self.caller.over:
            now_s = tick * FRAME_S
            self._down.push(self._playout.pull(), now_s)
            for heard in self._playout.progress():
                self._words = {heard.reply: len(spoken.word_spans(heard.text))}
                await emit("heard", heard)
            played = self._down.take(now_s)
            said = self._mixed(self.caller.speak(now_s), tick)
            self.caller.listen(played, next(iter(self._words.values()), 0))
            self.said.append(said)
            self.ear.append(played)
            tick += 1
            await asyncio.sleep(self.began_s + tick * FRAME_S - loop.time())
            if "played_frame" in self.connected:
                await emit("played_frame", PlayedFrame(played, now_s))
            self._up.push(said, tick * FRAME_S)  # a frame can leave when its last sample has been heard
            for frame in self._up.frames(tick * FRAME_S):
                await emit("pcm_frame", frame)
        self.session.close("the script is over")

    async def handle(self, message: Message, emit: Emit) -> None:
        match message:
            case Speech(turn=int(turn)):
                await self.session.confirmed(turn)
                self._made.setdefault(turn, []).append(message)
                self._playout.push(message)
            case Playback():
                self._playout.set_mode(message.mode)

    def flush(self) -> None:
        self._playout.cut()

    def _mixed(self, voice: Samples, tick: int) -> Samples:
        """The caller's voice with what else gets into the microphone."""
        if not len(self._background) and self._echo is None:
            return voice
        total = voice.astype(np.float64)
        if len(self._background):
            total += np.take(self._background, range(tick * FRAME, (tick + 1) * FRAME), mode="wrap")
        if self._echo is not None:
            back = max(1, round(self._echo.delay_ms / 1000 / FRAME_S))
            if back <= len(self.ear):
                total += self.ear[-back] * 10 ** (self._echo.level_db / 20)
        mixed: Samples = np.clip(np.rint(total), -32768, 32767).astype(np.int16)
        return mixed

    @property
    def replies(self) -> dict[int, Reply]:
        """What the agent was to say in each turn."""
        return {turn: Reply.of(pieces) for turn, pieces in self._made.items()}

    @property
    def tapes(self) -> tuple[Samples, Samples]:
        """The caller's channel and the agent's, of the same length."""
        nothing: Samples = np.zeros(0, np.int16)
        return np.concatenate((nothing, *self.said)), np.concatenate((nothing, *self.ear))
