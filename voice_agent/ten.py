"""TEN's graph JSON, read into plain nodes and connections; what they mean is graph.py's business.

Nothing here raises on bad input: every mistake becomes a line of `problems`, and every part of the
format that has no meaning here, and can be left out without changing what the graph does, a notice.
"""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from voice_agent.message import Kind

KINDS: tuple[Kind, ...] = ("cmd", "data", "audio_frame", "video_frame")
HARMLESS = ("extension_group", "app")
"""Which thread and which process a node runs in: one here."""
UNSUPPORTED_ENDS = ("selector", "subgraph")
PLACEHOLDER = re.compile(r"\$\{env:(?P<name>[^|{}]+)(?:\|(?P<default>.*))?\}", re.DOTALL)

Object = dict[str, Any]


@dataclass
class Findings:
    """What was found wrong, and what was left out; one line each."""

    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def expected(self, where: str, what: str, value: object) -> None:
        """Record that something else than `value` was expected."""
        self.problems.append(f"{where}: expected {what}, got {show(value)}")


@dataclass(frozen=True)
class Property:
    """The value of one field of a node, its `${env:...}` replaced."""

    value: Any
    variables: tuple[str, ...] = ()
    """The environment variables that filled it: their values are text, and are never shown."""
    complete: bool = True
    """False if a variable is not set; a problem says so already."""


@dataclass(frozen=True)
class TenNode:
    """A node of type "extension"."""

    name: str
    addon: str
    properties: Mapping[str, Property]


class TenConnection(NamedTuple):
    """One line of the graph, always forward: `source` sends the message `port` to `dest`."""

    source: str
    kind: Kind
    port: str
    dest: str


@dataclass(frozen=True)
class TenGraph:
    """A graph as its file has it."""

    name: str
    """"" for a bare graph."""
    nodes: tuple[TenNode, ...]
    connections: tuple[TenConnection, ...]
    """Each different line once, in the file's order."""


def read(
    document: object, found: Findings, choice: str = "", env: Mapping[str, str] = os.environ
) -> TenGraph:
    """Read the graph called `choice`, or the one that TEN would start by itself."""
    name, body = _choose(document, choice, found)
    if body is None:
        return TenGraph(name, (), ())
    nodes: list[TenNode] = []
    names: set[str] = set()
    for where, entry in _objects(body, "nodes", "", found, not_empty=True):
        node = _node(where, entry, names, found, env)
        if node is not None:
            nodes.append(node)
    connections: dict[TenConnection, None] = {}
    if "connections" in body:
        for where, entry in _objects(body, "connections", "", found):
            connections.update(dict.fromkeys(_connections(where, entry, names, found)))
    return TenGraph(name, tuple(nodes), tuple(connections))


