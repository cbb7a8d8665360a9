"""Run one node in a session of its own, between what hands it its messages and what listens to it.

It is a session as in a call: turns are numbered, interruptions flush, a TurnError becomes `Failed`.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from voice_agent.audio import FRAME_S, SAMPLE_RATE
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message, Speech, SpeechEnded, SpeechStarted, Transcript
from voice_agent.session import FAILED, Session
from voice_agent.testing import Wiring
from voice_agent.trial.clock import HurriedLoop
from voice_agent.trial.cues import Cue, takes

POLL_S = 0.005
OWED_S = 30.0
"""A recogniser that has not answered the end of speech for so long is not waited for any more."""
SOURCE, VAD, VAD_EAR, CALLER = "(source)", "(vad)", "(vad's ear)", "(caller)"
PORT = "message"


@dataclass(frozen=True)
class Output:
    """A message that came out of a port."""

    port: str
    message: Message
    audio_s: float
    """Audio time that the node had been handed by then."""
    took_ms: float
    """Real time since what it answers was handed over: the message of its turn, the end of the speech
    of a final transcript, else the latest message.
    """


@dataclass
class Trial:
    """What is to be done, and what came of it."""

    name: str
    """The node's, for errors."""
    node: Extension
    cues: Sequence[Cue]
    vad: Extension | None = None
    """Tells a node that listens when somebody speaks."""
    understood: Sequence[str] = ()
    """What a recogniser makes of each stretch of speech that the VAD hears; nothing of those after them."""
    language: str = "en"
    realtime: bool = False
    """At the pace of a call, where what is slow loses sound. Otherwise time in which nobody works is
    skipped, and nothing more is handed over before the node has taken what came before.
    """
    tail_s: float = 2.0
    """After the last message, how long the node may keep quiet before that is the end."""
    interrupt_at_s: float | None = None
    """The caller interrupts once so much time has passed, or so much of a voice has come out."""
    on_output: Callable[[Output], None] = lambda output: None

    dropped: int = 0
    """Frames that the node was too slow for."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    """Of this process, all threads, while the session ran."""
    _session: Session | None = None
    _audio_s: float = 0.0
    _handed_s: float = 0.0
    _turns: dict[int, float] = field(default_factory=dict)
    """When the message that opened a turn was handed over."""
    _ended_s: float = 0.0
    """When the latest end of speech was."""
    _owed: int = 0
    """Ends of speech that no final transcript has answered yet."""
    _latest_s: float = 0.0
    """Loop time at which something came out last."""
    _voice_s: float = 0.0
    _interrupted: bool = False

    def run(self) -> None:
        """Run it to its end. Raises ExtensionError when the node breaks."""
        factory = None if self.realtime else (lambda: HurriedLoop(self.busy))
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self._run())

    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._session is not None and (self._session.replying or self._owed > 0)

    async def _run(self) -> None:
        session = self._session = Session(self._wiring(), language=self.language)
        for port in (*self.node.outputs, FAILED):
            session.nodes[f"({port})"].inbox.live_limit = sys.maxsize  # nothing that came out is lost
        await session.start()
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        try:
            await session.run()
        finally:
            self.wall_s, self.cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
            self.dropped = session.nodes[self.name].inbox.dropped

    def _wiring(self) -> Wiring:
        extensions: dict[str, Extension] = {SOURCE: _Source(self), self.name: self.node}
        lines = [(SOURCE, PORT, self.name)]
        for port in (*self.node.outputs, FAILED):
            extensions[f"({port})"] = _Listener(self, port)
            lines.append((self.name, port, f"({port})"))
        if self.vad is not None:
            extensions |= {VAD: self.vad, VAD_EAR: _VadEar(self)}
            lines += [(SOURCE, PORT, VAD), (VAD_EAR, PORT, self.name)]
            for port, message in self.vad.outputs.items():
                if issubclass(message, (SpeechStarted, SpeechEnded)):
                    lines.append((VAD, port, VAD_EAR))
        if self.interrupt_at_s is not None:
            extensions[CALLER] = _Caller(self, self.interrupt_at_s)
        return Wiring(extensions, lines)

    # --- what the nodes around it tell ---

    def hand(self, cue: Cue) -> Message:
        """Note that a cue is handed over now; returns it with its turn."""
        assert self._session is not None
        message = cue.message
        if cue.opens_turn:
            message = replace(message, turn=self._session.begin_turn())
        self._handed_s = time.perf_counter()
        if message.turn is not None:
            self._turns[message.turn] = self._handed_s
        if isinstance(message, AudioFrame):
            self._audio_s = message.time_s + FRAME_S
        elif isinstance(message, SpeechEnded):
            self.speech_ended()
        return message

    def speech_ended(self) -> None:
        """The node is told that speech has ended."""
        self._ended_s = time.perf_counter()
        if Transcript in self.node.outputs.values():
            self._owed += 1

    def hear(self, port: str, message: Message) -> None:
        """Take what came out of a port."""
        now_s = time.perf_counter()
        since_s = self._handed_s
        if message.turn in self._turns:
            since_s = self._turns[message.turn]
        elif isinstance(message, Transcript) and message.final:
            since_s = self._ended_s
            self._owed = max(0, self._owed - 1)
        self._latest_s = asyncio.get_running_loop().time()
        self.on_output(Output(port, message, self._audio_s, (now_s - since_s) * 1000))
        if isinstance(message, Speech):
            self._voice_s += len(message.samples) / SAMPLE_RATE
            if self.interrupt_at_s is not None and self._voice_s >= self.interrupt_at_s:
                self.interrupt()

    def interrupt(self) -> None:
        """The caller interrupts, once."""
        assert self._session is not None
        if not self._interrupted:
            self._interrupted = True
            self._session.interrupt()

    # --- waiting ---

    async def settled(self) -> None:
        """Until the node has taken what it was handed, and no answer is awaited."""
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        while self.busy() or self._unread():
            if self._owed and loop.time() - since_s > OWED_S:
                self._owed = 0
            await asyncio.sleep(POLL_S)

    async def quiet(self) -> None:
        """Until that is so, and nothing has come out for as long as `tail_s`."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(POLL_S)
        await self.settled()
        self._latest_s = max(self._latest_s, loop.time())
        while loop.time() < self._latest_s + self.tail_s:
            await asyncio.sleep(POLL_S)
            await self.settled()

    def _unread(self) -> int:
        assert self._session is not None
        return sum(len(node.inbox.live.items) for node in self._session.nodes.values())


