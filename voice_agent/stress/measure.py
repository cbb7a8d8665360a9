"""From calls to the figures of a cell: what callers heard, what the server believed, what it cost. Pure.

Everything that the report draws is in these dictionaries, which are also the JSON; docs/stress.md explains
every field.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from voice_agent.calls.caller import Call
from voice_agent.calls.report import measure, spread
from voice_agent.stress.plan import Cell, PlannedCall, Turn

Figures = dict[str, Any]
FATES = ("received", "lost", "recovered", "concealed", "late")
DOUBTFUL_SHARE = 0.01
"""Callers that send more than this share of their frames late measure themselves, not the server."""


def call_row(planned: PlannedCall, call: Call) -> Figures:
    """The figures of a call that came about."""
    report, phone = measure(call), call.phone
    turns = [
        {"kind": kind(plan), "silence_s": plan.silence_s, "snr_db": plan.snr_db, **turn}
        for plan, turn in zip(planned.turns, report["turns"], strict=False)  # a lost call has fewer
    ]
    return {
        "number": planned.number,
        "lost": len(turns) < len(planned.turns) or bool(phone.ended_because),
        "failures": [error for error in report["errors"] if error not in report["missed"]],
        "missed": report["missed"],
        "lasted_s": round(call.ended_s - phone.offered_s, 2),
        "answer_ms": report["answer_ms"],
        "connect_ms": report["connect_ms"],
        "turns": turns,
        "barge_ins": report["barge_ins"],
        "frames": {
            "heard": report["frames"],
            "late": report["late_frames"],
            "sent": len(phone.sent),
            "own_late": report["own_late_frames"],
        },
        "to_caller": {fate: getattr(phone.received, fate) for fate in FATES},
        "to_server": {fate: phone.events.network[fate] for fate in FATES},
        "network": {
            "to_caller": asdict(call.relay.down) if call.relay else {},
            "to_server": asdict(call.relay.up) if call.relay else {},
        },
    }


def failed_row(planned: PlannedCall, reason: str) -> Figures:
    """A call of which there is nothing to measure."""
    return {"number": planned.number, "lost": True, "failures": [reason], "turns": [], "barge_ins": []}


def kind(turn: Turn) -> str:
    """What is special about a turn."""
    if turn.barge_in_s is not None:
        return "barge-in"
    return "noise" if turn.snr_db is not None else "silence" if turn.silence_s else "plain"


def cell_figures(cell: Cell, planned: int, rows: Sequence[Figures], host: Mapping[str, Any]) -> Figures:
    """The figures of a cell. `planned` calls were to be made; `host` is what the machines used: `lasted_s`,
    and where known `server_cpu_s`, `callers_cpu_s`, `memory_mb` (before, peak, after) and `busy`.
    """
    turns = [turn for row in rows for turn in row["turns"]]
    heard = [turn["voice_to_voice_ms"] for turn in turns]
    believed = [turn["server_voice_to_voice_ms"] for turn in turns]
    pairs = zip(heard, believed, strict=True)
    unheard = [h - b for h, b in pairs if h is not None and b is not None]
    barge_ins = [barge_in for row in rows for barge_in in row["barge_ins"]]
    frames = _sum(row.get("frames", {}) for row in rows)
    return {
        "network": cell.network,
        "calls_at_once": cell.calls,
        "calls": {
            "planned": planned,
            "made": len(rows),
            "failed": sum(bool(row["failures"]) for row in rows),
            "lost": sum(row["lost"] for row in rows),
        },
        "turns": {
            "said": len(turns),
            "unanswered": sum("error" in turn for turn in turns),
            "begun_too_early": sum(turn["begun_too_early"] > 0 for turn in turns),
            "missed_interruptions": sum(len(row.get("missed", ())) for row in rows),
        },
        "heard": {
            "answer_ms": spread([row.get("answer_ms") for row in rows]),
            "voice_to_voice_ms": spread(heard),
            "by_kind": _by_kind(turns),
            "duck_ms": spread([barge_in["duck_ms"] for barge_in in barge_ins]),
            "stop_ms": spread([barge_in["stop_ms"] for barge_in in barge_ins]),
        },
        "believed": {"voice_to_voice_ms": spread(believed), "stages_ms": stages(turns)},
        "unheard_by_server_ms": spread(unheard),
        "frames": {
            **frames,
            "late_percent": _percent(frames["late"], frames["heard"]),
            "own_late_percent": _percent(frames["own_late"], frames["sent"]),
        },
        "loss": {way: _loss(rows, way) for way in ("to_caller", "to_server")},
        "server": _costs(rows, cell.calls, host),
        "doubtful": frames["own_late"] > DOUBTFUL_SHARE * frames["sent"],
        "rows": sorted(rows, key=lambda row: int(row["number"])),
    }


def stages(turns: Sequence[Figures]) -> dict[str, float]:
    """The median of each stage over the turns that it was in; in the order that most turns have."""
    found: dict[str, list[float]] = {}
    places: dict[str, list[int]] = {}
    for turn in turns:
        for place, (name, ms) in enumerate(turn["stages_ms"].items()):
            found.setdefault(name, []).append(ms)
            places.setdefault(name, []).append(place)
    most = max(map(len, found.values()), default=0)
    usual = [name for name in found if len(found[name]) >= most / 2]  # the path that most turns took
    usual.sort(key=lambda name: float(np.mean(places[name])))
    return {name: round(float(np.median(found[name])), 1) for name in usual}


def _by_kind(turns: Sequence[Figures]) -> Figures:
    kinds = sorted({turn["kind"] for turn in turns})
    return {k: spread([t["voice_to_voice_ms"] for t in turns if t["kind"] == k]) for k in kinds}


def _loss(rows: Sequence[Figures], way: str) -> Figures:
    """What the receiving side saw of one direction, in packets, and what the network really did."""
    seen = _sum((row.get(way, {}) for row in rows), FATES)
    did = _sum(row.get("network", {}).get(way, {}) for row in rows)
    expected = seen["received"] + seen["lost"] - seen["late"]
    return {
        **seen,
        "lost_percent": _percent(seen["lost"], expected),
        "concealed_percent": _percent(seen["concealed"], expected),
        "network": dict(did),
    }


def _costs(rows: Sequence[Figures], calls: int, host: Mapping[str, Any]) -> Figures:
    minutes = sum(row.get("lasted_s", 0.0) for row in rows) / 60
    memory = host.get("memory_mb")

    def a_minute(cpu_s: float | None) -> float | None:
        return round(cpu_s / minutes, 2) if cpu_s is not None and minutes else None

    return {
        "cpu_s_per_call_minute": a_minute(host.get("server_cpu_s")),
        "callers_cpu_s_per_call_minute": a_minute(host.get("callers_cpu_s")),
        "memory_mb": memory,
        "memory_mb_per_call": round((memory["peak"] - memory["before"]) / calls, 2) if memory else None,
        "machine_busy_percent": round(100 * host["busy"], 1) if host.get("busy") is not None else None,
        "lasted_s": round(host["lasted_s"], 1),
    }


def _sum(counts: Iterable[Mapping[str, int]], names: Iterable[str] = ()) -> Counter[str]:
    total: Counter[str] = Counter(dict.fromkeys(names, 0))
    for count in counts:
        total.update(count)
    return total


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 3) if whole else None
