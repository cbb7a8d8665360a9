"""A graph that can run: nodes with their class and checked configuration, and the edges between them.

`load` finds every mistake before any call starts, and reports all of them at once.
"""

import copy
import dataclasses
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from pydantic import TypeAdapter, ValidationError

from voice_agent import registry, resources, ten
from voice_agent.errors import GraphError, ModelError, VoiceAgentError
from voice_agent.extension import Extension
from voice_agent.message import Failed, Message
from voice_agent.session import FAILED

log = logging.getLogger(__name__)


class Edge(NamedTuple):
    """What `source` emits on `port` goes to `dest`."""

    source: str
    port: str
    dest: str


@dataclass(frozen=True)
class Node:
    """An extension's class and its configuration."""

    name: str
    addon: str
    extension_class: type[Extension]
    properties: Mapping[str, Any]
    """Values for some of the class's fields, checked against their types."""

    def build(self) -> Extension:
        """A new extension, which shares nothing with others built from this node."""
        return self.extension_class(**copy.deepcopy(dict(self.properties)))

    @property
    def ports(self) -> Mapping[str, type[Message]]:
        """Every output port, with the one that each node has."""
        return {**self.extension_class.outputs, FAILED: Failed}


@dataclass(frozen=True)
class Readiness:
    """Whether a node's model or service is there; a line of the start-up table."""

    node: str
    addon: str
    problem: str = ""
    """What is missing and what to do about it; "" when the node is ready."""


@dataclass(frozen=True)
class Graph:
    """A checked graph; a session is built from it (`session.Buildable`)."""

    name: str
    path: Path
    nodes: tuple[Node, ...]
    edges: Sequence[Edge]
    notices: tuple[str, ...] = ()
    """What the file says that has no meaning here, one line each."""

    def build(self) -> dict[str, Extension]:
        """New extensions, configured, by node name."""
        return {node.name: node.build() for node in self.nodes}

    def readiness(self) -> list[Readiness]:
        """Load what the nodes need, once per process, and tell of each whether that worked.

        Takes seconds: call it in a thread.
        """
        return [Readiness(node.name, node.addon, _prepare(node)) for node in self.nodes]

    def prepare(self) -> list[Readiness]:
        """As `readiness`, but raises ModelError that names the nodes which are not ready."""
        rows = self.readiness()
        failed = [f"node '{row.node}' ({row.addon}): {row.problem}" for row in rows if row.problem]
        if failed:
            raise ModelError("; ".join(failed))
        return rows


def load(path_or_name: str | Path, graph: str = "", env: Mapping[str, str] = os.environ) -> Graph:
    """Read and check a graph file, or the shipped graph of that name.

    `graph` chooses one of several in TEN's `predefined_graphs`. Raises GraphError, whose `problems`
    hold every mistake as a line "file: node: field: what was expected, what came".
    """
    path = locate(path_or_name)
    found = ten.Findings()
    try:
        read = ten.read(_parse(path, found), found, graph, env)
        nodes, edges = _check(read, found)
    except RecursionError:
        raise GraphError(f"{path}: objects and lists lie too deep in one another") from None
    if found.problems:
        raise GraphError(*(f"{path}: {problem}" for problem in _by_node(found.problems)))
    notices = tuple(f"{path}: {notice}" for notice in found.notices)
    return Graph(read.name or path.stem, path, nodes, edges, notices)


def single(addon: str, properties: Mapping[str, Any], env: Mapping[str, str] = os.environ) -> Graph:
    """A node by itself, named after its addon and checked as in a file. Raises GraphError."""
    found = ten.Findings()
    entry = {"type": "extension", "name": addon, "addon": addon, "property": dict(properties)}
    nodes, edges = _check(ten.read({"nodes": [entry]}, found, env=env), found)
    if found.problems:
        raise GraphError(*found.problems)
    return Graph(addon, Path(addon), nodes, edges)


def _by_node(problems: list[str]) -> list[str]:
    """Each once, those of one node together."""
    groups: dict[str, dict[str, None]] = {}
    for problem in problems:
        groups.setdefault(problem.partition(": ")[0], {})[problem] = None
    return [problem for group in groups.values() for problem in group]


def locate(path_or_name: str | Path) -> Path:
    """The file of a shipped graph, or the path itself. Raises GraphError when there is no such file."""
    if path_or_name in shipped():
        return resources.folder("graphs") / f"{path_or_name}.json"
    path = Path(path_or_name)
    if not path.exists():
        raise GraphError(
            f"{path}: no such file; the graphs that come with voice-agent: {', '.join(shipped())}"
        )
    return path


def shipped() -> list[str]:
    """The names of the graphs that come with the package."""
    return sorted(path.stem for path in resources.folder("graphs").glob("*.json"))


# --- the file -------------------------------------------------------------------------------------


