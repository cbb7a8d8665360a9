"""`voice-agent turn-eval`: scripted conversations with a graph, and how well it takes turns in them."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from voice_agent.commands.files import expect_writable, write
from voice_agent.commands.network import ABOUT
from voice_agent.commands.option_types import count
from voice_agent.errors import InputError

if TYPE_CHECKING:
    from voice_agent.turn_eval.run import Job, Outcome
    from voice_agent.turn_eval.scenario import Conversation

MOST_PROCESSES = 64


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "turn-eval",
        help="measure how a graph takes turns, in scripted conversations with ground truth",
        description="Plays callers who ask, pause, interrupt, say mm-hm, cough, talk to others and ask the "
        "agent to wait, and tells when it spoke, stopped and waited, as tau-voice and eot-bench define it.",
        epilog="Exit status: 0, 2 if it could not run. docs/turn-eval.md has formats and definitions.",
    )
    parser.add_argument("--graph", default="embedded", metavar="NAME|FILE", help="default: %(default)s")
    parser.add_argument("--scenarios", type=Path, metavar="DIR", help="in place of those that come along")
    parser.add_argument("--only", default="", metavar="NAME", help="conversations with this in their name")
    parser.add_argument(
        "--nodes", choices=("fake", "real"), default="real",
        help="the graph's own nodes, or stand-ins around its turn node alone (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--words", choices=("heard", "script"), default="heard",
        help="what the recogniser tells: its own, or the script's words; the latter always "
        "for a language that it does not know (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--clock", choices=("virtual", "work"), default="virtual",
        help="work takes no time, so that runs are the same, or as long as it does (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--network", default="", metavar="PROFILE", help=ABOUT)
    parser.add_argument(
        "--no-probes", action="store_true", help="leave out what the sweep of eot-bench needs"
    )
    parser.add_argument("--json", metavar="FILE", help="write everything there as JSON; - for stdout alone")
    parser.add_argument("--timeline", type=Path, metavar="DIR", help="draw every conversation there, as SVG")
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of sounds and delays (default: %(default)s)"
    )
    parser.add_argument(
        "--processes", type=count(MOST_PROCESSES), default=os.cpu_count() or 1, metavar="N",
        help="at once (default: one for each processor)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Have the conversations and tell the figures."""
    from voice_agent.calls.report import machine
    from voice_agent.turn_eval import run as runs
    from voice_agent.turn_eval.table import lines

    if arguments.json and arguments.json != "-":
        expect_writable(Path(arguments.json))
    if arguments.timeline:
        _make_folder(arguments.timeline)
    job = _job(arguments)
    job.check()
    conversations = _conversations(arguments, job)
    began_s = time.perf_counter()
    processes = 1 if arguments.nodes == "fake" else arguments.processes
    report = runs.run(conversations, job, processes, _progress(len(conversations)))
    took_s = time.perf_counter() - began_s
    if arguments.json == "-":
        print(json.dumps(report.as_json(), ensure_ascii=False, indent=1))
        return 0
    lasted_s = sum(outcome.lasts_s for outcome in report.outcomes)
    probes = sum(conversation.probe for conversation in conversations)
    print(
        f"{len(conversations) - probes} conversations and {probes} probes with {arguments.graph}, "
        f"{lasted_s / 60:.0f} minutes of talk in {took_s:.0f} s, on {machine()}"
    )
    print(*lines(report.figures()), sep="\n")
    if arguments.json:
        text = json.dumps(report.as_json(), ensure_ascii=False, indent=1)
        write(Path(arguments.json), lambda path: path.write_text(text + "\n", encoding="utf-8"))
    return 0


def _job(arguments: argparse.Namespace) -> "Job":
    from voice_agent.turn_eval.run import Job

    return Job(
        arguments.graph, arguments.nodes, arguments.words == "script", arguments.clock,
        arguments.network, arguments.seed, arguments.timeline,
    )  # fmt: skip


def _conversations(arguments: argparse.Namespace, job: "Job") -> "list[Conversation]":
    """Those that can be had here, with their probes."""
    from voice_agent.turn_eval import scenario
    from voice_agent.turn_eval.run import with_probes

    found = scenario.load(arguments.scenarios or scenario.FOLDER, arguments.only)
    material = job.material()
    possible = [one for one in found if material.has_all(one)]
    if len(possible) < len(found):
        missing = len(found) - len(possible)
        print(f"{missing} conversations need recordings: VOICE_AGENT_DATA names no folder", file=sys.stderr)
    if not possible:
        raise InputError("--only: nothing is left without the recordings in VOICE_AGENT_DATA")
    return possible if arguments.no_probes else with_probes(possible)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _progress(total: int) -> "Callable[[Outcome], None]":
    """A line that is written over, where somebody watches."""
    done = 0

    def show(outcome: "Outcome") -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            print(f"\r{done} of {total} ", end="" if done < total else "\n", file=sys.stderr, flush=True)

    return show
