"""`voice-agent node`: hand one node a recording or lines of text, and print what comes out."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voice_agent.commands.files import expect_writable, write
from voice_agent.commands.option_types import seconds
from voice_agent.errors import InputError

if TYPE_CHECKING:
    from voice_agent.extension import Extension
    from voice_agent.message import Samples
    from voice_agent.trial.cues import Cue

TEXT_KINDS = ("transcript", "turn", "prompt", "text", "clause", "typed")
"""As in `trial.cues`, which is not imported before it is needed."""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "node",
        help="try one node on a recording or on lines of text",
        description="Prints each message that comes out as a line of JSON: its port and class, the audio "
        "time handed over by then, the processing time since what it answers, and its fields. Of a node that "
        "can judge lines of text outside a call: a line of JSON for each of them.",
        epilog="Exit status: 0, 1 if the node could not make a reply, 2 if it could not run.",
    )
    parser.add_argument("addon", metavar="ADDON", help="as in a graph, such as vad.silero")
    parser.add_argument(
        "--property", action="append", default=[], metavar="NAME=VALUE",
        help="a field of the node; the value is read as JSON if it is JSON",
    )  # fmt: skip
    sound = parser.add_mutually_exclusive_group()
    sound.add_argument("--wav", type=Path, metavar="FILE", help="a recording of the caller")
    sound.add_argument("--say", metavar="TEXT", help="the caller says this in a synthetic voice")
    parser.add_argument(
        "--played", type=Path, metavar="FILE",
        help="what the caller's loudspeaker plays meanwhile, for a node that takes echo away",
    )  # fmt: skip
    text = parser.add_mutually_exclusive_group()
    text.add_argument("--text", metavar="TEXT", help="what the node is to work on")
    text.add_argument("--lines", metavar="FILE", help="the same, a message for each line; - for stdin")
    parser.add_argument(
        "--as", dest="kind", choices=TEXT_KINDS, default="",
        help="what the text is handed over as (default: the first of these that the node takes)",
    )  # fmt: skip
    parser.add_argument("--language", default="en", help="of the call and of the text (default: %(default)s)")
    parser.add_argument(
        "--vad", default="vad.silero", metavar="ADDON",
        help="tells a node that listens when somebody speaks (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE.wav", help="write the sound that comes out")
    parser.add_argument(
        "--tail", type=seconds, default=2.0, metavar="S",
        help="silence after the recording, or after each line that is heard (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--interrupt-at", type=seconds, metavar="S",
        help="interrupt after so much time, or so much of a voice that comes out",
    )  # fmt: skip
    parser.add_argument(
        "--realtime", action="store_true",
        help="at the pace of a call; otherwise time in which nobody works is skipped",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the node and print what comes out."""
    import numpy as np

    from voice_agent import audio, graph
    from voice_agent.extension import LineJudge
    from voice_agent.message import AudioFrame, Failed, Speech
    from voice_agent.trial.json_lines import line
    from voice_agent.trial.play import Output, Trial

    if arguments.out:
        expect_writable(arguments.out)
    checked = graph.single(arguments.addon, _properties(arguments.property))
    lines = _lines(arguments)
    if lines and not _in_a_session(arguments) and issubclass(checked.nodes[0].extension_class, LineJudge):
        checked.prepare()
        return _judge(checked.nodes[0].build(), lines, arguments.language)
    cues = _cues(arguments, checked.nodes[0].extension_class, lines)
    checked.prepare()
    node = checked.nodes[0].build()
    pieces: list[Samples] = [np.zeros(0, np.int16)]
    failed = False

    def show(output: Output) -> None:
        nonlocal failed
        failed = failed or isinstance(output.message, Failed)
        if arguments.out and isinstance(output.message, (AudioFrame, Speech)):
            pieces.append(output.message.samples)
        print(json.dumps(line(output), ensure_ascii=False), flush=arguments.realtime)

    trial = Trial(
        arguments.addon, node, cues,
        vad=_vad(arguments, node),
        understood=lines or (),
        language=arguments.language,
        realtime=arguments.realtime,
        tail_s=arguments.tail,
        interrupt_at_s=arguments.interrupt_at,
        on_output=show,
    )  # fmt: skip
    trial.run()
    if trial.dropped:
        print(f"{trial.dropped} frames lost: the node was too slow for them", file=sys.stderr)
    if arguments.out:
        write(arguments.out, lambda path: audio.write_wav(path, np.concatenate(pieces)))
    return 1 if failed else 0


