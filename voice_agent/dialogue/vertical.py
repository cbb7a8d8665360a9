"""A vertical: one folder of data that makes the agent fit a trade. docs/verticals.md tells how to write one.

`load_vertical` checks the whole folder and reports every mistake at once: file, field, what was expected.
"""

import json
import sqlite3
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from voice_agent import resources
from voice_agent.dialogue import floor, sentences
from voice_agent.dialogue.schema import (
    CALLBACK,
    PLACEHOLDER,
    Flow,
    Intent,
    Localised,
    Manners,
    NonEmpty,
    Part,
    Phrases,
    Slot,
    Tool,
    Variants,
)
from voice_agent.errors import GraphError

__all__ = ["Tool", "Vertical", "load_vertical"]
FILES = {
    "vertical.json": (),
    "intents.json": ("intents",),
    "flows.json": ("flows",),
    "tools.json": ("tools",),
}
"""Each file of a vertical, and the field of `Vertical` that it holds; () for all the others."""
FILE_OF = {field: file for file, fields in FILES.items() for field in fields}
OPTIONAL = {"flows.json", "tools.json"}


class Vertical(Part):
    """All of it. Texts are by language, "en" or "zh"; each is there in all `languages`."""

    name: NonEmpty
    languages: Annotated[list[str], Field(min_length=1)]
    """The first is the default."""
    title: Localised
    persona: Localised
    """The system prompt of a large model."""
    greeting: Localised
    suggestions: Variants
    """What a caller can try, for the page."""
    phrases: dict[str, Phrases]
    manners: Manners = Manners()
    out_of_scope: dict[str, list[NonEmpty]] = {}
    """Sentences that are none of this agent's business; they sharpen its "I don't know this"."""
    slots: dict[str, Slot] = {}
    intents: Annotated[list[Intent], Field(min_length=2)]
    flows: list[Flow] = []
    tools: list[Tool] = []
    folder: Path

    @property
    def database_sql(self) -> str:
        """The script that makes the database; it may run again on one that exists. "" for none."""
        path = self.folder / "database.sql"
        return path.read_text("utf-8") if path.exists() else ""

    def intent(self, name: str) -> Intent:
        return next(intent for intent in self.intents if intent.name == name)

    def flow(self, name: str) -> Flow | None:
        return next((flow for flow in self.flows if flow.name == name), None)

    def tool(self, name: str) -> Tool:
        return next(tool for tool in self.tools if tool.name == name)

    def speaks(self, language: str) -> str:
        """The language of this vertical that is nearest to a BCP 47 tag: "zh" for "zh-CN"."""
        base = language.split("-")[0].lower()
        return base if base in self.languages else self.languages[0]

    def sentences(self, language: str) -> list[str]:
        """Every sentence a caller may say, in this trade or any; spoken values in place of slots; none twice.

        A language model of it knows every sequence of three digits.
        """
        own = sentences.expand(self.intents, self.slots, language)
        return list(dict.fromkeys([*own, *floor.sentences(language)]))


@cache
def load_vertical(name_or_path: str | Path) -> Vertical:
    """The vertical of this name, or in this folder. Raises GraphError with every mistake in it."""
    folder = _find(name_or_path)
    problems: list[str] = []
    values: dict[str, Any] = {"folder": folder}
    for file, fields in FILES.items():
        values |= _read(folder / file, fields, problems)
    vertical = None
    try:
        vertical = Vertical(**values)
    except ValidationError as error:
        told_already = FILE_OF.keys() - values.keys()  # their whole file is missing or broken
        problems += [_told(folder, item) for item in error.errors() if item["loc"][0] not in told_already]
    if vertical is not None:
        problems += _inconsistencies(vertical)
    if problems or vertical is None:
        raise GraphError(*problems)
    return vertical


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.is_dir():
        return path
    verticals = resources.folder("verticals")
    if (verticals / path).is_dir():
        return verticals / path
    there = ", ".join(sorted(entry.name for entry in verticals.iterdir() if entry.is_dir()))
    raise GraphError(f"unknown vertical '{name_or_path}': neither a folder nor one of: {there}")


