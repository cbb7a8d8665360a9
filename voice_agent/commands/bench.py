"""`voice-agent bench`: measure the parts on this machine."""

import argparse
import json
from pathlib import Path
from typing import Any

from voice_agent.commands.files import expect_writable, write
from voice_agent.commands.option_types import duration

LIMIT_S = 300.0


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb `bench nodes`."""
    top = subparsers.add_parser("bench", help="measure the installed nodes on this machine")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "accuracy, delay, cost and memory of each installed node"
    parser = verbs.add_parser(
        "nodes",
        help=about,
        description=f"Prints {about}, measured on the recordings in the folder that VOICE_AGENT_DATA names, "
        "or on synthetic voices and noises, as each line says.",
    )
    parser.add_argument(
        "--only", default="", metavar="LIST", help="roles or nodes, such as vad,stt.pocketsphinx"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures there as JSON; - for stdout alone")
    parser.add_argument(
        "--time-limit", type=duration, default=LIMIT_S, metavar="S",
        help="for one node (default: %(default)g)",
    )  # fmt: skip
    parser.set_defaults(run=nodes)


def nodes(arguments: argparse.Namespace) -> int:
    """Measure them, one after the other."""
    from voice_agent.bench.material import Material
    from voice_agent.bench.run import chosen, run
    from voice_agent.bench.table import node_lines
    from voice_agent.calls.report import machine

    if arguments.json and arguments.json != "-":
        expect_writable(Path(arguments.json))
    Material.find()
    measured = chosen([part.strip() for part in arguments.only.split(",") if part.strip()])
    quiet = arguments.json == "-"

    def show(row: dict[str, Any]) -> None:
        if not quiet:
            print(*node_lines(row), sep="\n", flush=True)

    if not quiet:
        print(f"On {machine()}:", flush=True)
    rows = run(measured, arguments.time_limit, show)
    text = json.dumps({"machine": machine(), "nodes": rows}, ensure_ascii=False, indent=1)
    if quiet:
        print(text)
    elif arguments.json:
        write(Path(arguments.json), lambda path: path.write_text(text + "\n", encoding="utf-8"))
    return 0
