"""The sections of a report on time: what callers hear, where it goes, how fast the agent gives way. Pure."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import numpy as np

from voice_agent.stress import charts
from voice_agent.stress.charts import Row, Scale
from voice_agent.stress.html import Child, table, tag
from voice_agent.stress.parts import (
    Figures,
    Marks,
    counted,
    details,
    legend,
    load,
    name,
    networks,
    of,
    pair,
    panels,
    section,
    told,
    turns,
)

SHADES = 5
"""Of lines, from the lightest load to the heaviest."""
STAGES = 8
"""Colours."""
UNSEEN = "not seen by the server"
SHARES = (10, 25, 50, 75, 90, 95, 99)


def latency(cells: Sequence[Figures]) -> Element:
    """Voice-to-voice, heard and believed."""
    across = charts.scale([of(cell["heard"]["voice_to_voice_ms"], "p95") for cell in cells], "ms", 100)

    def draw(network: str, cells: list[Figures]) -> Element:
        rows = [Row(load(c), pair(c["heard"]["voice_to_voice_ms"]), _latency_marks(c, across)) for c in cells]
        return charts.panel(f"Voice-to-voice on {network}", rows, across)

    return section(
        "What callers hear",
        "Voice-to-voice: from the caller's last voiced sample to the agent's first audible one, P50 (dot) to "
        "P95 (end of the bar). The server believes less than its callers hear: it sees neither the network "
        "nor packets and codecs.",
        legend(("heard", "heard by the caller"), ("believed", "believed by the server")),
        panels(cells, draw),
        details(_latency_table(cells)),
    )


def _latency_marks(cell: Figures, across: Scale) -> Marks:
    heard, believed = cell["heard"]["voice_to_voice_ms"], cell["believed"]["voice_to_voice_ms"]
    return lambda y: [
        *charts.spread_marks(believed, across, y + 4, "believed", "believed by the server"),
        *charts.spread_marks(heard, across, y - 3, "heard", "heard by the caller"),
    ]


def _latency_table(cells: Sequence[Figures]) -> Element:
    first = next(iter(networks(cells).values()), [])
    base = {cell["calls_at_once"]: of(cell["heard"]["voice_to_voice_ms"], "p50") for cell in first}
    rows: list[list[Child]] = []
    for cell in cells:
        heard, believed = cell["heard"]["voice_to_voice_ms"], cell["believed"]["voice_to_voice_ms"]
        p50, other = of(heard, "p50"), base.get(cell["calls_at_once"])
        kinds = [f"{kind} {told(of(spread, 'p50'))}" for kind, spread in cell["heard"]["by_kind"].items()]
        rows.append([
            name(cell), told(p50), told(of(heard, "p95")), str(heard["count"] if heard else 0),
            "–" if p50 is None or other is None else f"{p50 - other:+.0f}",
            told(of(believed, "p50")), told(of(believed, "p95")),
            told(of(cell["unheard_by_server_ms"], "p50")), pair(cell["heard"]["answer_ms"], ""),
            ", ".join(kinds),
        ])  # fmt: skip
    head = [
        "ms", "heard P50", "P95", "turns", f"P50 above {first[0]['network'] if first else ''}",
        "believed P50", "P95", "heard later than believed, P50", "greeting P50 / P95",
        "heard P50 by kind of turn",
    ]  # fmt: skip
    return table("Voice-to-voice and greeting, in milliseconds", head, rows)


def distributions(cells: Sequence[Figures]) -> Element:
    """Every turn's voice-to-voice, as the share of turns up to each value."""
    every = [ms for cell in cells for ms in turns(cell, "voice_to_voice_ms")]
    across = charts.scale(every, "ms", 100)
    loads = sorted({int(cell["calls_at_once"]) for cell in cells})
    steps = max(1, len(loads) - 1)
    shade = {calls: f"load-{round(n * (SHADES - 1) / steps)}" for n, calls in enumerate(loads)}

    def draw(network: str, cells: list[Figures]) -> Element:
        series = []
        for cell in cells:
            class_, believed = shade[cell["calls_at_once"]], turns(cell, "server_voice_to_voice_ms")
            series.append((f"{load(cell)}, believed", believed, f"{class_} dashed"))
            series.append((f"{load(cell)}, heard", turns(cell, "voice_to_voice_ms"), class_))
        return charts.ecdf(f"Distribution of voice-to-voice on {network}", series, across)

    head = ["share of turns", *(f"{share} %" for share in SHARES)]
    return section(
        "How it is spread",
        "The share of turns that were answered within a time. Steep is steady; a long foot to the right is "
        "what callers remember. Dashed: what the server believed.",
        legend(*((shade[calls], f"{counted(calls)} at once") for calls in loads)),
        panels(cells, draw),
        details(table("Voice-to-voice heard, in milliseconds", head, [_shares(cell) for cell in cells])),
    )


