"""Stress tests with real calls: the command from its options to its report."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.calls.test_caller import serving
from voice_agent import cli
from voice_agent.calls.own_server import own_server
from voice_agent.stress.host import Meter

FAKE_SERVER = f"{sys.executable} -m benchmarks.fake_server"
SHORT = ["--turns", "2", "--say", "Yes.", "--voice", "en-us+f2", "--interruptions", "1", "--noises", "0"]
"""Interrupted answers are short ones."""


def stress(*arguments: str) -> tuple[int, str]:
    """Run the command in a process of its own; returns its exit status and what it says on stdout."""

    async def main() -> tuple[int, str]:
        command = [sys.executable, "-m", "voice_agent.cli", "stress", *arguments]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    return asyncio.run(main())


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A test of one call, with models that are stand-ins: its folder, its result."""
    folder = tmp_path_factory.mktemp("stress")
    files = ["--json", str(folder / "result.json"), "--report", str(folder / "report")]
    status, out = stress("--calls", "1", "--server", FAKE_SERVER, *SHORT, *files)
    assert status == 0, out
    assert out.splitlines()[1].split()[:2] == ["loopback", "1"]
    return folder, json.loads((folder / "result.json").read_text())


def test_a_call_is_measured_on_both_sides(tested: tuple[Path, dict[str, Any]]) -> None:
    (cell,) = tested[1]["cells"]
    assert cell["calls"] == {"planned": 1, "made": 1, "failed": 0, "lost": 0}
    assert cell["turns"]["said"] == cell["heard"]["voice_to_voice_ms"]["count"] == 2
    assert cell["heard"]["stop_ms"]["count"] == 2
    assert 0 < cell["believed"]["voice_to_voice_ms"]["p50"] < cell["heard"]["voice_to_voice_ms"]["p50"] < 5000
    assert {"turn", "llm", "tts"} <= set(cell["believed"]["stages_ms"])
    assert cell["loss"]["to_caller"]["received"] > 50
    assert cell["loss"]["to_caller"]["network"] == {}, "nothing is simulated on a perfect network"


def test_the_server_is_metered(tested: tuple[Path, dict[str, Any]]) -> None:
    server = tested[1]["cells"][0]["server"]
    assert 0.1 < server["cpu_s_per_call_minute"] < 60
    assert server["callers_cpu_s_per_call_minute"] > 0.1
    assert 20 < server["memory_mb"]["before"] <= server["memory_mb"]["peak"]


def test_the_run_can_be_told_from_its_report(tested: tuple[Path, dict[str, Any]]) -> None:
    folder, result = tested
    page = (folder / "report" / "index.html").read_text()
    assert result["seed"] == 1 and "cores of" in result["machine"]
    assert "stress --calls 1 --server" in page
    assert f"{result['cells'][0]['heard']['voice_to_voice_ms']['p50']:.0f} /" in page
    assert (folder / "report" / "server.log").exists()