def _in_a_session(arguments: argparse.Namespace) -> bool:
    """Whether the lines are for a node in a call, even if it can judge them outside."""
    return bool(arguments.kind or arguments.wav or arguments.say or arguments.realtime)


def _judge(node: "Extension", lines: list[str], language: str) -> int:
    """Print what the node makes of each line, and how long that took."""
    from voice_agent.extension import LineJudge

    assert isinstance(node, LineJudge)
    for text in lines:
        began_s = time.perf_counter()
        judged = node.judge_line(text, language)
        took_ms = round((time.perf_counter() - began_s) * 1000, 3)
        print(json.dumps({"text": text, **judged, "took_ms": took_ms}, ensure_ascii=False))
    return 0


def _properties(given: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in given:
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise InputError(f"--property: expected NAME=VALUE, got {part!r}")
        if name in values:
            raise InputError(f"--property: field {name!r} is given twice")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values


def _lines(arguments: argparse.Namespace) -> list[str] | None:
    """The text to work on, without empty lines; None where none is given."""
    if arguments.text is not None:
        return [arguments.text]
    if arguments.lines is None:
        return None
    try:
        text = (
            sys.stdin.buffer.read() if arguments.lines == "-" else Path(arguments.lines).read_bytes()
        ).decode()
    except OSError as error:
        raise InputError(f"{arguments.lines}: expected lines of text: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{arguments.lines}: expected UTF-8 text: {error.reason}") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{arguments.lines}: expected lines of text, found none")
    return lines


def _cues(arguments: argparse.Namespace, node: "type[Extension]", lines: list[str] | None) -> "list[Cue]":
    from voice_agent import audio
    from voice_agent.message import Transcript
    from voice_agent.trial import cues

    samples = _sound(arguments)
    if samples is not None:
        if lines is not None and not cues.takes(node, Transcript):
            raise InputError("text beside a recording is what a recogniser understood; the node takes none")
        played = audio.read(arguments.played) if arguments.played else None
        return cues.of_sound(node, samples, arguments.tail, played)
    if arguments.played:
        raise InputError("--played goes with what the microphone hears of it: --wav or --say")
    if lines is not None:
        return cues.of_lines(node, lines, arguments.language, arguments.tail, arguments.kind)
    if node.inputs:
        raise InputError("expected something to work on: --wav, --say, --text or --lines")
    return []


def _sound(arguments: argparse.Namespace) -> "Samples | None":
    from voice_agent import audio

    if arguments.wav is not None:
        return audio.read(arguments.wav)
    if arguments.say is None:
        return None
    import asyncio

    from voice_agent.calls.script import say

    return asyncio.run(say(arguments.say, arguments.language)).samples


def _vad(arguments: argparse.Namespace, node: "Extension") -> "Extension | None":
    """Where there is sound, and the node wants to know when somebody speaks."""
    from voice_agent import graph
    from voice_agent.message import SpeechEnded
    from voice_agent.trial.cues import takes

    if (arguments.wav is None and arguments.say is None) or not takes(node, SpeechEnded):
        return None
    checked = graph.single(arguments.vad, {})
    checked.prepare()
    vad = checked.nodes[0].build()
    if SpeechEnded not in vad.outputs.values():
        raise InputError(f"--vad: expected a node that tells of speech, got {arguments.vad}")
    return vad