class _Source(Extension):
    """Hands the node its messages."""

    outputs = {PORT: Message}

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    async def run(self, emit: Emit) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for cue in self._trial.cues:
            if cue.at_s is None:
                await self._trial.settled()
            else:
                await asyncio.sleep(began_s + cue.at_s - loop.time())
                if not self._trial.realtime:
                    await self._trial.settled()
            await emit(PORT, self._trial.hand(cue))
        await self._trial.quiet()
        self.session.close("all has been said")


class _Listener(Extension):
    """Takes what comes out of one port."""

    inputs = (Message,)

    def __init__(self, trial: Trial, port: str) -> None:
        self._trial = trial
        self._port = port

    async def handle(self, message: Message, emit: Emit) -> None:
        self._trial.hear(self._port, message)


class _VadEar(Extension):
    """Passes on what the VAD tells, as far as the node takes it, and plays the recogniser."""

    inputs = (SpeechStarted, SpeechEnded)
    outputs = {PORT: Message}

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._texts = self._understood()

    def _understood(self) -> Iterator[str]:
        yield from self._trial.understood
        while True:
            yield ""

    async def handle(self, message: Message, emit: Emit) -> None:
        node = self._trial.node
        if isinstance(message, SpeechEnded):
            self._trial.speech_ended()
        if takes(node, type(message)):
            await emit(PORT, message)
        if isinstance(message, SpeechEnded) and takes(node, Transcript):
            text = next(self._texts)
            language = self.session.language
            await emit(PORT, Transcript(text, True, language, 1.0 if text else 0.0, message.time_s))


class _Caller(Extension):
    """Interrupts."""

    def __init__(self, trial: Trial, at_s: float) -> None:
        self._trial = trial
        self._at_s = at_s

    async def run(self, emit: Emit) -> None:
        await asyncio.sleep(self._at_s)
        self._trial.interrupt()