def test_a_server_that_refuses_calls_is_their_failure(
    tested: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """On simulated networks, against a test that went well: status 1, and a row for every call."""
    earlier = str(tested[0] / "result.json")

    async def main() -> tuple[int, str]:
        async with serving(FastAPI()) as url:
            options = ["--calls", "2", "--network", "loopback,4g_good", "--url", url, "--against", earlier]
            return await asyncio.to_thread(stress, *options, *SHORT, "--report", str(tmp_path))

    status, out = asyncio.run(main())
    assert status == 1
    assert out.count("refused the call: 404") == 4
    assert "Only in the earlier test: loopback, 1 at once" in out
    assert (tmp_path / "index.html").read_text().count("refused the call: 404") == 4


def test_a_server_that_does_not_start_ends_the_test() -> None:
    command = f"{sys.executable} -c \"raise SystemExit('no licence')\""
    status, out = stress("--calls", "1,2", "--server", command, *SHORT)
    assert status == 1
    assert "no. 1: the server did not start (exit status 1): no licence" in out
    assert out.splitlines()[-1] == "Not all was done: the server did not start."


def test_an_interrupted_test_writes_what_was_done(tmp_path: Path) -> None:
    """The server that is started here presses Ctrl-C."""
    program = "import os, signal; os.kill(os.getppid(), signal.SIGINT); signal.pause()"
    command = f'{sys.executable} -c "{program}"'
    status, out = stress("--calls", "1", "--server", command, *SHORT, "--report", str(tmp_path))
    assert status == 130
    assert out.splitlines()[-1] == "Not all was done: it was interrupted."
    assert "it was interrupted" in (tmp_path / "index.html").read_text()


def test_the_time_limit_ends_a_test(tmp_path: Path) -> None:
    command = f'{sys.executable} -c "import signal; signal.pause()"'
    status, out = stress("--calls", "1", "--server", command, *SHORT, "--time-limit", "0.2")
    assert status == 1
    assert out.splitlines()[-1] == "Not all was done: the time limit of 0.2 s was reached."


def test_the_memory_of_a_process_is_known() -> None:
    program = "print('Serving calls at http://127.0.0.1:7', flush=True); import signal; signal.pause()"

    async def main() -> dict[str, Any]:
        async with own_server([sys.executable, "-c", program], cores={0}) as server:
            assert (Path("/proc") / str(server.pid) / "status").read_text().count(
                "Cpus_allowed_list:\t0\n"
            ) == 1
            meter = Meter(server.url, server)
            meter.begin()
            return await meter.end()

    used = asyncio.run(main())
    assert 1 < used["memory_mb"]["before"] <= used["memory_mb"]["peak"] < 100
    assert used["server_cpu_s"] >= 0


# --- what is told before anything starts ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--network", "loopback,nosuch"], "there is no network profile 'nosuch'"),
        (["--network", ","], "expected 1 to 100 pairs of a network and a load, got 0"),
        (["--network", "trace:nowhere"], "nowhere"),
        (
            ["--stand-ins", "1,2,3", "--url", "http://127.0.0.1:9"],
            "--stand-ins are services of one's own server",
        ),
        (["--server-cores", "0", "--url", "http://127.0.0.1:9"], "--server-cores is for one's own server"),
        (["--url", "http://127.0.0.1:9"], "no server answers at http://127.0.0.1:9"),
        (["--server", "no-such-program --x"], "there is no program 'no-such-program'"),
        (["--server", "'"], "--server: "),
        (["--against", "nowhere.json"], "nowhere.json: expected the JSON of an earlier stress test"),
        (["--json", "no/such/file"], "there is no folder no/such"),
        (["--speech", "nowhere"], "nowhere: expected a folder with sound files"),
        (["--voice", "klingon-9"], "the caller has no voice for"),
    ],
)
def test_a_test_that_cannot_be_made_is_one_line_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["stress", *arguments]) == 2
    out, err = capsys.readouterr()
    assert words in err
    assert (out, err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--calls", "4,0"], "--calls: expected a number from 1 to 512, got '0'"),
        (["--calls", "²"], "--calls: expected a number from 1 to 512, got '²'"),
        (["--turns", "1001"], "--turns: expected a number from 1 to 1000, got '1001'"),
        (
            ["--stand-ins", "100,150"],
            "--stand-ins: expected three delays in ms, such as 100,150,80, got '100,150'",
        ),
        (["--stand-ins", "a,b,c"], "--stand-ins: expected three delays in ms, such as 100,150,80, got a"),
        (["--interruptions", "nan"], "--interruptions: expected a share from 0 to 1, got nan"),
        (["--time-limit", "0"], "--time-limit: expected seconds, more than 0, got 0"),
        (["--server-cores", "0,0"], "each once, got '0,0'"),
        (["--server-cores", "99999"], "--server-cores: expected some of "),
        (["--graph", "embedded", "--url", "x"], "not allowed with argument --graph"),
    ],
)
def test_an_option_that_makes_no_sense_says_what_was_expected(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["stress", *arguments])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
