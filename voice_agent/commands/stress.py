"""`voice-agent stress`: many simulated callers, networks and loads; a report of what they heard."""

import argparse
import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voice_agent.commands.files import expect_writable, write
from voice_agent.commands.option_types import cores, count, delays, duration, loads, seconds, share
from voice_agent.errors import InputError

if TYPE_CHECKING:
    from voice_agent.stress.host import Host
    from voice_agent.stress.run import Outcome, Test
    from voice_agent.stress.sounds import Sounds

MOST_TURNS, MOST_ROUNDS, MOST_CELLS = 1000, 1000, 100
CALL_S, TURN_S = 60.0, 30.0
"""More than a call takes beside its turns, and more than a turn: silence, a question, an answer."""
REACH_S = 10.0
INTERRUPTED = 130
PAGE, LOG = "index.html", "server.log"


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "stress",
        help="many callers at once, on simulated networks; a report of what they heard",
        description="Makes calls on each network under each load and measures at the callers' ears.",
        epilog="Exit status: 0, 1 if calls failed, 2 if the test could not be made.",
    )
    _add_grid(parser)
    _add_server(parser)
    _add_callers(parser)
    out = parser.add_argument_group("results")
    out.add_argument("--json", metavar="FILE", help="write all figures there; - for stdout")
    out.add_argument("--report", type=Path, metavar="DIR", help=f"write {PAGE} and {LOG} there")
    out.add_argument("--against", type=Path, metavar="FILE", help="compare with the JSON of an earlier test")
    parser.set_defaults(run=run)


