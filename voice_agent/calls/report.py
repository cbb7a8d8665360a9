"""From what a call has recorded to figures: as JSON, as lines for a person, as a stereo WAV."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voice_agent import audio
from voice_agent.audio import FRAME, SAMPLE_RATE
from voice_agent.calls import ear
from voice_agent.calls.caller import Call, Spoken
from voice_agent.calls.ear import Tape
from voice_agent.calls.events import Response

Report = dict[str, Any]
JUMP_S = 0.06
"""A frame this far from its place on the time axis is moved there in a recording; nearer ones follow
each other without a seam."""


def measure(call: Call) -> Report:
    """The figures of a call; times in milliseconds, None where there is nothing to measure."""
    phone = call.phone
    begins_s = [*(turn.begins_s for turn in call.turns), call.ended_s]
    measured = [_Turn(call, turn, end_s) for turn, end_s in zip(call.turns, begins_s[1:], strict=True)]
    greeted_s = phone.heard.first_audible(phone.offered_s, begins_s[0])
    turns = [turn.report() for turn in measured]
    barge_ins = [turn.barge_in() for turn in measured if turn.spoken.interrupted is not None]
    missed = [f"turn {turn.number}: {turn.spoken.missed}" for turn in measured if turn.spoken.missed]
    return {
        "answer_ms": _ms(phone.offered_s, greeted_s),
        "connect_ms": _ms(phone.offered_s, phone.connected_s),
        "greeting": _greeting(call, greeted_s, begins_s[0]),
        "turns": turns,
        "barge_ins": barge_ins,
        "frames": len(phone.heard),
        "lost_frames": phone.lost_frames,
        "late_frames": ear.late_frames(phone.heard.times, phone.heard.slots),
        "own_late_frames": phone.own_late_frames,
        "missed": missed,
        "errors": [
            *call.errors,
            *missed,
            *phone.events.errors,
            *map(_not_given_way, filter(_ignored, barge_ins)),
        ],
        "summary": {
            "voice_to_voice_ms": spread([turn["voice_to_voice_ms"] for turn in turns]),
            "duck_ms": spread([barge_in["duck_ms"] for barge_in in barge_ins]),
            "stop_ms": spread([barge_in["stop_ms"] for barge_in in barge_ins]),
        },
        "machine": machine(),
    }


def spread(values: Sequence[float | None]) -> dict[str, float] | None:
    """Median and 95th percentile of what could be measured, and of how many; None for none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    p50, p95 = np.percentile(known, (50, 95))
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1), "count": len(known)}


def machine() -> str:
    """The processor and the number of cores this process may use: figures mean nothing without them."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {model}, Python {platform.python_version()}"


class _Turn:
    """One line, and what happened until the next one began."""

    def __init__(self, call: Call, spoken: Spoken, end_s: float) -> None:
        self.spoken = spoken
        self.number = call.turns.index(spoken) + 1
        self.end_s = end_s
        self.phone = call.phone
        begun = self.phone.events.begun_since(spoken.begins_s)
        self.replies = [reply for reply in begun if (reply.started_s or 0.0) < end_s]
        self.answer = next((reply for reply in self.replies if not self._cut_here(reply)), None)
        sent = self.phone.sent.times[spoken.frame :]
        voice = spoken.voice
        heard = voice is not None and len(sent) > voice.last // FRAME
        self.spoke_s = sent[voice.first // FRAME] if voice and heard else None
        """When the packet with the first voiced sample was sent."""
        self.silent_s = sent[voice.last // FRAME] if voice and heard else None
        """When the packet with the last voiced sample was sent."""

    def report(self) -> Report:
        heard_as = [h.transcript for h in self.phone.events.heard_as if self._here(h.time_s)]
        answer = self.answer
        report: Report = {
            "said": self.spoken.line.said,
            "heard_as": " ".join(heard_as),
            "reply": answer.text if answer else "",
            "voice_to_voice_ms": _ms(self.silent_s, self._answer_begins()),
            "stages_ms": answer.stages_ms if answer else {},
            "route": answer.route if answer else "",
            "route_reason": answer.route_reason if answer else "",
            "server_voice_to_voice_ms": answer.server_voice_to_voice_ms if answer else None,
            "begun_too_early": sum(self._cut_here(reply) for reply in self.replies),
        }
        if self.spoken.error:
            report["error"] = self.spoken.error
        return report

    def barge_in(self) -> Report:
        """How the agent took being interrupted by this line."""
        old = self.spoken.interrupted
        assert old is not None
        result = ear.BargeIn(None, None)
        if self.spoke_s is not None:
            until_s = self.answer.started_s if self.answer and self.answer.started_s else self.end_s
            result = ear.barge_in(self.phone.heard, self.spoke_s, old.ended_s if old.cut else None, until_s)
        return {
            "duck_ms": _round(result.duck_ms),
            "stop_ms": _round(result.stop_ms),
            "taken_back": result.taken_back,
            "turn": self.number,
            "cut": old.cut,
            "heard_before": old.text,
        }

    def _answer_begins(self) -> float | None:
        """The first audible sample of the answer: the first after the caller began to speak and every
        earlier reply was over. It may lie before the caller's last word."""
        if self.answer is None or self.answer.started_s is None or self.spoke_s is None:
            return None
        after_s = self.spoke_s
        for reply in self.phone.events.responses.values():
            if reply is not self.answer and reply.ended_s is not None and self._here(reply.ended_s):
                over_s = min(reply.ended_s + ear.CUT_S, self.answer.started_s)
                if reply.ended_s <= self.answer.started_s:
                    after_s = max(after_s, over_s)
        return self.phone.heard.first_audible(after_s, self.end_s)

    def _cut_here(self, reply: Response) -> bool:
        """Whether a reply was begun too early: before the next line, the caller's own words cut it."""
        return reply.cut and reply.ended_s is not None and reply.ended_s < self.end_s

    def _here(self, time_s: float) -> bool:
        return self.spoken.begins_s <= time_s < self.end_s


