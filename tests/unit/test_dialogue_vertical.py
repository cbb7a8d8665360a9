"""A vertical is checked as a whole, and every mistake in it is told; the one that ships is complete."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voice_agent import resources
from voice_agent.dialogue.database import Database, open_database, state_folder
from voice_agent.dialogue.sentences import de_bruijn
from voice_agent.dialogue.slots import ONES, digit_runs
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import GraphError, InputError, ModelError, TurnError

SHIPPED = "customer_service"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the vertical that ships, to break."""
    return Path(shutil.copytree(resources.folder("verticals") / SHIPPED, tmp_path / "shop"))


def change(path: Path, edit: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text("utf-8"))
    edit(content)
    path.write_text(json.dumps(content), "utf-8")


def problems(folder: Path) -> tuple[str, ...]:
    with pytest.raises(GraphError) as raised:
        load_vertical(folder)
    return raised.value.problems


def test_the_shipped_vertical_is_rich_enough() -> None:
    vertical = load_vertical(SHIPPED)
    assert vertical.languages == ["en", "zh"]
    assert len(vertical.intents) >= 25
    for intent in vertical.intents:
        for language in vertical.languages:
            assert len(intent.examples[language]) >= 12, intent.name
    assert {"where_is_my_order", "start_return", "callback"} <= {flow.name for flow in vertical.flows}
    assert load_vertical(SHIPPED) is vertical


def test_no_example_belongs_to_two_intents() -> None:
    vertical = load_vertical(SHIPPED)
    for language in vertical.languages:
        lines = [line for intent in vertical.intents for line in intent.examples[language]]
        assert len(lines) == len(set(lines))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_sentences_hold_every_sequence_of_three_digits(language: str) -> None:
    vertical = load_vertical(SHIPPED)
    sentences = vertical.sentences(language)
    assert len(sentences) == len(set(sentences))
    runs = [run for sentence in sentences for run in digit_runs(sentence)]
    found = {run[at : at + 3] for run in runs for at in range(len(run) - 2)}
    assert len(found) == 1000
    assert not [sentence for sentence in sentences if "{" in sentence or "  " in sentence]
    if language == "en":
        assert any(s.startswith("my order number is ") and s.split()[-1] in ONES for s in sentences)
        assert not [s for s in sentences if not all(c.isalpha() or c in " '" for c in s)]


def test_every_sequence_is_in_a_de_bruijn_cycle_once() -> None:
    cycle = de_bruijn(4, 3)
    around = cycle + cycle[:2]
    assert len(cycle) == len({tuple(around[at : at + 3]) for at in range(64)}) == 64


def test_unknown_name() -> None:
    with pytest.raises(GraphError, match=r"unknown vertical 'nowhere'.*customer_service"):
        load_vertical("nowhere")


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    def break_intents(intents: list[dict[str, Any]]) -> None:
        intents[0]["flow"] = "nowhere"
        intents[1]["examples"]["en"].append("about {colour}")
        del intents[4]["answers"]["zh"]

    change(folder / "intents.json", break_intents)
    change(folder / "tools.json", lambda tools: tools[0].update(sql="SELECT colour FROM orders"))
    change(folder / "flows.json", lambda flows: flows[0]["questions"][0].update(lookup="find"))
    change(folder / "flows.json", lambda flows: flows[1].update(action="do_it"))
    told = problems(folder)
    for part in [
        "intents.json: where_is_my_order.flow: unknown flow 'nowhere'",
        "intents.json: start_return.examples: unknown slot 'colour'",
        "intents.json: intents.delivery_time.answers: has no text in 'zh'",
        "tools.json: find_order.sql: no such column: colour",
        "flows.json: where_is_my_order.questions: unknown tool 'find'",
        "flows.json: start_return.action: unknown tool 'do_it'",
    ]:
        assert [line for line in told if part in line], (part, told)


