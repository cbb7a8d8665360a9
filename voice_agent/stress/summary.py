"""A stress test in the lines of a terminal. Pure."""

from voice_agent.stress import against
from voice_agent.stress.parts import Figures, pair, told

HEAD = ("network", "at once", "heard", "believed", "softer", "silent", "lost", "late", "CPU", "MB", "failed")
TESTS = {"now": "this", "earlier": "the earlier"}
MOST_FAILURES = 20
"""Lines; the report has more, and the JSON all."""


def lines(result: Figures, earlier: Figures | None = None) -> list[str]:
    """A line for each cell, and what went wrong."""
    out = _columns([HEAD, *(_cell(cell) for cell in result["cells"])])
    out.append(
        "heard, believed (by the server), stop: P50 / P95 in ms; lost: packets to the caller in %; late: "
        "frames in %; CPU: s of the server for each call and minute; MB: for each call; failed calls of all."
    )
    out += [
        f"Failed: {_where(cell['network'], cell['calls_at_once'])}, no. {row['number']}: {row['failures'][0]}"
        for cell in result["cells"]
        for row in cell["rows"]
        if row["failures"]
    ][:MOST_FAILURES]
    if any(cell["doubtful"] for cell in result["cells"]):
        out.append("* doubtful: the callers themselves were short of processor time.")
    if earlier is not None:
        out += _comparison(earlier, result)
    if result["stopped"]:
        out.append(f"Not all was done: {result['stopped']}.")
    return out


def _cell(cell: Figures) -> tuple[str, ...]:
    heard, server = cell["heard"], cell["server"]
    return (
        cell["network"],
        f"{cell['calls_at_once']}{'*' if cell['doubtful'] else ''}",
        pair(heard["voice_to_voice_ms"], ""),
        pair(cell["believed"]["voice_to_voice_ms"], ""),
        pair(heard["duck_ms"], ""),
        pair(heard["stop_ms"], ""),
        told(cell["loss"]["to_caller"]["lost_percent"], 2),
        told(cell["frames"]["late_percent"], 2),
        told(server["cpu_s_per_call_minute"], 1),
        told(server["memory_mb_per_call"], 1),
        f"{cell['calls']['failed']}/{cell['calls']['made']}",
    )


def _comparison(earlier: Figures, result: Figures) -> list[str]:
    out = [f"Against the test of {earlier['begun']}, as ratios to it:"]
    rows: list[tuple[str, ...]] = [("network", "at once", *against.FIGURES)]
    alone = []
    for row in against.compare(earlier, result):
        if row.only:
            alone.append(f"Only in {TESTS[row.only]} test: {_where(row.network, row.calls)}")
        else:
            ratios = [told(row.ratio(figure), 2) for figure in against.FIGURES]
            rows.append((row.network, str(row.calls), *ratios))
    different = [f"Not the same: {line}" for line in against.differences(earlier, result)]
    return [*out, *_columns(rows), *alone, *different]


def _where(network: str, calls: int) -> str:
    return f"{network}, {calls} at once"


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(first: str, *others: str) -> str:
        right = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        return "  ".join([first.ljust(widths[0]), *right])

    return [line(*row) for row in rows]
