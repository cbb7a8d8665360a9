"""Everything that can go wrong, as a tree.

VoiceAgentError
├── GraphError          before any call: the file, the node and the field that are wrong
│   └── MissingExtra    a package is not installed; names the extra that brings it
├── ModelError          a model or a service is absent or failed to load; says what to do
├── InputError          what a user or a caller handed in cannot be used
├── ExtensionError      a node broke; ends its session, names the node
└── TurnError           a reply could not be made; ends the reply, not the call
"""

from collections.abc import Iterator
from contextlib import contextmanager


class VoiceAgentError(Exception):
    """The root: `str()` of any of these is one line that a person can act on."""


class GraphError(VoiceAgentError):
    """A graph cannot run. `problems` holds every mistake, one line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class MissingExtra(GraphError):
    """A package that an extension needs is not installed."""


class ModelError(VoiceAgentError):
    """A model or a service is absent or does not load; the message says what to do about it."""


class InputError(VoiceAgentError):
    """A file, an offer or an argument that cannot be used; says what was expected and what came."""


class ExtensionError(VoiceAgentError):
    """A node failed: its session ends, all other sessions go on."""

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(f"node '{node}': {reason}")
        self.node = node
        self.reason = reason


class TurnError(VoiceAgentError):
    """A reply cannot be finished. The runtime tells the graph so, by a `Failed` message."""


@contextmanager
def requires(extra: str) -> Iterator[None]:
    """Import heavy packages under this, so that a missing one names the extra that brings it.

    with requires("piper"):
        import piper
    """
    try:
        yield
    except ImportError as error:
        package = error.name or str(error)
        raise MissingExtra(f"package '{package}' is missing: pip install 'voice-agent[{extra}]'") from error