def test_wrong_types_and_unknown_fields(folder: Path) -> None:
    def break_vertical(content: dict[str, Any]) -> None:
        content["persona"] = "You are Mia."
        content["colour"] = "blue"
        del content["phrases"]["zh"]["wait"]
        content["slots"]["reason"]["choices"] = {}

    change(folder / "vertical.json", break_vertical)
    change(folder / "intents.json", lambda intents: intents[0].update(control="cancel"))
    told = problems(folder)
    for part in [
        "vertical.json: persona: Input should be a valid dictionary, not 'You are Mia.'",
        "vertical.json: colour: Extra inputs are not permitted",
        "vertical.json: phrases.zh.wait: Field required",
        "vertical.json: slots.reason: Value error, 'choices' is needed",
        "intents.json: intents.0: Value error, exactly one of",
    ]:
        assert [line for line in told if part in line], (part, told)


def test_broken_and_missing_files(folder: Path) -> None:
    (folder / "vertical.json").write_text("{", "utf-8")
    (folder / "intents.json").unlink()
    told = problems(folder)
    assert [line for line in told if "vertical.json: is not JSON" in line]
    assert [line for line in told if "intents.json: is missing" in line]


def test_a_broken_database_script_and_template(folder: Path) -> None:
    (folder / "database.sql").write_text("CREATE TABEL orders (number);", "utf-8")
    change(folder / "flows.json", lambda flows: flows[0]["done"]["delivered"].update(en=["{order number"]))
    told = problems(folder)
    assert [line for line in told if "database.sql" in line and "syntax error" in line]
    assert [line for line in told if "flows.json: where_is_my_order" in line and "{order number" in line]


# --- the database ---


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("VOICE_AGENT_STATE", str(tmp_path))
    return open_database(load_vertical(SHIPPED))


CONTEXT = {"session": "sess_1", "language": "en", "topic": "i want to talk to a human"}


def test_orders_can_be_found(database: Database) -> None:
    tool = load_vertical(SHIPPED).tool("find_order")
    assert database.run(tool, {"order_number": "1234"}, CONTEXT)[0]["status"] == "shipped"
    assert database.run(tool, {"order_number": "1' OR '1'='1"}, CONTEXT) == []


def test_requests_are_kept_when_the_process_starts_again(database: Database) -> None:
    tool = load_vertical(SHIPPED).tool("request_callback")
    first = database.run(tool, {"phone": "5550123"}, CONTEXT)
    assert database.run(tool, {"phone": "5550123"}, CONTEXT) == first, "asked twice in a call is one request"
    script = load_vertical(SHIPPED).database_sql
    with sqlite3.connect(database.path) as connection:
        connection.executescript(script)
        rows = connection.execute("SELECT phone, topic FROM callbacks").fetchall()
    connection.close()
    assert rows == [("5550123", "i want to talk to a human")]


def test_only_delivered_orders_can_be_returned(database: Database) -> None:
    tool = load_vertical(SHIPPED).tool("create_return")
    assert database.run(tool, {"order_number": "1234", "reason": "damaged"}, CONTEXT) == []
    assert database.run(tool, {"order_number": "2345", "reason": "damaged"}, CONTEXT) == [
        {"return_number": 7001}
    ]


@pytest.mark.parametrize(
    "arguments",
    [{}, {"order_number": "2345", "reason": "boredom"}, {"order_number": ["2345"], "reason": "damaged"}],
)
def test_arguments_that_do_not_fit(database: Database, arguments: dict[str, object]) -> None:
    with pytest.raises(InputError):
        database.run(load_vertical(SHIPPED).tool("create_return"), arguments, CONTEXT)


def test_a_database_that_breaks(database: Database) -> None:
    database.path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(TurnError, match="not a database"):
        database.run(load_vertical(SHIPPED).tool("find_order"), {"order_number": "1234"}, CONTEXT)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VOICE_AGENT_STATE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="VOICE_AGENT_STATE can name another"):
        open_database(load_vertical(SHIPPED))


def test_where_state_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOICE_AGENT_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "voice-agent"