def _shares(cell: Figures) -> list[Child]:
    values = turns(cell, "voice_to_voice_ms")
    found = np.percentile(values, SHARES).tolist() if values else [None] * len(SHARES)
    return [name(cell), *(told(ms) for ms in found)]


def waterfall(cells: Sequence[Figures]) -> Element:
    """The stages of a turn, one after the other."""
    names = list(dict.fromkeys(stage for cell in cells for stage in cell["believed"]["stages_ms"]))
    class_of = {stage: f"stage-{number % STAGES}" for number, stage in enumerate(names)}
    class_of[UNSEEN] = "unseen"
    longest = [sum(max(0.0, ms) for ms in _stages(cell).values()) for cell in cells]
    across = charts.scale(longest, "ms", 100)

    def draw(network: str, cells: list[Figures]) -> Element:
        rows = [Row(load(c), f"{sum(_stages(c).values()):.0f} ms", marks(c)) for c in cells]
        return charts.panel(f"Stages of a turn on {network}", rows, across)

    def marks(cell: Figures) -> Marks:
        parts = [(stage, ms, class_of[stage]) for stage, ms in _stages(cell).items()]
        return lambda y: charts.stacked(parts, across, y)

    rows: list[list[Child]] = [
        [name(cell), *(told(_stages(cell).get(stage), 1) for stage in class_of)] for cell in cells
    ]
    return section(
        "Where the time goes",
        "The median of each stage, one after the other, from the caller's last sound to the first sound of "
        "the answer. The last part is what the caller waits longer than the server believes: packets, "
        "codecs, the network. Medians of parts need not add up to the median of the whole.",
        legend(*((class_, stage) for stage, class_ in class_of.items())),
        panels(cells, draw),
        details(table("Medians, in milliseconds", ["stage", *class_of], rows)),
    )


def _stages(cell: Figures) -> dict[str, float]:
    unseen = of(cell["unheard_by_server_ms"], "p50")
    return {**cell["believed"]["stages_ms"], **({} if unseen is None else {UNSEEN: unseen})}


def barge_ins(cells: Sequence[Figures]) -> Element:
    """How long the agent speaks on when it is interrupted."""
    across = charts.scale([ms for cell in cells for ms in _stops(cell)], "ms", 100)

    def draw(network: str, cells: list[Figures]) -> Element:
        rows = [Row(load(cell), pair(cell["heard"]["stop_ms"]), marks(cell)) for cell in cells]
        return charts.panel(f"Time to stop on {network}", rows, across)

    def marks(cell: Figures) -> Marks:
        medians = [("softer", cell["heard"]["duck_ms"]), ("median", cell["heard"]["stop_ms"])]
        places = [(class_, across.x(spread["p50"])) for class_, spread in medians if spread]
        return lambda y: [
            *charts.dots(_stops(cell), across, y, "one"),
            *(tag("line", x1=x, x2=x, y1=y - 8, y2=y + 8, class_=class_) for class_, x in places),
        ]

    head = [
        "ms",
        "interruptions",
        "softer P50 / P95",
        "silent P50 / P95",
        "taken back",
        "not given way",
        "answer had ended",
    ]
    return section(
        "When callers interrupt",
        "From the caller's first voiced sample over the agent's voice until the agent is silent at the "
        "caller's ear: every interruption, and the median as a line; a thin one is the median until it is "
        "12 dB softer. A stop is taken back where the agent speaks on with the same reply.",
        panels(cells, draw),
        details(table("Interruptions", head, [_interruptions(cell) for cell in cells])),
    )


def _interruptions(cell: Figures) -> list[Child]:
    made = [barge_in for row in cell["rows"] for barge_in in row["barge_ins"]]
    taken_back = sum(barge_in["taken_back"] for barge_in in made)
    ignored = sum(barge_in["stop_ms"] is None and not barge_in["cut"] for barge_in in made) - taken_back
    duck, stop = (pair(cell["heard"][what], "") for what in ("duck_ms", "stop_ms"))
    counts = str(taken_back), str(ignored), str(cell["turns"]["missed_interruptions"])
    return [name(cell), str(len(made)), duck, stop, *counts]


def _stops(cell: Figures) -> list[float]:
    stops = [barge_in["stop_ms"] for row in cell["rows"] for barge_in in row["barge_ins"]]
    return [ms for ms in stops if ms is not None]