def _add_grid(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("networks and loads")
    turns, rounds = count(MOST_TURNS), count(MOST_ROUNDS)
    group.add_argument(
        "--calls", type=loads, default=[1, 4], metavar="N,N,...", help="at once (default: 1,4)"
    )
    group.add_argument(
        "--network", default="loopback", metavar="NAME,NAME",
        help="names from `voice-agent network list`, FILE.json or trace:FILE (default: %(default)s)",
    )  # fmt: skip
    group.add_argument("--turns", type=turns, default=10, metavar="N", help="of each call (default: 10)")
    group.add_argument("--rounds", type=rounds, default=1, metavar="N", help="of calls, one after the other")
    group.add_argument("--seed", type=int, default=1, metavar="N", help="plans the same again (default: 1)")
    group.add_argument(
        "--time-limit", type=duration, default=3600.0, metavar="S", help="for all of it (default: 3600)"
    )


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the server (default: one's own, a new one for each network and load)")
    which = group.add_mutually_exclusive_group()
    which.add_argument("--graph", default="", metavar="NAME|FILE", help="the graph of one's own server")
    which.add_argument("--url", default="", help="a server that is running already")
    which.add_argument(
        "--server", default="", metavar="COMMAND",
        help="another server's command line; it prints `Serving calls at URL` when it is ready",
    )  # fmt: skip
    group.add_argument(
        "--stand-ins", type=delays, default=(), metavar="STT,LLM,TTS",
        help="services that answer after so many ms in place of real ones, such as 100,150,80 (graph openai)",
    )  # fmt: skip
    group.add_argument(
        "--server-cores", type=cores, default=frozenset(), metavar="N,N",
        help="the only processors the server may use; callers take the others",
    )  # fmt: skip


def _add_callers(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the callers")
    group.add_argument("--language", default="en", help="default: %(default)s")
    group.add_argument(
        "--say", action="append", default=[], metavar="TEXT", help="not the vertical's questions"
    )
    group.add_argument("--voice", action="append", default=[], metavar="NAME", help="of espeak-ng")
    group.add_argument("--speech", type=Path, metavar="DIR", help="recordings, not synthetic voices")
    group.add_argument("--noise", type=Path, metavar="DIR", help="recorded noises, not pink noise")
    for name, what, default in (
        ("--interruptions", "begin while the agent speaks", 0.2),
        ("--silences", "of the others: come after a long silence", 0.15),
        ("--noises", "have noise behind them", 0.25),
    ):
        group.add_argument(
            name,
            type=share,
            default=default,
            metavar="SHARE",
            help=f"of turns: {what} ({default:g})",
        )
    group.add_argument(
        "--stagger", type=seconds, default=0.5, metavar="S", help="between two who dial (default: 0.5)"
    )
    group.add_argument(
        "--timeout", type=duration, default=10.0, metavar="S", help="for an answer to begin (default: 10)"
    )
    group.add_argument(
        "--call-timeout",
        type=duration,
        metavar="S",
        help=f"of a call ({CALL_S:g} and {TURN_S:g} a turn)",
    )


# --- the test ---


def run(arguments: argparse.Namespace) -> int:
    """Make the test, tell how it goes, write what came of it."""
    from voice_agent.calls.loop import loop_factory
    from voice_agent.stress import against
    from voice_agent.stress.run import Outcome

    earlier = against.read(arguments.against) if arguments.against else None
    for file in filter(None, (arguments.json, _page(arguments))):
        if str(file) != "-":
            expect_writable(Path(file))
    test = _test(arguments)
    outcome = Outcome()
    interrupted = False
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_run(test, outcome))
    except (KeyboardInterrupt, asyncio.CancelledError):
        interrupted = True
    result = outcome.result(test, shlex.join(["voice-agent", *sys.argv[1:]]))
    _write(arguments, result, earlier)
    return INTERRUPTED if interrupted else 1 if outcome.failed or outcome.stopped else 0


def _test(arguments: argparse.Namespace) -> "Test":
    """Everything that can be wrong is found here, before anything starts. Raises InputError."""
    from voice_agent.calls.caller import Manners
    from voice_agent.stress import plan
    from voice_agent.stress.run import Test, network

    networks = list(dict.fromkeys(name.strip() for name in arguments.network.split(",") if name.strip()))
    for name in networks:
        network(name)
    cells = plan.cells(networks, arguments.calls)
    if not 1 <= len(cells) <= MOST_CELLS:
        raise InputError(f"expected 1 to {MOST_CELLS} pairs of a network and a load, got {len(cells)}")
    return Test(
        cells=cells,
        turns=arguments.turns,
        rounds=arguments.rounds,
        seed=arguments.seed,
        language=arguments.language,
        host=_host(arguments),
        habits=plan.Habits(arguments.interruptions, arguments.silences, arguments.noises),
        manners=Manners(
            answer_timeout_s=arguments.timeout,
            call_timeout_s=arguments.call_timeout or CALL_S + TURN_S * arguments.turns,
        ),
        stagger_s=arguments.stagger,
        sounds=asyncio.run(_sounds(arguments)),
        log=arguments.report / LOG if arguments.report else None,
        time_limit_s=arguments.time_limit,
    )


def _host(arguments: argparse.Namespace) -> "Host":
    from voice_agent import graph
    from voice_agent.stress.host import Host

    elsewhere = arguments.url or arguments.server
    if elsewhere and arguments.stand_ins:
        raise InputError("--stand-ins are services of one's own server: not with --url or --server")
    if arguments.url and arguments.server_cores:
        raise InputError("--server-cores is for one's own server: not with --url")
    if arguments.server:
        _expect_program(arguments.server)
    if arguments.url:
        _expect_server(arguments.url)
    if arguments.graph and arguments.graph != "auto":
        graph.load(arguments.graph)
    return Host(
        graph=arguments.graph,
        url=arguments.url,
        command=arguments.server,
        stand_ins_ms=arguments.stand_ins,
        cores=arguments.server_cores,
    )


def _expect_program(command: str) -> None:
    try:
        program = next(iter(shlex.split(command)), "")
    except ValueError as error:
        raise InputError(f"--server: expected a command line, got {command!r}: {error}") from error
    if not shutil.which(program):
        raise InputError(f"--server: there is no program {program!r}")


def _expect_server(url: str) -> None:
    import httpx

    try:
        httpx.get(url, timeout=REACH_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise InputError(f"no server answers at {url}: {error or type(error).__name__}") from error


async def _sounds(arguments: argparse.Namespace) -> "Sounds":
    from voice_agent.stress import sounds

    if arguments.speech:
        spoken = sounds.recorded_speech(arguments.speech)
    else:
        vertical = os.environ.get("VOICE_AGENT_VERTICAL") or "customer_service"
        texts = arguments.say or sounds.questions(vertical, arguments.language)
        spoken = await sounds.synthetic(texts, arguments.language, arguments.voice)
    noises = (
        sounds.recorded_noises(arguments.noise) if arguments.noise else [sounds.pink_noise(arguments.seed)]
    )
    return sounds.Sounds(spoken.speech, spoken.pools, noises)


async def _run(test: "Test", outcome: "Outcome") -> None:
    from tqdm import tqdm

    from voice_agent.stress.run import run as run_test

    task = asyncio.current_task()
    assert task is not None
    for name in ("SIGTERM", "SIGHUP"):  # as Ctrl-C does: end the calls, then write what was done
        if hasattr(signal, name):
            asyncio.get_running_loop().add_signal_handler(getattr(signal, name), task.cancel)
    with tqdm(total=test.turns_in_all, unit="turn", disable=None, dynamic_ncols=True) as bar:
        await run_test(
            test, outcome,
            on_turn=bar.update,
            on_cell=lambda cell: bar.set_description(f"{cell.network}, {cell.calls} at once"),
        )  # fmt: skip


# --- what comes of it ---


def _page(arguments: argparse.Namespace) -> Path | None:
    """Where the report goes; makes its folder. Raises InputError."""
    if arguments.report is None:
        return None
    try:
        arguments.report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{arguments.report}: expected a folder for the report: {error.strerror or error}"
        ) from error
    folder: Path = arguments.report
    return folder / PAGE


def _write(arguments: argparse.Namespace, result: dict[str, Any], earlier: dict[str, Any] | None) -> None:
    from voice_agent.stress.page import render
    from voice_agent.stress.summary import lines

    text = json.dumps(result, ensure_ascii=False, indent=1)
    if arguments.json == "-":
        print(text)
    else:
        print(*lines(result, earlier), sep="\n")
        if arguments.json:
            write(
                Path(arguments.json), lambda path: path.write_text(text + "\n", "utf-8", "backslashreplace")
            )
    if page := _page(arguments):
        write(page, lambda path: path.write_text(render(result, earlier), encoding="utf-8"))
        print(f"Report: {page}", file=sys.stderr)