def _parse(path: Path, found: ten.Findings) -> object:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            keys = [key for key, _ in pairs]
            found.problems.extend(f"field {key!r}: written twice" for key in values if keys.count(key) > 1)
        return values

    def no_constant(name: str) -> object:
        raise ValueError(f"{name} is not JSON")

    try:
        return json.loads(path.read_bytes(), object_pairs_hook=unique, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise GraphError(f"{path}: {where}: not JSON: {error.msg}") from None
    except ValueError as error:
        raise GraphError(f"{path}: not JSON: {error}") from None
    except OSError as error:
        raise GraphError(f"{path}: cannot be read: {error.strerror}") from error


# --- nodes ----------------------------------------------------------------------------------------


def _check(read: ten.TenGraph, found: ten.Findings) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    nodes = {node.name: node for entry in read.nodes if (node := _node(entry, found))}
    edges = dict.fromkeys(edge for line in read.connections if (edge := _edge(line, nodes, found)))
    joined = {name for line in read.connections for name in (line.source, line.dest)}
    if len(nodes) > 1:
        alone = [name for name in nodes if name not in joined]
        found.notices.extend(f"node {name!r}: nothing leads to it or from it" for name in alone)
    return tuple(nodes.values()), tuple(edges)


def _node(entry: ten.TenNode, found: ten.Findings) -> Node | None:
    where = f"node {entry.name!r}"
    try:
        extension_class = registry.find(entry.addon)
    except GraphError as error:
        found.problems.append(f"{where}: field 'addon': {error}")
        return None
    except (ImportError, AttributeError) as error:  # an outside package whose entry point leads nowhere
        found.problems.append(f"{where}: field 'addon': {entry.addon!r} does not load: {error}")
        return None
    before = len(found.problems)
    node = Node(entry.name, entry.addon, extension_class, _configure(where, extension_class, entry, found))
    if len(found.problems) == before:
        try:
            node.build()
        except (ValueError, VoiceAgentError) as error:  # what __post_init__ says of fields that do not fit
            found.problems.append(f"{where}: {error}")
    return node


def _configure(
    where: str, extension_class: type[Extension], entry: ten.TenNode, found: ten.Findings
) -> dict[str, Any]:
    fields = _fields(extension_class)
    values: dict[str, Any] = {}
    for name, given in entry.properties.items():
        field_where = f"{where}: field {name!r}"
        if name not in fields:
            hint = ten.near(name, fields) or f"; there are: {', '.join(fields) or 'none'}"
            found.problems.append(f"{field_where}: {entry.addon} has no such field{hint}")
        elif given.complete:
            try:
                values[name] = _validate(fields[name].adapter, given)
            except ValidationError as error:
                found.problems.extend(_explain(field_where, given, problem) for problem in error.errors())
    for name, field in fields.items():
        if field.required and name not in entry.properties:
            found.problems.append(f"{where}: field {name!r}: expected a value, got nothing")
    return values


class _Field(NamedTuple):
    adapter: TypeAdapter[Any]
    required: bool


def _fields(extension_class: type[Extension]) -> dict[str, _Field]:
    """The fields that a graph file may set."""
    if not dataclasses.is_dataclass(extension_class):
        return {}
    types = get_type_hints(extension_class, include_extras=True)
    missing = dataclasses.MISSING
    return {
        field.name: _Field(
            TypeAdapter(types[field.name]), field.default is missing and field.default_factory is missing
        )
        for field in dataclasses.fields(extension_class)
        if field.init
    }


def _validate(adapter: TypeAdapter[Any], given: ten.Property) -> Any:
    """Environment variables are always text, so "8080" is a number there; in the file itself it is not."""
    if given.variables:
        return adapter.validate_python(given.value)
    return adapter.validate_json(json.dumps(given.value), strict=True)


def _explain(where: str, given: ten.Property, problem: Mapping[str, Any]) -> str:
    inside = "".join(f"[{part!r}]" for part in problem["loc"])
    message = str(problem["msg"]).partition(", unable to")[0]
    should_be = "Input should be "
    if message.startswith(should_be):
        message = f"expected {message.removeprefix(should_be)}"
    came = f"the value of {', '.join(given.variables)}" if given.variables else ten.show(problem["input"])
    return f"{where}{inside}: {message}, got {came}"


def _prepare(node: Node) -> str:
    """Why a node is not ready, or ""."""
    try:
        node.build().prepare()
    except VoiceAgentError as error:
        return str(error)
    except Exception as error:  # any library's own error, while it loads a model, is one line of the table
        log.debug("node '%s' failed to load", node.name, exc_info=True)
        return f"{type(error).__name__}: {error}"
    return ""


# --- edges ----------------------------------------------------------------------------------------


def _edge(line: ten.TenConnection, nodes: Mapping[str, Node], found: ten.Findings) -> Edge | None:
    """An edge whose ends fit; None if a node is unknown, which has been told before."""
    source, dest = nodes.get(line.source), nodes.get(line.dest)
    where = f"node {line.source!r}: port {line.port!r}"
    if source is None:
        return None
    message = source.ports.get(line.port)
    if message is None:
        there = ", ".join(f"{name} ({port.kind})" for name, port in source.ports.items())
        found.problems.append(f"{where}: {source.addon} has no such output; there are: {there}")
        return None
    if message.kind != line.kind:
        carries = f"it carries {message.__name__}, which belongs under '{message.kind}'"
        found.problems.append(f"{where}: {carries}, got '{line.kind}'")
    if dest is None:
        return None
    if not issubclass(message, dest.extension_class.inputs):
        takes = ", ".join(taken.__name__ for taken in dest.extension_class.inputs) or "nothing"
        sent = f"node {dest.name!r} ({dest.addon}) does not take {message.__name__}"
        found.problems.append(f"{where}: {sent}; it takes {takes}")
    return Edge(line.source, line.port, line.dest)
