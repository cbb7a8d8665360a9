"""One caller's running graph: a task group, the turn counter, and the interrupt. Nothing about roles."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from voice_agent import metrics
from voice_agent.errors import ExtensionError, TurnError, VoiceAgentError
from voice_agent.extension import Extension
from voice_agent.inbox import Inbox
from voice_agent.message import Failed, Message

log = logging.getLogger(__name__)
STOP_TIMEOUT_S = 5.0
FAILED = "failed"
"""Every node has this output port, for the TurnError it raises."""


class Connection(Protocol):
    """A line of the graph: what `source` emits on `port` goes to `dest`."""

    @property
    def source(self) -> str: ...
    @property
    def port(self) -> str: ...
    @property
    def dest(self) -> str: ...


class Buildable(Protocol):
    """What a session needs of a graph."""

    @property
    def edges(self) -> Sequence[Connection]:
        """The lines between the nodes."""

    def build(self) -> dict[str, Extension]:
        """New extensions, configured, by node name."""


@dataclass
class Node:
    """An extension at its place in the graph."""

    name: str
    extension: Extension
    inbox: Inbox
    routes: dict[str, list["Node"]]


class Session:
    """One call. `start` it, then `run` it to its end; `close` ends it from anywhere."""

    def __init__(self, graph: Buildable, *, language: str = "en", session_id: str = "") -> None:
        self.session_id = session_id or f"sess_{uuid.uuid4().hex[:16]}"
        self.language = language
        self.nodes = self._wire(graph)
        self.closed_because = ""
        self._turn = 0
        self._tentative: dict[int, asyncio.Event] = {}
        """Turns that are not sure yet, and what is set when they are."""
        self._timings: dict[int, dict[str, float]] = {}
        self._replies: dict[asyncio.Task[None], int] = {}
        self._closing = asyncio.Event()
        self._failure: BaseException | None = None
        self._started: list[Node] = []

    # --- what nodes may call (extension.Host) ---

    def begin_turn(self, tentative: bool = False) -> int:
        """Count a new turn and return its number."""
        self._turn += 1
        if tentative:
            self._tentative[self._turn] = asyncio.Event()
        self._timings[self._turn] = {}
        self._timings.pop(self._turn - 20, None)
        return self._turn

    def interrupt(self) -> None:
        """Cancel every reply up to now, in one synchronous step: when this returns, no inbox holds a
        message of these turns or will take one, their handlers are cancelled and every node is flushed.
        """
        for node in self.nodes.values():
            node.inbox.discard(self._turn)
        for task, turn in self._replies.items():
            if turn <= self._turn and task is not asyncio.current_task():
                task.cancel()
        for node in self._started:
            try:
                node.extension.flush()
            except Exception as error:  # not the fault of who interrupts; the others are flushed all the same
                self.fail(node.name, error)
        self._tentative.clear()
        log.debug("%s turn %d interrupted", self.session_id, self._turn)

    def confirm(self, turn: int) -> None:
        """A tentative turn is sure now: what waits for it goes on."""
        if sure := self._tentative.pop(turn, None):
            sure.set()

    def is_tentative(self, turn: int | None) -> bool:
        """Whether a turn waits to be confirmed."""
        return turn in self._tentative

    async def confirmed(self, turn: int | None) -> None:
        """Wait until a turn is sure. Who waits for one that is given up is cancelled, as a handler of it."""
        if turn is not None and (sure := self._tentative.get(turn)):
            await sure.wait()

    def timings(self, turn: int) -> Mapping[str, float]:
        """Loop time of each node's first output in a turn."""
        return self._timings.get(turn, {})

    def close(self, reason: str) -> None:
        """End the session; the first reason stays."""
        if not self._closing.is_set():
            self.closed_because = reason
            self._closing.set()

    def fail(self, node: str, error: Exception) -> None:
        """End the session because code of this node broke; for code that runs outside the node's tasks."""
        log.debug("%s node '%s' failed", self.session_id, node, exc_info=error)
        self._failure = self._failure or _named(node, error)
        self.close(str(self._failure))

    @property
    def extensions(self) -> list[Extension]:
        """The extensions at the nodes, in the graph's order."""
        return [node.extension for node in self.nodes.values()]

    @property
    def replying(self) -> bool:
        """Whether a message of a turn waits at a node or is being handled there."""
        return bool(self._replies) or any(node.inbox.reply.items for node in self.nodes.values())

    # --- life ---

    async def start(self) -> None:
        """Start every node. Raises what a node raised, naming it, after stopping those that run."""
        for node in self.nodes.values():
            node.extension.session = self
            node.extension.node = node.name
            node.extension.connected = frozenset(port for port, dests in node.routes.items() if dests)
            try:
                await node.extension.start()
            except Exception as error:
                await self.stop()
                raise _named(node.name, error) from error
            self._started.append(node)

    async def run(self) -> None:
        """Run until somebody calls `close`. Raises ExtensionError that names the node that failed."""
        metrics.CALLS_ACTIVE.inc()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = []
                for node in self.nodes.values():
                    parts = self._source(node), self._live_lane(node), self._reply_lane(node, group)
                    tasks += [group.create_task(part) for part in parts]
                await self._closing.wait()
                for task in [*tasks, *self._replies]:
                    task.cancel()
        except* ExtensionError as failures:
            self._failure = self._failure or failures.exceptions[0]
        finally:
            metrics.CALLS_ACTIVE.dec()
            metrics.CALLS.labels("error" if self._failure else "completed").inc()
            self.close(str(self._failure) if self._failure else "cancelled")
            await self.stop()
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Stop every started node, each with a time limit; a node that fails here is only logged."""
        self.close("stopped")
        while self._started:
            node = self._started.pop()
            metrics.DROPPED_FRAMES.labels(node.name).inc(node.inbox.dropped)
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await node.extension.stop()
            except Exception:
                log.exception("%s node '%s' did not stop cleanly", self.session_id, node.name)

    # --- inside ---

    def _wire(self, graph: Buildable) -> dict[str, Node]:
        nodes = {name: Node(name, extension, Inbox(), {}) for name, extension in graph.build().items()}
        for edge in graph.edges:
            nodes[edge.source].routes.setdefault(edge.port, []).append(nodes[edge.dest])
        return nodes

    async def _source(self, node: Node) -> None:
        await self._guard(node, None, partial(node.extension.run, _Emitter(self, node, None)))

    async def _live_lane(self, node: Node) -> None:
        while True:  # a TurnError ends one reading, the next goes on
            await self._guard(node, None, partial(self._read_live, node))

    async def _read_live(self, node: Node) -> None:
        emit, lane, handle = _Emitter(self, node, None), node.inbox.live, node.extension.handle
        while True:
            await handle(await lane.get(), emit)

    async def _reply_lane(self, node: Node, group: asyncio.TaskGroup) -> None:
        while True:
            message = await node.inbox.get_reply()
            turn = message.turn
            assert turn is not None
            handling = partial(node.extension.handle, message, _Emitter(self, node, turn))
            task = group.create_task(self._guard(node, turn, handling))
            self._replies[task] = turn
            try:
                await asyncio.wait({task})
            finally:
                del self._replies[task]

    async def _guard(self, node: Node, turn: int | None, work: Callable[[], Awaitable[None]]) -> None:
        """Run a node's code: a TurnError becomes a message, any other error ends the session."""
        try:
            await work()
        except TurnError as error:
            log.warning("%s node '%s' could not reply: %s", self.session_id, node.name, error)
            metrics.FAILED_TURNS.labels(node.name).inc()
            failed = Failed(node.name, str(error), turn=turn)
            for dest in node.routes.get(FAILED, ()):
                await _deliver(failed, dest)
        except Exception as error:
            log.debug("%s node '%s' failed", self.session_id, node.name, exc_info=True)
            raise _named(node.name, error) from error


