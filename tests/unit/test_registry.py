"""Finding extensions by the name that a graph file gives them, in this tree and outside."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outside import installed
from tests.unit.graph_parts import ADDONS
from voice_agent import graph as graphs
from voice_agent import registry
from voice_agent.errors import GraphError, MissingExtra, requires
from voice_agent.session import Session
from voice_agent.testing import run

PARROT = '''"""Repeats what is typed."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from voice_agent.extension import Emit, Extension
from voice_agent.message import Message, Text, TurnEnded


@dataclass
class Parrot(Extension):
    times: Annotated[int, Field(ge=1)] = 1
    """How often it repeats."""

    inputs = (TurnEnded,)
    outputs = {"text": Text}

    async def start(self) -> None:
        self._said = 0

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, TurnEnded)
        for _ in range(self.times):
            self._said += 1
            await emit("text", Text(f"{self._said}: {message.text}", message.language))
        await emit("text", Text("", message.language, final=True))
'''

KEEPER = '''from dataclasses import dataclass

from voice_agent.extension import Emit, Extension
from voice_agent.message import Message, Text, TurnEnded


@dataclass
class Keeper(Extension):
    """A caller who types one line, keeps the reply and hangs up."""

    inputs = (Text,)
    outputs = {"turn_ended": TurnEnded}

    async def start(self) -> None:
        self.reply: list[Text] = []

    async def run(self, emit: Emit) -> None:
        await emit("turn_ended", TurnEnded("hello", "en", turn=self.session.begin_turn()))

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Text)
        self.reply.append(message)
        if message.final:
            self.session.close("said all")
'''

GRAPH = {
    "nodes": [
        {"type": "extension", "name": "keeper", "addon": "client.keeper"},
        {"type": "extension", "name": "parrot", "addon": "llm.parrot", "property": {"times": 2}},
    ],
    "connections": [
        {"extension": "keeper", "data": [{"name": "turn_ended", "dest": [{"extension": "parrot"}]}]},
        {"extension": "parrot", "data": [{"name": "text", "dest": [{"extension": "keeper"}]}]},
    ],
}


def test_an_extension_from_outside_in_one_short_file(tmp_path: Path) -> None:
    assert len(PARROT.splitlines()) < 40
    (tmp_path / "parrot_outside.py").write_text(PARROT)
    (tmp_path / "keeper_outside.py").write_text(KEEPER)
    (tmp_path / "parrot.json").write_text(json.dumps(GRAPH))
    addons = {"llm.parrot": "parrot_outside:Parrot", "client.keeper": "keeper_outside:Keeper"}

    async def call() -> list[tuple[str, int | None]]:
        session = Session(graphs.load(tmp_path / "parrot.json", env={}))
        await session.start()
        await session.run()
        assert session.closed_because == "said all"
        keeper = session.nodes["keeper"].extension
        return [(text.text, text.turn) for text in keeper.reply]  # type: ignore[attr-defined]

    with installed(tmp_path, addons):
        assert run(call()) == [("1: hello", 1), ("2: hello", 1), ("", 1)]

    with pytest.raises(GraphError, match=r"unknown addon 'llm\.parrot'"):
        graphs.load(tmp_path / "parrot.json", env={})


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path, ADDONS):
        yield


@pytest.mark.parametrize("addon", [name for name in registry.names() if not name.startswith("test.")])
def test_every_extension_of_this_tree_is_found_by_its_name(addon: str) -> None:
    try:
        found = registry.find(addon)
    except MissingExtra as error:  # of an extra that is not in "all", because of its licence
        assert addon == "vad.ten" and "voice-agent[tenvad]" in str(error)
        return
    assert found.__module__ == f"extensions.{addon}"
    assert found.inputs or found.outputs


@pytest.mark.usefixtures("parts")
def test_names_hold_those_from_outside_and_no_private_modules() -> None:
    names = registry.names()
    assert names == sorted(set(names)) and "test.source" in names and "text.clause" in names
    assert not any(part.startswith("_") for name in names for part in name.split("."))


@pytest.mark.usefixtures("parts")
def test_what_is_no_extension_is_refused() -> None:
    with pytest.raises(GraphError, match="which is not an Extension class"):
        registry.find("test.function")


def test_a_missing_package_names_the_extra_that_brings_it() -> None:
    with (
        pytest.raises(MissingExtra, match=r"package 'nosuchpackage' .* pip install 'voice-agent\[piper\]'"),
        requires("piper"),
    ):
        importlib.import_module("nosuchpackage")