def show(value: object) -> str:
    """A value in one short line, as a person would see it in the file."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- which graph ----------------------------------------------------------------------------------


def _choose(document: object, choice: str, found: Findings) -> tuple[str, Object | None]:
    if not isinstance(document, dict):
        found.expected("file", "a JSON object", document)
        return "", None
    section = next((key for key in ("ten", "_ten") if key in document), None)
    if section is None:
        if choice:
            found.problems.append(f"graph {choice!r}: the file holds a single graph, which has no name")
        _leave_out(document, ("nodes", "connections"), "", found)
        return "", document
    _leave_out(document, (section,), "", found)
    ten = document[section]
    if not isinstance(ten, dict):
        found.expected(f"field '{section}'", "an object", ten)
        return "", None
    _leave_out(ten, ("predefined_graphs",), f"{section}.", found)
    entries = [
        entry
        for _, entry in _objects(ten, "predefined_graphs", f"field '{section}': ", found, not_empty=True)
    ]
    if not entries:
        return choice, None
    return _choose_predefined(entries, choice, found)


def _choose_predefined(entries: list[Object], choice: str, found: Findings) -> tuple[str, Object | None]:
    names = ", ".join(show(entry.get("name")) for entry in entries)
    if choice:
        chosen = next((entry for entry in entries if entry.get("name") == choice), None)
    else:
        chosen = next((entry for entry in entries if entry.get("auto_start") is True), None)
        chosen = chosen or entries[0]
    if chosen is None:
        found.problems.append(f"graph {choice!r}: not found; there are: {names}")
        return choice, None
    name = _name("predefined_graphs", chosen, "name", found)
    if len(entries) > 1:
        found.notices.append(f"graph {name!r} is used, of {names}")
    body = chosen.get("graph")
    if not isinstance(body, dict):
        found.expected(f"graph {name!r}: field 'graph'", "an object with 'nodes'", body)
        return name, None
    if "import_uri" in body:
        found.problems.append(f"graph {name!r}: field 'import_uri': not supported, load that file itself")
        return name, None
    _leave_out(body, ("nodes", "connections"), "graph.", found)
    return name, body


# --- nodes ----------------------------------------------------------------------------------------


def _node(
    where: str, entry: Object, names: set[str], found: Findings, env: Mapping[str, str]
) -> TenNode | None:
    name = _name(where, entry, "name", found)
    if not name:
        return None
    where = f"node {name!r}"
    if name in names:
        found.problems.append(f"{where}: this name is taken by another node")
        return None
    names.add(name)
    if entry.get("type") == "selector":
        found.notices.append(f"{where}: selectors have no meaning here")
        return None
    if entry.get("type") != "extension":
        found.expected(f"{where}: field 'type'", "'extension'", entry.get("type"))
        return None
    addon = _name(where, entry, "addon", found)
    _only(where, entry, ("type", "name", "addon", "property"), found)
    values = entry.get("property", {})
    if not isinstance(values, dict):
        found.expected(f"{where}: field 'property'", "an object", values)
        values = {}
    properties = {
        key: _resolve(f"{where}: field {key!r}", value, found, env) for key, value in values.items()
    }
    return TenNode(name, addon, properties) if addon else None


def _resolve(where: str, value: object, found: Findings, env: Mapping[str, str]) -> Property:
    """Replace each `${env:NAME|default}` that is a whole string, at any depth."""
    variables: list[str] = []
    problems: list[str] = []

    def walk(item: object) -> object:
        if isinstance(item, dict):
            return {key: walk(part) for key, part in item.items()}
        if isinstance(item, list):
            return [walk(part) for part in item]
        if isinstance(item, str) and item.startswith("${") and item.endswith("}"):
            return fill(item)
        return item

    def fill(text: str) -> str:
        match = PLACEHOLDER.fullmatch(re.sub(r"\\(.)", r"\1", text))
        if match is None:
            problems.append(f"{where}: expected ${{env:NAME}} or ${{env:NAME|default}}, got {show(text)}")
            return text
        name, default = match["name"], match["default"]
        variables.append(name)
        if name in env:
            return env[name]
        if default is None:
            problems.append(f"{where}: the environment variable {name} is not set, and has no default")
        return default or ""

    filled = walk(value)
    found.problems.extend(problems)
    return Property(filled, tuple(variables), complete=not problems)


# --- connections ----------------------------------------------------------------------------------


def _connections(where: str, entry: Object, names: set[str], found: Findings) -> Iterator[TenConnection]:
    owner = _end(where, entry, names, found)
    if owner:
        where = f"connections of {owner!r}"
    _only(where, entry, ("extension", *KINDS, *UNSUPPORTED_ENDS), found)
    for kind in KINDS:
        if kind in entry:
            for flow_where, flow in _objects(entry, kind, f"{where}: ", found):
                yield from _flow(flow_where, owner, kind, flow, names, found)


def _flow(
    where: str, owner: str, kind: Kind, flow: Object, names: set[str], found: Findings
) -> Iterator[TenConnection]:
    ports = _ports(where, flow, found)
    _only(where, flow, ("name", "names", "dest", "source"), found)
    sides = [side for side in ("dest", "source") if side in flow]
    if len(sides) != 1:
        found.problems.append(f"{where}: expected 'dest' or 'source', got {' and '.join(sides) or 'neither'}")
        return
    for end_where, end in _objects(flow, sides[0], f"{where}: ", found, not_empty=True):
        if "msg_conversion" in end:
            found.problems.append(f"{end_where}: field 'msg_conversion': messages cannot be converted here")
        _only(end_where, end, ("extension", "msg_conversion", *UNSUPPORTED_ENDS), found)
        other = _end(end_where, end, names, found)
        if owner and other:
            source, dest = (owner, other) if sides[0] == "dest" else (other, owner)
            yield from (TenConnection(source, kind, port, dest) for port in ports)


def _ports(where: str, flow: Object, found: Findings) -> list[str]:
    if ("name" in flow) == ("names" in flow):
        given = "both" if "name" in flow else "neither"
        found.problems.append(f"{where}: expected 'name' or 'names', got {given}")
        return []
    if "name" in flow:
        return [port] if (port := _name(where, flow, "name", found)) else []
    ports = flow["names"]
    if not isinstance(ports, list) or not ports or not all(_is_name(port) for port in ports):
        found.expected(f"{where}: field 'names'", "a list of names", ports)
        return []
    return ports


def _end(where: str, entry: Object, names: set[str], found: Findings) -> str:
    """The extension at one end of a connection; "" where there is none that could be used."""
    for other in UNSUPPORTED_ENDS:
        if other in entry:
            found.problems.append(f"{where}: field '{other}': not supported, name each 'extension' itself")
            return ""
    name = _name(where, entry, "extension", found)
    if name and name not in names:
        found.problems.append(f"{where}: no node is named {name!r}{near(name, names)}")
        return ""
    return name


# --- pieces ---------------------------------------------------------------------------------------


def near(name: str, names: Iterable[str]) -> str:
    """A hint for a misspelt name; "" if none is like it."""
    match = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {match[0]!r}?" if match else ""


def _objects(
    parent: Object, key: str, prefix: str, found: Findings, *, not_empty: bool = False
) -> Iterator[tuple[str, Object]]:
    """Each object of a list, with the words for where it is."""
    values = parent.get(key)
    if not isinstance(values, list) or (not_empty and not values):
        found.expected(
            f"{prefix}field '{key}'", "a list that is not empty" if not_empty else "a list", values
        )
        return
    for index, value in enumerate(values):
        where = f"{prefix}{key}[{index}]"
        if isinstance(value, dict):
            yield where, value
        else:
            found.expected(where, "an object", value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _name(where: str, entry: Object, key: str, found: Findings) -> str:
    value = entry.get(key)
    if isinstance(value, str) and _is_name(value):
        return value
    found.expected(f"{where}: field '{key}'", "a name", value)
    return ""


def _only(where: str, entry: Object, known: tuple[str, ...], found: Findings) -> None:
    """Check the keys of a node or a connection: there, an unknown one is a mistake, as it is in TEN."""
    for key in entry:
        if key in HARMLESS:
            found.notices.append(f"{where}: field '{key}' has no meaning here")
        elif key not in known:
            found.problems.append(f"{where}: unknown field {key!r}{near(key, known)}")


def _leave_out(entry: Object, known: tuple[str, ...], prefix: str, found: Findings) -> None:
    """Tell of the keys of a file that are about something else than its graphs."""
    found.notices.extend(f"field {prefix + key!r} has no meaning here" for key in entry if key not in known)
