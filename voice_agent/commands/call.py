"""`voice-agent call`: a simulated caller dials a server, speaks, listens and measures."""

import argparse
import asyncio
import json
import shlex
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voice_agent.commands import network
from voice_agent.commands.files import expect_writable, write
from voice_agent.commands.option_types import duration, echo

if TYPE_CHECKING:
    from voice_agent.calls.own_server import OwnServer


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "call",
        help="call a server as a simulated caller, and measure at the caller's ear",
        description="Speaks the utterances in their order, each when the one before has been answered.",
        epilog="Exit status: 0, 1 if something went wrong in the call, 2 if it did not come about.",
    )
    script = parser.add_argument_group("what is said, in this order")
    script.add_argument("--say", action=_InOrder, metavar="TEXT", help="say this in a synthetic voice")
    script.add_argument("--wav", action=_InOrder, nargs="+", metavar="FILE", help="play these recordings")
    script.add_argument(
        "--barge-in", action=_InOrder, metavar="SECONDS",
        help="say the next utterance that long into the agent's answer to the one before",
    )  # fmt: skip
    server = parser.add_mutually_exclusive_group()
    server.add_argument(
        "--url", help="the server to call, such as http://127.0.0.1:8080 (default: one's own)"
    )
    server.add_argument("--graph", default="", metavar="NAME|FILE", help="the graph of one's own server")
    parser.add_argument("--language", default="en", help="the caller's language (default: %(default)s)")
    parser.add_argument("--voice", default="", metavar="NAME", help="a voice of espeak-ng, such as en-gb+m2")
    parser.add_argument("--json", metavar="FILE", help="write the report there as JSON; - for stdout alone")
    parser.add_argument("--record", type=Path, metavar="FILE.wav", help="caller left, agent right")
    parser.add_argument(
        "--timeout", type=duration, default=10.0, metavar="S",
        help="how long to wait for an answer to begin (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--echo", type=echo, metavar="MS,DB",
        help="be on a loudspeaker: the agent's voice comes back so much later and quieter, such as 120,-12",
    )  # fmt: skip
    network.add_options(parser)
    parser.set_defaults(run=run, script=[])


class _InOrder(argparse.Action):
    """Keeps options of different names in the order in which they were given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        given = [values] if isinstance(values, str) else values or []
        namespace.script = [*namespace.script, *((self.option_strings[0], value) for value in given)]


def run(arguments: argparse.Namespace) -> int:
    """Make the call and tell what it was like."""
    from voice_agent.calls.loop import loop_factory
    from voice_agent.calls.report import lines

    for file in (arguments.record, arguments.json):
        if file and file != "-":
            expect_writable(Path(file))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        report = runner.run(_call(arguments))
    text = json.dumps(report, ensure_ascii=False, indent=2)
    if arguments.json == "-":
        print(text)
    else:
        print(*lines(report), sep="\n")
        if arguments.json:
            write(Path(arguments.json), lambda path: path.write_text(text + "\n", encoding="utf-8"))
    return 1 if report["errors"] else 0


async def _call(arguments: argparse.Namespace) -> dict[str, Any]:
    from voice_agent.calls import script as scripts
    from voice_agent.calls.caller import Manners, place_call
    from voice_agent.calls.loudspeaker import Echo
    from voice_agent.calls.report import measure, record
    from voice_agent.network.profile import load

    script = await scripts.write(arguments.script, arguments.language, arguments.voice)
    manners = Manners(answer_timeout_s=arguments.timeout)
    profile = load(arguments.network) if arguments.network else None
    async with _server(arguments) as (url, server):
        begun_s, cpu_s = time.monotonic(), server.cpu_s() if server else None
        call = await place_call(
            url, script, language=arguments.language, manners=manners,
            network=profile if server is None else None,  # one's own server puts it in front of itself
            network_seed=arguments.network_seed,
            echo=Echo(*arguments.echo) if arguments.echo else None,
        )  # fmt: skip
        lasted_s, used_s = time.monotonic() - begun_s, server.cpu_s() if server else None
    report = measure(call)
    if arguments.record:
        write(arguments.record, lambda path: record(call, path))
    if cpu_s is not None and used_s is not None:
        report["server_cpu_s_per_minute"] = round((used_s - cpu_s) / lasted_s * 60, 2)
    return report | {"command": shlex.join(["voice-agent", *sys.argv[1:]])}


@asynccontextmanager
async def _server(arguments: argparse.Namespace) -> "AsyncIterator[tuple[str, OwnServer | None]]":
    """The server to call, and its process where it is one's own."""
    if arguments.url:
        yield arguments.url, None
        return
    from voice_agent.calls.own_server import command, own_server

    serve = command(arguments.graph, arguments.network, arguments.network_seed)
    async with own_server(serve) as server:
        yield server.url, server
