"""The sections of a report on packets, processor time and memory. Pure."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from voice_agent.stress import charts
from voice_agent.stress.charts import Row, Scale
from voice_agent.stress.html import Child, table, tag
from voice_agent.stress.parts import Figures, Marks, details, legend, load, name, panels, section, told

WAYS = {"to_caller": "to the caller", "to_server": "to the server"}


def loss(cells: Sequence[Figures]) -> Element:
    """What became of the packets, each way."""
    across = charts.scale([cell["loss"][way]["lost_percent"] for cell in cells for way in WAYS], "%")

    def draw(network: str, cells: list[Figures]) -> Element:
        rows = [
            Row(f"{load(cell)}, {words}", told(cell["loss"][way]["lost_percent"], 2, " %"), marks(cell, way))
            for cell in cells
            for way, words in WAYS.items()
        ]
        return charts.panel(f"Packets that were missing on {network}", rows, across)

    def marks(cell: Figures, way: str) -> Marks:
        seen = cell["loss"][way]
        lost, concealed = seen["lost_percent"] or 0.0, seen["concealed_percent"] or 0.0
        shares = {"recovered": round(lost - concealed, 3), "concealed": concealed}
        parts = [(fate, percent, fate) for fate, percent in shares.items()]
        return lambda y: charts.stacked(parts, across, y, 8)

    head = [
        "packets", "received", "missing", "%", "recovered", "concealed", "%", "missing, but came late",
        "network: lost at random", "in gaps", "no room in its queue",
    ]  # fmt: skip
    return section(
        "What the network takes",
        "Packets that were not there when their sound was due, in percent, as the receiving side saw them: "
        "recovered from a copy in the next packet, or concealed, that is made up. The table also tells what "
        "the simulated network really did, to all packets of the call and not only to those with sound.",
        legend(("recovered", "recovered"), ("concealed", "concealed")),
        panels(cells, draw),
        details(table("Packets", head, [_packets(cell, way) for cell in cells for way in WAYS])),
    )


def _packets(cell: Figures, way: str) -> list[Child]:
    seen = cell["loss"][way]
    did = seen["network"]
    return [
        f"{name(cell)}, {WAYS[way]}", str(seen["received"]), str(seen["lost"]), told(seen["lost_percent"], 2),
        str(seen["recovered"]), str(seen["concealed"]), told(seen["concealed_percent"], 2), str(seen["late"]),
        *(str(did.get(fate, "–")) for fate in ("lost", "lost_in_gaps", "overflowed")),
    ]  # fmt: skip


def costs(cells: Sequence[Figures]) -> Element:
    """What the server used, and whether callers and machine kept up."""
    drawn: list[Child] = []
    for field, title, unit, digits in (
        ("cpu_s_per_call_minute", "CPU for each call", "s a minute", 2),
        ("memory_mb_per_call", "Memory for each call", "MB", 1),
    ):
        known = [cell["server"][field] for cell in cells]
        if any(value is not None for value in known):
            across = charts.scale(known, unit, 0.5)
            drawn += [tag("h3", title), _bars(cells, title, field, digits, across)]
    head = [
        "", "server's CPU, s per call and minute", "callers' CPU", "memory before, MB", "peak", "after",
        "growth for each call, MB", "machine busy, %", "late frames heard, %", "callers' own late frames, %",
    ]  # fmt: skip
    return section(
        "What a call costs",
        "Processor time and memory of the server's process; memory is its growth from before the first call "
        "to the peak, for each call at once.",
        *drawn,
        details(table("Costs", head, [_cost(cell) for cell in cells])),
    )


def _cost(cell: Figures) -> list[Child]:
    server, frames = cell["server"], cell["frames"]
    memory = server["memory_mb"] or {}
    return [
        name(cell),
        told(server["cpu_s_per_call_minute"], 2),
        told(server["callers_cpu_s_per_call_minute"], 2),
        *(told(memory.get(when)) for when in ("before", "peak", "after")),
        told(server["memory_mb_per_call"], 1),
        told(server["machine_busy_percent"]),
        told(frames["late_percent"], 2),
        told(frames["own_late_percent"], 2),
    ]


def _bars(cells: Sequence[Figures], title: str, field: str, digits: int, across: Scale) -> Element:
    def draw(network: str, cells: list[Figures]) -> Element:
        values = [(load(cell), cell["server"][field]) for cell in cells]
        rows = [Row(words, told(value, digits, f" {across.unit}"), marks(value)) for words, value in values]
        return charts.panel(f"{title} on {network}", rows, across)

    def marks(value: float | None) -> Marks:
        return lambda y: [] if value is None else charts.stacked([(title, value, "heard")], across, y, 8)

    return panels(cells, draw)
