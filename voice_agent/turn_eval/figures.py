"""From the rows of many conversations to named figures, each with the count that it rests on. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from voice_agent.bench.metrics import percentile
from voice_agent.turn_eval import eot
from voice_agent.turn_eval.judge import Row
from voice_agent.turn_eval.scenario import DIRECTED, FLOOR, UNDIRECTED

Z = 1.96
"""Of a 95 % interval."""


@dataclass(frozen=True)
class Figure:
    """One number."""

    name: str
    """As τ-voice or eot-bench has it where it is theirs."""
    about: str
    value: float | None
    """None where there is nothing to count."""
    unit: str
    """"ms", "%" or "" of a count."""
    n: int
    low: float | None = None
    high: float | None = None
    """Of a share its 95 % interval (Wilson 1927)."""
    p95: float | None = None
    """Of times."""


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    if not n:
        return 0.0, 1.0
    share = hits / n
    centre = share + Z**2 / (2 * n)
    margin = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


def share(name: str, about: str, verdicts: Sequence[bool]) -> Figure:
    """Of how many it is true."""
    n, hits = len(verdicts), sum(verdicts)
    if not n:
        return Figure(name, about, None, "%", 0)
    low, high = wilson(hits, n)
    return Figure(name, about, 100 * hits / n, "%", n, 100 * low, 100 * high)


def times(name: str, about: str, seconds: Sequence[float | None]) -> Figure:
    """Median and P95 of what is known."""
    ms = [1000 * one for one in seconds if one is not None]
    if not ms:
        return Figure(name, about, None, "ms", 0)
    return Figure(name, about, percentile(ms, 50), "ms", len(ms), p95=percentile(ms, 95))


def mean(name: str, about: str, seconds: Sequence[float | None]) -> Figure:
    """The mean of what is known."""
    ms = [1000 * one for one in seconds if one is not None]
    value = sum(ms) / len(ms) if ms else None
    return Figure(name, about, value, "ms", len(ms), p95=percentile(ms, 95) if ms else None)


def as_json(figure: Figure) -> dict[str, Any]:
    """Rounded to what can be told."""
    return {
        key: round(value, 2) if isinstance(value, float) else value for key, value in asdict(figure).items()
    }


# --- τ-voice ---------------------------------------------------------------------------------------


def tau_voice(rows: Sequence[Row]) -> list[Figure]:
    """The panel of τ-voice, by its names."""
    directed = [row for row in rows if row.label in DIRECTED]
    answerable = [row for row in directed if row.answerable]
    over = [row for row in rows if row.over_agent and row.label in FLOOR and not _moot(row)]
    events = sum(row.cut_ins for row in directed)
    return [
        mean("L_R", "end of a turn to the answer, mean", [row.answered_s for row in answerable]),
        mean("L_Y", "interruption to silence, mean", [row.stopped_s for row in over]),
        share("R_R", "turns answered", [row.answered_s is not None for row in answerable]),
        share("R_Y", "interruptions yielded to", [row.stopped_s is not None for row in over]),
        _rate("I_A", "beginnings over the caller, for each turn", events, len(directed)),
        share("S_BC", "backchannels talked through", _selective(rows, ("backchannel",))),
        share("S_VT", "coughs, laughs and the like ignored", _selective(rows, ("vocal_tic",))),
        share("S_ND", "speech to others ignored", _selective(rows, ("non_directed",))),
    ]


def _rate(name: str, about: str, events: int, n: int) -> Figure:
    """Events for each of n; can be more than all."""
    if not n:
        return Figure(name, about, None, "%", 0)
    low, high = wilson(min(events, n), n)
    return Figure(name, about, 100 * events / n, "%", n, 100 * low, 100 * high)


def _moot(row: Row) -> bool:
    """The agent had said all before it was to have stopped."""
    return row.finished


def _selective(rows: Sequence[Row], labels: Sequence[str]) -> list[bool]:
    """Neither stopped at nor answered. A sign of listening is one only while the agent speaks."""
    kept = [row for row in rows if row.label in labels and (row.over_agent or row.label != "backchannel")]
    return [row.stopped_s is None and row.answered_s is None for row in kept]


# --- what else callers feel --------------------------------------------------------------------------


def own(rows: Sequence[Row]) -> list[Figure]:
    """Figures of this project."""
    over = [row for row in rows if row.over_agent]
    floor = [row for row in over if row.label in FLOOR]
    undirected = [row for row in over if row.label in UNDIRECTED]
    stopped = [row for row in undirected if row.stopped_s is not None]
    through = [row for row in undirected if row.shifted_words is not None]
    turns = [row for row in rows if row.label in DIRECTED]
    waits = [row for row in rows if row.label == "wait"]
    silences = [row for row in rows if row.label == "silence"]
    answers = [row.answered_s for row in rows if row.label == "turn"]
    shifts = [abs(row.shift_s) for row in through if row.shift_s is not None]
    return [
        times("voice-to-voice", "end of a turn to the answer", answers),
        times("duck", "interruption to 12 dB down", [row.down_s for row in floor]),
        times("full stop", "interruption to silence", _stops(floor, "interruption")),
        times("full stop, corrections", 'the same of "no, the other one"', _stops(floor, "correction")),
        times("full stop, waits", 'the same of "hold on"', _stops(floor, "wait")),
        share(
            "stops resumed",
            "of those at sounds not for the agent",
            [r.resumed_s is not None for r in stopped],
        ),
        times("ramp-back shift", "of the agent's voice repeated or lost at such sounds", shifts),
        share("no word lost or repeated", "at such sounds", [not row.shifted_words for row in through]),
        share(
            "hold recall", '"hold on" understood and kept', [bool(r.held and r.kept_silent) for r in waits]
        ),
        share("false holds", "put on hold by anything else", [row.held for row in turns]),
        share("bystanders ignored", "a television, people in the room", _selective(rows, ("bystander",))),
        share("noises ignored", "a door, a keyboard", _selective(rows, ("noise",))),
        share("silences kept", "nobody spoke, nor did the agent", [not row.spoke for row in silences]),
    ]


def _stops(rows: Sequence[Row], label: str) -> list[float | None]:
    return [row.stopped_s for row in rows if row.label == label and not _moot(row)]


# --- eot-bench ---------------------------------------------------------------------------------------


def end_of_turn(rows: Sequence[Row], holds: Sequence[eot.Hold]) -> list[Figure]:
    """What eot-bench tabulates, and where the graph stands as it is configured."""
    pauses = sum(row.pauses for row in rows)
    cut = sum(row.cut_pauses for row in rows)
    ends = [row.waited_s for row in rows if row.label in DIRECTED and row.waited_s is not None]
    low, high = wilson(cut, pauses)
    found = [
        Figure("false cut-offs", "pauses within a turn taken for its end, as configured",
               100 * cut / pauses if pauses else None, "%", pauses, 100 * low, 100 * high),
        mean("latency", "end of a turn to the decision, mean, as configured", ends),
    ]  # fmt: skip
    points = eot.sweep(holds, ends)
    for ms in (300, 600):
        best = eot.cut_offs_at(points, ms / 1000)
        value = 100 * best.cut_offs if best else None
        found.append(Figure(f"false cut-offs at {ms} ms", "of the swept policies", value, "%", len(holds)))
    for percent in (5, 10):
        best = eot.latency_at(points, percent / 100)
        value = 1000 * best.latency_s if best else None
        found.append(
            Figure(f"latency at {percent} % cut-offs", "of the swept policies", value, "ms", len(holds))
        )
    return found


def speculation(opened: int, used: int, given_up: int, saved_s: Sequence[float]) -> list[Figure]:
    """What became of turns that were worked on before they were sure."""
    told: Callable[[int], float | None] = lambda count: 100 * count / opened if opened else None  # noqa: E731
    return [
        Figure("speculation hits", "tentative turns that became sure", told(used), "%", opened),
        Figure("speculation discards", "tentative turns given up", told(given_up), "%", opened),
        times("speculation saves", "from the tentative turn to the sure one", list(saved_s)),
    ]
