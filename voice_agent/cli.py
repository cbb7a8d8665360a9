"""The command `voice-agent`. Each verb is a module in `commands/`."""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from voice_agent import __version__
from voice_agent.commands import bench, call, doctor, graph, models, network, node, serve, stress, turn_eval
from voice_agent.errors import GraphError, VoiceAgentError

COMMANDS = (serve, call, stress, turn_eval, graph, network, node, bench, models, doctor)
"""Every one adds its parser, whose `run` default takes the arguments and returns the exit status. What
a verb needs is imported when it runs, so that `--help` and a mistyped command answer at once."""
INTERRUPTED = 130
"""128 + SIGINT, as a shell reports it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status: 2 for what the user can mend, told in one line each."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a terminal without UTF-8 gets escapes, not a crash
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except GraphError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return 2
    except VoiceAgentError as error:
        print(f"voice-agent: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; nothing is left to say to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="voice-agent", description="A real-time voice agent over WebRTC.")
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(verbs)
    return top


if __name__ == "__main__":
    sys.exit(main())