@dataclass(slots=True)
class _Emitter:
    """The `emit` of one node, for one turn."""

    session: Session
    node: Node
    turn: int | None

    async def __call__(self, port: str, message: Message) -> None:
        expected = self.node.extension.outputs.get(port)
        if expected is None or not isinstance(message, expected):
            ports = ", ".join(f"{name}: {cls.__name__}" for name, cls in self.node.extension.outputs.items())
            raise TypeError(f"emitted {type(message).__name__} on port '{port}'; its outputs are {ports}")
        if message.turn is None and self.turn is not None:
            message = replace(message, turn=self.turn)
        if message.turn is not None:
            self._time(message.turn)
        for dest in self.node.routes.get(port, ()):
            await _deliver(message, dest)

    def _time(self, turn: int) -> None:
        timings = self.session._timings.get(turn)
        if timings is not None and self.node.name not in timings:
            now = asyncio.get_running_loop().time()
            first = next(iter(timings.values()), now)
            timings[self.node.name] = now
            metrics.FIRST_OUTPUT.labels(self.node.name).observe(now - first)


async def _deliver(message: Message, dest: Node) -> None:
    try:
        await dest.inbox.put(message)
    except OverflowError as error:
        raise ExtensionError(dest.name, f"has stopped reading: {error}") from error


def _named(node: str, error: Exception) -> ExtensionError:
    while isinstance(error, ExceptionGroup):  # of a TaskGroup: what broke first
        error = error.exceptions[0]
    if isinstance(error, ExtensionError):
        return error
    reason = str(error) if isinstance(error, VoiceAgentError) else f"{type(error).__name__}: {error}"
    return ExtensionError(node, reason)