def _read(path: Path, fields: tuple[str, ...], problems: list[str]) -> dict[str, Any]:
    """The fields that a file gives; its mistakes are added to the problems."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if path.name not in OPTIONAL:
            problems.append(f"{path}: is missing")
        return {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: is not JSON: {error}")
        return {}
    if fields:
        return {fields[0]: content}
    if not isinstance(content, dict):
        problems.append(f"{path}: expected an object, not {type(content).__name__}")
        return {}
    belongs_elsewhere = {*FILE_OF, "folder"}
    problems += [
        f"{path}: {key}: does not belong in this file" for key in content if key in belongs_elsewhere
    ]
    return {key: value for key, value in content.items() if key not in belongs_elsewhere}


def _told(folder: Path, item: Any) -> str:
    """A mistake found by pydantic, as one line."""
    place = [str(part) for part in item["loc"]]
    file = FILE_OF.get(place[0], "vertical.json")
    came = "" if item["type"] in ("missing", "value_error") else f", not {item['input']!r:.60}"
    return f"{folder / file}: {'.'.join(place)}: {item['msg']}{came}"


def _inconsistencies(vertical: Vertical) -> Iterator[str]:
    """Mistakes that show only when the parts are held against each other."""
    yield from _missing_languages(vertical)
    yield from _unknown_names(vertical)
    database = sqlite3.connect(":memory:", isolation_level=None)
    try:
        database.executescript(vertical.database_sql)
    except sqlite3.Error as error:
        yield f"{vertical.folder / 'database.sql'}: {error}"
        return
    for tool in vertical.tools:
        known = {*tool.parameters.get("properties", {}), "session", "language", "topic"}
        try:
            database.execute(f"EXPLAIN {tool.sql}", dict.fromkeys(known))
        except sqlite3.Error as error:
            yield f"{vertical.folder / 'tools.json'}: {tool.name}.sql: {error}"


def _missing_languages(vertical: Vertical) -> Iterator[str]:
    """Texts that one of the languages lacks, wherever they are."""
    languages = vertical.languages

    def walk(file: str, place: str, value: Any) -> Iterator[str]:
        if isinstance(value, Part):
            for name, inner in value:
                at = FILE_OF.get(name, file) if value is vertical else file
                yield from walk(at, f"{place}.{name}".lstrip("."), inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                label = getattr(inner, "name", index)
                yield from walk(file, f"{place}.{label}", inner)
        elif isinstance(value, dict) and value.keys() & {"en", "zh", *languages}:
            for language in languages:
                if language not in value:
                    yield f"{vertical.folder / file}: {place}: has no text in '{language}'"
            for inner in value.values():
                yield from walk(file, place, inner)
        elif isinstance(value, dict) and not place.endswith("parameters"):
            for key, inner in value.items():
                yield from walk(file, f"{place}.{key}", inner)

    yield from walk("vertical.json", "", vertical)


def _unknown_names(vertical: Vertical) -> Iterator[str]:
    """References to what is not there."""
    flows = {flow.name for flow in vertical.flows}
    tools = {tool.name for tool in vertical.tools}
    intents_file, flows_file = vertical.folder / "intents.json", vertical.folder / "flows.json"
    if CALLBACK not in flows:
        yield f"{flows_file}: a flow named '{CALLBACK}' is needed, for what the agent cannot answer"
    for intent in vertical.intents:
        if intent.flow and intent.flow not in flows:
            yield f"{intents_file}: {intent.name}.flow: unknown flow '{intent.flow}'"
        for example in (line for lines in intent.examples.values() for line in lines):
            for slot in set(PLACEHOLDER.findall(example)) - vertical.slots.keys():
                yield f"{intents_file}: {intent.name}.examples: unknown slot '{slot}' in '{example}'"
    for flow in vertical.flows:
        if flow.action and flow.action not in tools:
            yield f"{flows_file}: {flow.name}.action: unknown tool '{flow.action}'"
        for question in flow.questions:
            if question.slot not in vertical.slots:
                yield f"{flows_file}: {flow.name}.questions: unknown slot '{question.slot}'"
            if question.lookup and question.lookup not in tools:
                yield f"{flows_file}: {flow.name}.questions: unknown tool '{question.lookup}'"
            if question.lookup and not question.unknown:
                yield f"{flows_file}: {flow.name}.questions.{question.slot}: 'lookup' needs 'unknown'"
    for path, name, template in _templates(vertical):
        try:
            fields = [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]
        except ValueError as error:
            yield f"{path}: {name}: '{template}': {error}"
        else:
            if bad := [field for field in fields if not field.isidentifier()]:
                yield f"{path}: {name}: '{template}': '{{{bad[0]}}}' is no name of a slot or column"


def _templates(vertical: Vertical) -> Iterator[tuple[Path, str, str]]:
    """Every text of the flows, with its place."""
    path = vertical.folder / "flows.json"
    for flow in vertical.flows:
        texts = [flow.confirm, flow.refused, *flow.done.values()]
        texts += flow.stop.say.values() if flow.stop else []
        texts += [text for q in flow.questions for text in (q.ask, q.again, q.more, q.unknown)]
        for variants in texts:
            for lines in variants.values():
                yield from ((path, flow.name, line) for line in lines)