def _ignored(barge_in: Report) -> bool:
    """The agent gave way neither for good nor for a while."""
    return barge_in["stop_ms"] is None and not barge_in["cut"] and not barge_in["taken_back"]


def _not_given_way(barge_in: Report) -> str:
    return f"turn {barge_in['turn']}: the agent did not give way to it"


def _greeting(call: Call, greeted_s: float | None, first_s: float) -> Report:
    begun = call.phone.events.begun_since(0.0)
    text = begun[0].text if begun and (begun[0].started_s or 0.0) < first_s else ""
    return {
        "text": text,
        "after_answer_ms": _ms(call.phone.answered_s, greeted_s),
        "after_connect_ms": _ms(call.phone.connected_s, greeted_s),
    }


def _ms(start_s: float | None, end_s: float | None) -> float | None:
    return None if start_s is None or end_s is None else round((end_s - start_s) * 1000, 1)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


# --- for a person ---


def lines(report: Report) -> list[str]:
    """The report as text: one line a turn."""
    greeting = report["greeting"]
    out = [
        f"Greeting after {_told(report['answer_ms'])} ({_told(greeting['after_connect_ms'])} after "
        f"connecting): {greeting['text'] or 'nothing'}"
    ]
    for number, turn in enumerate(report["turns"], start=1):
        out.append(f"{number:3}. {_turn_line(turn)}")
        out += [f"     {_barge_in_line(b)}" for b in report["barge_ins"] if b["turn"] == number]
    for name, values in report["summary"].items():
        if values:
            what = name.removesuffix("_ms").replace("_", "-")
            out.append(f"{what}: P50 {values['p50']:.0f} ms, P95 {values['p95']:.0f} ms of {values['count']}")
    lost, late, frames = report["lost_frames"], report["late_frames"], report["frames"]
    out.append(f"Of {frames} frames {lost} lost, {late} late; {report['own_late_frames']} sent late.")
    return out + [f"Error: {error}" for error in report["errors"]]


def _turn_line(turn: Report) -> str:
    stages = ", ".join(f"{name} {ms:.0f}" for name, ms in turn["stages_ms"].items())
    heard = f" (heard: {turn['heard_as']})" if turn["heard_as"] != turn["said"] else ""
    route = f" [{turn['route']}]" if turn["route"] else ""
    answer = f"{_told(turn['voice_to_voice_ms'])}{f' ({stages})' if stages else ''}{route} -> {turn['reply']}"
    return f"{turn['said']}{heard} -> {turn.get('error') or answer}"


def _barge_in_line(barge_in: Report) -> str:
    duck, stop = _told(barge_in["duck_ms"]), _told(barge_in["stop_ms"])
    if barge_in["taken_back"]:
        return f"interrupted: softer after {duck}, then the agent spoke on"
    if barge_in["stop_ms"] is None:
        return (
            "interrupted: the agent did not give way" if not barge_in["cut"] else "interrupted in a silence"
        )
    return f"interrupted after '{barge_in['heard_before']}': softer after {duck}, silent after {stop}"


def _told(ms: float | None) -> str:
    return "-" if ms is None else f"{ms:.0f} ms"


# --- to listen to ---


def stereo(call: Call) -> npt.NDArray[np.int16]:
    """The caller left and the agent right on one time axis, shape (n, 2) at 16 kHz."""
    tapes = call.phone.sent, call.phone.heard
    start_s = min((tape.times[0] for tape in tapes if len(tape)), default=0.0)
    sides = [_placed(tape, start_s) for tape in tapes]
    length = max(len(side) for side in sides)
    return np.stack([np.pad(side, (0, length - len(side))) for side in sides], axis=1)


def _placed(tape: Tape, start_s: float) -> npt.NDArray[np.int16]:
    places: list[int] = []
    for time_s in tape.times:
        place = round((time_s - start_s) * SAMPLE_RATE)
        follows = places[-1] + FRAME if places else place
        places.append(place if place - follows > JUMP_S * SAMPLE_RATE else follows)
    side = np.zeros(places[-1] + FRAME if places else 0, np.int16)
    for place, frame in zip(places, tape.frames, strict=True):
        side[place : place + FRAME] = frame
    return side


def record(call: Call, path: Path) -> None:
    """Write the call as a stereo WAV. Raises OSError."""
    audio.write_wav(path, stereo(call))
