"""Tool calls of a chat model: put together from the pieces they are streamed in, and carried out."""

import asyncio
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from voice_agent.dialogue.database import open_database
from voice_agent.dialogue.vertical import Tool, Vertical
from voice_agent.errors import InputError, TurnError

log = logging.getLogger(__name__)


class FunctionPart(BaseModel):
    """A piece of a call's name and arguments."""

    name: str | None = None
    arguments: str | None = None


class ToolCallPart(BaseModel):
    """An item of a delta's `tool_calls`."""

    index: int | None = None
    id: str | None = None
    function: FunctionPart = FunctionPart()


@dataclass
class ToolCall:
    """A call that the model asks for."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    """JSON, as the model wrote it."""

    def as_request(self) -> dict[str, Any]:
        """As the API wants it back in the model's own message."""
        function = {"name": self.name, "arguments": self.arguments or "{}"}
        return {"id": self.id, "type": "function", "function": function}


@dataclass
class ToolCalls:
    """The calls of one answer, assembled."""

    by_index: dict[int, ToolCall] = field(default_factory=dict)

    def add(self, parts: Iterable[ToolCallPart]) -> None:
        """Add the `tool_calls` of one delta."""
        for part in parts:
            call = self._find(part)
            call.id = call.id or part.id or f"call_{len(self.by_index)}"
            call.name += part.function.name or ""
            call.arguments += part.function.arguments or ""

    def _find(self, part: ToolCallPart) -> ToolCall:
        """By index. Some servers give none, or 0 to all: then another id means another call."""
        index = part.index or 0
        known = self.by_index.get(index)
        if known and part.id and known.id != part.id:
            same = (number for number, call in self.by_index.items() if call.id == part.id)
            index = next(same, max(self.by_index) + 1)
        return self.by_index.setdefault(index, ToolCall())

    def __iter__(self) -> Iterator[ToolCall]:
        return (self.by_index[index] for index in sorted(self.by_index))

    def __bool__(self) -> bool:
        return bool(self.by_index)


class Toolbox:
    """What the model may call: the vertical's tools, over its database."""

    def __init__(self, vertical: Vertical | None = None) -> None:
        self._tools = {tool.name: tool for tool in vertical.tools} if vertical else {}
        self._database = open_database(vertical) if vertical and self._tools else None
        self.definitions = [
            {"type": "function", "function": tool.model_dump(include={"name", "description", "parameters"})}
            for tool in self._tools.values()
        ]
        """As the API's `tools` field."""

    def changes(self, call: ToolCall) -> bool:
        """Whether a call does more than look something up."""
        return call.name in self._tools and self._tools[call.name].changes

    async def call(self, call: ToolCall, context: Mapping[str, str]) -> str:
        """Carry out a call in a thread; gives JSON for the model. Whatever is wrong is told to the model,
        which can correct its call, or tell the caller. `context` is what `Database.run` takes.
        """
        tool = self._tools.get(call.name)
        if tool is None or self._database is None:
            return _to_json({"error": f"there is no tool '{call.name}'"})
        try:
            arguments = _checked(tool, call.arguments)
            rows = await asyncio.to_thread(self._database.run, tool, arguments, context)
        except InputError as error:
            return _to_json({"error": str(error)})
        except TurnError as error:
            log.warning("tool '%s' failed: %s", tool.name, error)
            return _to_json({"error": "the database does not answer"})
        return _to_json({"rows": rows})


def _checked(tool: Tool, arguments: str) -> dict[str, Any]:
    """The arguments, as far as the tool's schema allows them: a model may make up any. Names, required ones,
    patterns and choices are checked; types are the database's concern. Raises InputError.
    """
    try:
        values = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"the arguments are not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"expected the arguments as a JSON object, not {type(values).__name__}")
    properties = tool.parameters.get("properties", {})
    for name in tool.parameters.get("required", ()):
        if name not in values:
            raise InputError(f"argument '{name}' is missing")
    for name, value in values.items():
        if name not in properties:
            raise InputError(f"there is no argument '{name}'; there are: {', '.join(properties)}")
        pattern, choices = properties[name].get("pattern"), properties[name].get("enum")
        if pattern and not re.search(pattern, str(value)):
            raise InputError(f"argument '{name}' must match {pattern}")
        if choices and value not in choices:
            raise InputError(f"argument '{name}' must be one of: {', '.join(map(str, choices))}")
    return values


def _to_json(result: dict[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False)
