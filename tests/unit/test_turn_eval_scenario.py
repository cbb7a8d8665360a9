"""The files of scenarios: what they may hold, and what is said of mistakes."""

import json
from pathlib import Path
from typing import Any

import pytest

from voice_agent import cli
from voice_agent.errors import InputError
from voice_agent.turn_eval import scenario, sounds
from voice_agent.turn_eval.material import DATA
from voice_agent.turn_eval.scenario import FILE

TURN = {"label": "turn", "say": "where is my order"}


def write(folder: Path, *conversations: dict[str, Any], **more: Any) -> Path:
    file = {"language": "en", "conversations": list(conversations)} | more
    (folder / "mine.json").write_text(json.dumps(file), encoding="utf-8")
    return folder


def test_those_that_come_along_are_in_order_and_name_sounds_that_there_are() -> None:
    conversations = scenario.load()
    assert len(conversations) >= 100
    assert {conversation.language for conversation in conversations} == {"en", "zh"}
    used = {event.sound for one in conversations for event in one.events if event.sound}
    used |= {one.background.sound for one in conversations if one.background}
    made = {name for name in used if not name.startswith((FILE, DATA))}
    assert made <= {*sounds.NAMES, "television", "babble"}
    labels = {event.label for one in conversations for event in one.events}
    assert labels == set(scenario.Label.__args__)  # type: ignore[attr-defined]


def test_each_text_is_a_conversation_of_its_own(tmp_path: Path) -> None:
    events = [TURN, {"label": "backchannel", "when": "agent_begins", "say": "{}"}]
    write(tmp_path, {"name": "listen", "each": ["yeah", "okay"], "events": events})
    found = scenario.load(tmp_path)
    assert [one.name for one in found] == ["listen-1", "listen-2"]
    assert [one.events[1].texts for one in found] == [("yeah",), ("okay",)]
    assert scenario.load(tmp_path, only="-2") == found[1:]


def test_a_probe_ends_in_each_pause(tmp_path: Path) -> None:
    said = ["it is", 500, "one two", 900, "three four"]
    write(tmp_path, {"name": "digits", "events": [TURN, {"label": "turn", "say": said}]})
    probes = list(scenario.probes(scenario.load(tmp_path)[0]))
    assert [(probe.name, probe.pause_s) for probe in probes] == [
        ("digits-pause2.1", 0.5),
        ("digits-pause2.2", 0.9),
    ]
    assert probes[1].events[1].say == ("it is", 500, "one two")
    assert all(probe.probe for probe in probes)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([{"label": "turns", "say": "x"}], "events.0.label: Input should be 'turn'"),
        ([{"label": "turn"}], "events.0: expected either say or sound"),
        ([{"label": "turn", "say": ["x", 300]}], "events.0: say: expected words after the last pause"),
        ([{"label": "turn", "say": [300, "x"]}], "events.0: say: expected words and pauses in turn"),
        (
            [{"label": "turn", "say": "x", "wen": "agent_begins"}],
            "events.0.wen: Extra inputs are not permitted",
        ),
        ([{"label": "silence"}], "events.0: expected a silence to have lasts_ms"),
        ([{"label": "turn", "say": "x", "when": "after_previous"}], "events.0.when: expected something else"),
        ([{"label": "turn", "say": "{}"}], "each: expected texts if and only if"),
        ([], "events: Tuple should have at least 1 item"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    events: list[Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path, {"name": "mine", "events": events})
    assert cli.main(["turn-eval", "--nodes", "fake", "--scenarios", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"voice-agent: {folder / 'mine.json'}: conversation 'mine': {said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected JSON"),
        ('{"language": "fr", "conversations": [{}]}', "language: Input should be 'en' or 'zh', got 'fr'"),
        ("[]", "Input should be a valid dictionary"),
    ],
)
def test_a_file_that_is_none(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InputError, match=said):
        scenario.load(tmp_path)


def test_two_of_one_name(tmp_path: Path) -> None:
    one = {"name": "same", "events": [TURN]}
    with pytest.raises(InputError, match="conversation 'same': there is another of this name"):
        scenario.load(write(tmp_path, one, one))


def test_what_cannot_be_run_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = tmp_path / "small.json"
    small.write_text(
        '{"nodes": [{"type": "extension", "name": "vad", "addon": "vad.silero"}], "connections": []}'
    )
    for arguments, said in (
        (["--only", "nothing-like-it"], "no conversation has 'nothing-like-it' in its name"),
        (["--scenarios", str(tmp_path / "none")], "expected a folder with scenarios"),
        (["--graph", str(small)], "expected one node of the role 'client', found 0"),
        (["--network", "4g_nowhere"], "there is no network profile '4g_nowhere'"),
        (["--json", str(tmp_path / "no" / "x.json")], "there is no folder"),
        (["--timeline", str(small)], "cannot be written"),
    ):
        assert cli.main(["turn-eval", "--nodes", "fake", *arguments]) == 2
        assert said in capsys.readouterr().err


def test_sounds_are_the_same_for_a_seed_and_others_for_another() -> None:
    for name in sounds.NAMES:
        first, again, other = sounds.make(name, 1), sounds.make(name, 1), sounds.make(name, 2)
        assert (first == again).all()
        assert len(first) != len(other) or (first != other).any()
        assert 0.1 < len(first) / 16_000 < 12


def test_a_sound_that_there_is_not() -> None:
    with pytest.raises(InputError, match="expected one of cough, laugh"):
        sounds.make("sneeze", 1)
