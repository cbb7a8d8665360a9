"""The command line: exit statuses, and what is said on which stream."""

import gc
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from voice_agent import __version__, cli
from voice_agent.commands import graph as graph_command
from voice_agent.commands.serve import freeze
from voice_agent.errors import InputError

SMALL = """{
  "nodes": [
    {"type": "extension", "name": "vad", "addon": "vad.silero"},
    {"type": "extension", "name": "turn", "addon": "turn.silence", "extension_group": "x"}
  ],
  "connections": [
    {"extension": "vad", "cmd": [{"name": "speech_started", "dest": [{"extension": "turn"}]}]}
  ]
}"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(SMALL)
    return path


def test_check_says_ok_in_one_line(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["graph", "check", str(small)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{small}: ok: graph 'small', 2 nodes, 1 edges\n"
    assert err == f"note: {small}: node 'turn': field 'extension_group' has no meaning here\n"


def test_check_gives_a_line_for_each_mistake(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.write_text(SMALL.replace("silero", "silro").replace('"turn.silence"', '"turn.x", "y": 1'))
    assert cli.main(["graph", "check", str(small)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(";")[0] for line in err.splitlines()] == [
        f"{small}: node 'turn': unknown field 'y'",
        f"{small}: node 'turn': field 'addon': unknown addon 'turn.x'",
        f"{small}: node 'vad': field 'addon': unknown addon 'vad.silro'",
    ]


def test_show(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["graph", "show", str(small)]) == 0
    assert "  └─ speech_started (SpeechStarted) ─▶ turn\n" in capsys.readouterr().out
    assert cli.main(["graph", "show", str(small), "--mermaid"]) == 0
    assert capsys.readouterr().out.startswith("flowchart LR\n")


def test_list_names_the_shipped_graphs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["graph", "list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {"embedded", "local", "openai"} <= {name for name, _ in lines}
    assert all(Path(path).is_file() for _, path in lines)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (InputError("a WAV was expected, got a PNG"), 2, "voice-agent: a WAV was expected, got a PNG\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_are_told_without_a_traceback(
    error: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(arguments: Namespace) -> int:
        raise error

    monkeypatch.setattr(graph_command, "list_shipped", failing)
    assert cli.main(["graph", "list"]) == status
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(
    "arguments", [[], ["nosuch"], ["graph"], ["graph", "check"], ["serve", "--port", "x"]]
)
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.startswith("usage: voice-agent")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--version"])
    assert exit_.value.code == 0 and capsys.readouterr().out == f"voice-agent {__version__}\n"


HEAVY = {"numpy", "aiortc", "av", "fastapi", "uvicorn", "pydantic", "httpx", "openai", "prometheus_client"}


def test_the_command_line_starts_without_heavy_imports() -> None:
    code = (
        "import sys, voice_agent.cli as cli; cli.parser(); print(*{m.partition('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "argparse" in done.stdout.split()
    assert not HEAVY & set(done.stdout.split())


def test_a_reader_that_stops_reading_is_no_error() -> None:
    command = [sys.executable, "-m", "voice_agent.cli", "graph", "list"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")


def test_what_there_is_before_the_first_call_is_left_alone_by_the_garbage_collector() -> None:
    before = gc.get_freeze_count()
    try:
        freeze()
        assert gc.get_freeze_count() > before + 1000
    finally:
        gc.unfreeze()
