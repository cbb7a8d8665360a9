"""A conversation as a picture: who spoke when, how loud, what was said, and what the nodes decided.

SVG that needs nothing else; a browser opens it. Times run to the right, WIDTH_S seconds to a row.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, tostring

import numpy as np

from voice_agent.audio import SAMPLE_RATE, SILENCE_DB
from voice_agent.calls.ear import WINDOW, levels_db
from voice_agent.message import (
    Failed,
    Heard,
    Hold,
    Message,
    Nudge,
    Playback,
    Samples,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    TurnEnded,
    TurnStarted,
)
from voice_agent.stress.html import Child, tag
from voice_agent.turn_eval.judge import Row
from voice_agent.turn_eval.scenario import DIRECTED
from voice_agent.turn_eval.trial import Record

SECOND = 90.0
"""Width of a second."""
LEFT = 120.0
LANE = 56.0
TEXT = 15.0
STEP_S = 0.02
FLOOR_DB = -60.0
STYLE = """
svg { font: 11px system-ui, sans-serif; background: #fff }
.grid { stroke: #ddd } .name { fill: #444; font-weight: 600 } .tick { fill: #888 }
.caller { fill: #2a6fb0 } .agent { fill: #c2571a } .half { opacity: .25 }
.directed { fill: #2a6fb0; opacity: .13 } .undirected { fill: #777; opacity: .16 }
.said { fill: #123f66 } .heard { fill: #7c3206 } .note { fill: #333 }
.verdict { fill: #060; font-weight: 600 }
.wrong { fill: #b00; font-weight: 600 } .mark { stroke: #999; stroke-dasharray: 2 2 }
"""


class Mark(NamedTuple):
    """Something that happened at a moment."""

    time_s: float
    text: str
    class_: str = "note"


def write(record: Record, rows: Sequence[Row], path: Path) -> None:
    """Draw it into a file."""
    path.write_text(draw(record, rows), encoding="utf-8")


def draw(record: Record, rows: Sequence[Row]) -> str:
    """The picture as SVG."""
    lasts_s = len(record.agent) / SAMPLE_RATE
    marks = sorted(_decisions(record))
    decisions, rows_of_marks = _stacked(marks)
    top = 40.0
    lanes: list[Child] = [tag("style", STYLE)]
    about = record.conversation.about or record.conversation.name
    lanes.append(tag("text", f"{record.conversation.name}: {about}", x=8.0, y=18.0, class_="name"))
    caller_y = top + 2 * TEXT
    agent_y, heard_y = caller_y + LANE + 6, caller_y + 2 * LANE + 6 + TEXT
    notes_y = heard_y + TEXT
    bottom = notes_y + rows_of_marks * TEXT + TEXT
    lanes += _grid(lasts_s, top, bottom)
    lanes += _events(record, rows, top, caller_y)
    lanes += [
        _lane("caller", record.caller, caller_y, "caller"),
        _lane("agent", record.agent, agent_y, "agent"),
        tag("text", "caller", x=8.0, y=caller_y + LANE / 2, class_="name"),
        tag("text", "agent", x=8.0, y=agent_y + LANE / 2, class_="name"),
        tag("text", "heard of it", x=8.0, y=heard_y, class_="name"),
        tag("text", "decisions", x=8.0, y=notes_y + TEXT, class_="name"),
    ]
    lanes += [tag("text", word, x=_x(time_s), y=heard_y, class_="heard") for time_s, word in _words(record)]
    for mark, row in decisions:
        y = notes_y + (row + 1) * TEXT
        lanes.append(
            tag("line", x1=_x(mark.time_s), x2=_x(mark.time_s), y1=caller_y, y2=y - 9, class_="mark")
        )
        lanes.append(tag("text", mark.text, x=_x(mark.time_s) + 2, y=y, class_=mark.class_))
    width = _x(lasts_s) + 160
    root = tag("svg", *lanes, xmlns="http://www.w3.org/2000/svg", width=width, height=bottom + TEXT)
    return tostring(root, encoding="unicode") + "\n"


def _x(time_s: float) -> float:
    return LEFT + time_s * SECOND


def _grid(lasts_s: float, top: float, bottom: float) -> Iterator[Element]:
    for second in range(int(lasts_s) + 1):
        x = _x(second)
        yield tag("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid")
        yield tag("text", f"{second} s", x=x + 2, y=bottom + 11, class_="tick")


def _lane(name: str, samples: Samples, top: float, class_: str) -> Element:
    """Loudness over time, from FLOOR_DB to full scale; a ducked voice is lower, a paused one is gone."""
    step = round(STEP_S * SAMPLE_RATE)
    levels = levels_db(samples)[::step] if len(samples) >= WINDOW else np.array([SILENCE_DB])
    heights = LANE * np.clip(1 - levels / FLOOR_DB, 0, 1)
    places = [f"{_x(number * STEP_S):.1f} {top + LANE - height:.1f}" for number, height in enumerate(heights)]
    base = f"{top + LANE:.1f}"
    path = f"M{_x(0):.1f} {base}L{'L'.join(places)}L{_x(len(places) * STEP_S):.1f} {base}Z"
    return tag("path", tag("title", name), d=path, class_=class_)


def _events(record: Record, rows: Sequence[Row], top: float, caller_y: float) -> Iterator[Element]:
    """What the script had, and what came of it."""
    for placed, row in zip(record.placed, rows, strict=True):
        class_ = "directed" if placed.event.label in DIRECTED else "undirected"
        for span in placed.spans:
            x, width = _x(span.start_s), (span.end_s - span.start_s) * SECOND
            yield tag("rect", x=x, y=top, width=width, height=caller_y + 2 * LANE + 6 - top, class_=class_)
        wrong, told = _verdict(row)
        x = _x(placed.onset_s)
        yield tag("text", f"{row.label}: {row.text}", x=x, y=top + TEXT - 4, class_="said")
        yield tag("text", told, x=x, y=top + 2 * TEXT - 4, class_="wrong" if wrong else "verdict")


def _verdict(row: Row) -> tuple[bool, str]:
    """Whether the agent was wrong, and what it did."""
    told = []
    if row.down_s is not None:
        told.append(f"down after {row.down_s * 1000:.0f} ms")
    if row.stopped_s is not None:
        told.append(f"silent after {row.stopped_s * 1000:.0f} ms")
    if row.answered_s is not None:
        told.append(f"answered after {row.answered_s * 1000:.0f} ms")
    if row.cut_ins:
        told.append(f"cut in {row.cut_ins} times")
    if row.label in DIRECTED:
        wrong = row.cut_ins > 0 or (row.answerable and row.answered_s is None)
        wrong |= row.label != "turn" and row.label != "return" and row.over_agent and row.stopped_s is None
        return wrong, ", ".join(told) or "not answered"
    if row.label == "wait":
        return not (row.held and row.kept_silent), ", ".join([*told, "held" if row.held else "not held"])
    wrong = row.stopped_s is not None or row.answered_s is not None or row.spoke > 0
    return wrong, ", ".join(told) or "ignored"


def _words(record: Record) -> Iterator[tuple[float, str]]:
    """Each piece of the agent's text as it came to be heard."""
    heard: dict[int, str] = {}
    for note in record.notes:
        if isinstance(note.message, Heard):
            before = heard.get(note.message.reply, "")
            heard[note.message.reply] = note.message.text
            if note.message.text.startswith(before) and note.message.text != before:
                yield note.time_s, note.message.text[len(before) :].strip()


def _decisions(record: Record) -> Iterator[Mark]:
    told = ""
    for note in record.notes:
        if isinstance(note.message, Transcript) and not note.message.final:
            continue
        text = _told(note.message, note.sure)
        if text and not (isinstance(note.message, Transcript) and text == told):
            told = text
            yield Mark(note.time_s, text)
    for turn, time_s in record.confirmed.items():
        yield Mark(time_s, f"turn {turn} sure")
    for turn, time_s in record.given_up.items():
        yield Mark(time_s, f"turn {turn} given up")


def _told(message: Message, sure: bool) -> str:
    match message:
        case SpeechStarted():
            return "voice"
        case SpeechEnded():
            return "no voice"
        case TurnStarted():
            return "floor to the caller"
        case TurnEnded():
            kind = "hold" if message.hold else "turn"
            how = "ended" if sure else "may have ended"
            return f"{kind} {message.turn} {how}: {message.text or '(no words)'}"
        case Playback():
            return message.mode
        case Hold():
            return "on hold" if message.on else "back from hold"
        case Nudge():
            return f"nudge: {message.why}"
        case Transcript():
            return f"understood: {message.text or '(nothing)'}"
        case Heard(final=True):
            return f"reply {message.reply} {'cut' if message.interrupted else 'over'}"
        case Failed():
            return f"{message.node} failed"
    return ""


def _stacked(marks: Sequence[Mark]) -> tuple[list[tuple[Mark, int]], int]:
    """Each mark in the first row in which it lies on no other."""
    ends: list[float] = []
    placed = []
    for mark in marks:
        x = _x(mark.time_s)
        row = next((number for number, end in enumerate(ends) if end < x), len(ends))
        if row == len(ends):
            ends.append(0.0)
        ends[row] = x + 6.3 * len(mark.text) + 8
        placed.append((mark, row))
    return placed, len(ends)
