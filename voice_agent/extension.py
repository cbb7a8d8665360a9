"""What a node is: a dataclass whose fields are its configuration, and five methods, all optional."""

from collections.abc import Mapping
from typing import ClassVar, Protocol, runtime_checkable

from voice_agent.message import Message


class Emit(Protocol):
    """Sends a message out of one of the node's ports; waits while the receivers' inboxes are full.

    A message without a turn takes the turn of the message being handled.
    """

    async def __call__(self, port: str, message: Message) -> None: ...


class Host(Protocol):
    """What a node may ask of its session."""

    session_id: str
    language: str
    """The language the caller chose, as BCP 47: "en", "zh"."""

    def begin_turn(self, tentative: bool = False) -> int:
        """Count a new turn and return its number, to stamp on the message that opens it. A tentative one is
        worked on, but nothing of it may be heard or have an effect before it is confirmed."""

    def confirm(self, turn: int) -> None:
        """A tentative turn is sure now. One that has been interrupted stays so."""

    def is_tentative(self, turn: int | None) -> bool:
        """Whether a turn waits to be confirmed; in `flush` still true of one that has just been given up."""

    async def confirmed(self, turn: int | None) -> None:
        """Wait until a turn is sure: at once unless it is tentative. For what cannot be taken back."""

    def interrupt(self) -> None:
        """The caller takes the floor: cancel every reply up to now, in every node, at once."""

    def timings(self, turn: int) -> Mapping[str, float]:
        """Loop time of each node's first output in a turn."""

    def close(self, reason: str) -> None:
        """End the session."""

    def fail(self, node: str, error: Exception) -> None:
        """End the session as an error of this node: for callbacks that others run, such as a connection's."""


class Extension:
    """Subclass as a dataclass; the fields are the `property` of the node in a graph file.

    The runtime calls, in this order: `prepare` once per process and configuration, in a thread;
    `start` once per call; then `run` beside `handle`; `flush` at any moment; `stop` at the end.
    """

    inputs: ClassVar[tuple[type[Message], ...]] = ()
    """The messages that `handle` takes."""
    outputs: ClassVar[Mapping[str, type[Message]]] = {}
    """Port name, as it is written in connections, to the message it carries."""

    languages: ClassVar[tuple[str, ...]] = ()
    """Those it can deal with, as ISO 639-1; () for any."""

    node: str = ""
    """The node's name in the graph; set by the runtime."""
    session: Host
    """Set by the runtime before `start`."""
    connected: frozenset[str] = frozenset()
    """The output ports that lead somewhere; set by the runtime."""

    def prepare(self) -> None:
        """Load what is shared by all calls, so that a missing model is known before any of them.

        Called before the first call, off the event loop. Raises ModelError that says what to do.
        """

    async def start(self) -> None:
        """Make the state of one call."""

    async def run(self, emit: Emit) -> None:
        """Produce messages that answer no input; for sources and clocks."""

    async def handle(self, message: Message, emit: Emit) -> None:
        """Take one message. Messages that carry a turn and those that do not come through two lanes,
        each in order: settle state before each `await`. Raises TurnError when the reply cannot be made.
        """

    def flush(self) -> None:
        """Forget the reply under way: the caller has interrupted it. Must not wait. Never before `start`."""

    async def stop(self) -> None:
        """Release what `start` took. Called once if `start` has succeeded, whatever happened since."""


@runtime_checkable
class LineJudge(Protocol):
    """An extension that can also judge a line of text on its own, before `start` and outside any call.

    `voice-agent node ADDON --lines FILE` then prints one judgement a line.
    """

    def judge_line(self, text: str, language: str) -> Mapping[str, object]:
        """What it makes of a line, as fields of a JSON object, such as `label` and `probability`."""
