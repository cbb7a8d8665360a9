"""For tests, ours and those of extension authors: a virtual clock, and one extension on its own."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from voice_agent import audio
from voice_agent.extension import Extension
from voice_agent.message import AudioFrame, Message, Samples

T = TypeVar("T")
M = TypeVar("M", bound=Message)


DEADLOCK_S = 10.0
"""Real seconds after which a loop that waits for nothing in particular fails instead of hanging."""


class JumpingSelector(selectors.DefaultSelector):
    """Where a real selector would wait for a timer, this one moves the clock to it and returns."""

    now = 0.0
    threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.threads:  # a thread works in real time: the clock waits for it
            return super().select(None)
        if timeout is None:
            if not (ready := super().select(DEADLOCK_S)):
                raise RuntimeError("deadlock: every task waits, and no timer or thread will wake one")
            return ready
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while it would otherwise wait."""

    def __init__(self, selector: JumpingSelector | None = None) -> None:
        self._jumping = selector or JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Run in a thread, during which virtual time stands still."""
        self._jumping.threads += 1
        future = super().run_in_executor(executor, func, *args)

        def done(_: object) -> None:
            self._jumping.threads -= 1

        future.add_done_callback(done)
        return future


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on the virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


@dataclass
class FakeSession:
    """The `session` of an extension that is tested alone."""

    session_id: str = "sess_test"
    language: str = "en"
    turn: int = 0
    interrupts: list[int] = field(default_factory=list)
    """The turn numbers at which the extension interrupted."""
    closed_because: str = ""
    tentative: dict[int, asyncio.Event] = field(default_factory=dict)
    """Turns that wait to be confirmed."""

    def begin_turn(self, tentative: bool = False) -> int:
        self.turn += 1
        if tentative:
            self.tentative[self.turn] = asyncio.Event()
        return self.turn

    def confirm(self, turn: int) -> None:
        if sure := self.tentative.pop(turn, None):
            sure.set()

    def is_tentative(self, turn: int | None) -> bool:
        return turn in self.tentative

    async def confirmed(self, turn: int | None) -> None:
        if turn is not None and (sure := self.tentative.get(turn)):
            await sure.wait()

    def interrupt(self) -> None:
        self.interrupts.append(self.turn)
        self.tentative.clear()

    def timings(self, turn: int) -> Mapping[str, float]:
        return {}

    def close(self, reason: str) -> None:
        self.closed_because = reason

    def fail(self, node: str, error: Exception) -> None:
        raise error


class Emitted(NamedTuple):
    """A message and the port it left by."""

    port: str
    message: Message


class Outbox(list[Emitted]):
    """What an extension has emitted, in order; itself an `emit`, which checks ports and classes."""

    def __init__(self, extension: Extension) -> None:
        super().__init__()
        self.extension = extension
        self.turn: int | None = None

    async def __call__(self, port: str, message: Message) -> None:
        assert isinstance(message, self.extension.outputs[port]), f"{message!r} on port '{port}'"
        if message.turn is None and self.turn is not None:
            message = replace(message, turn=self.turn)
        self.append(Emitted(port, message))

    def of(self, kind: type[M]) -> list[M]:
        """The messages of one class."""
        return [item.message for item in self if isinstance(item.message, kind)]


def attach(extension: Extension, session: FakeSession | None = None) -> Outbox:
    """Give an extension what the runtime would: a session, a name, all ports connected; returns its emit."""
    extension.session = session or FakeSession()
    extension.node = extension.node or "node"
    extension.connected = frozenset(extension.outputs)
    return Outbox(extension)


async def collect(
    extension: Extension, *messages: Message, session: FakeSession | None = None, prepare: bool = True
) -> Outbox:
    """Prepare and start an extension, hand it the messages in order, stop it; returns what it emitted."""
    emit = attach(extension, session)
    if prepare:
        extension.prepare()
    await extension.start()
    try:
        for message in messages:
            emit.turn = message.turn
            await extension.handle(message, emit)
    finally:
        await extension.stop()
    return emit


def frames_of(samples: Samples, start_s: float = 0.0) -> list[AudioFrame]:
    """A recording as the frames that a client would emit."""
    return [
        AudioFrame(piece, time_s=start_s + index * audio.FRAME_S)
        for index, piece in enumerate(audio.frames(samples))
    ]


def silence(seconds: float) -> Samples:
    """Digital silence, shape (n,)."""
    return np.zeros(round(seconds * audio.SAMPLE_RATE), np.int16)


def tone(seconds: float, hz: float = 440.0, level_db: float = -20.0) -> Samples:
    """A sine wave whose RMS level is given in dB of full scale, shape (n,)."""
    t = np.arange(round(seconds * audio.SAMPLE_RATE)) / audio.SAMPLE_RATE
    return audio.to_int16(np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * t))


@dataclass
class Wiring:
    """A graph made of extensions at hand: `Wiring({"a": A(), "b": B()}, [("a", "port", "b")])`."""

    extensions: dict[str, Extension]
    lines: Sequence[tuple[str, str, str]]

    @property
    def edges(self) -> list["Line"]:
        return [Line(*line) for line in self.lines]

    def build(self) -> dict[str, Extension]:
        return self.extensions


class Line(NamedTuple):
    """A connection of a `Wiring`."""

    source: str
    port: str
    dest: str
