"""The figures of a node as lines of a table."""

from collections.abc import Iterator, Mapping
from typing import Any


def node_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """What loading it takes, then each figure with what it was measured on; or why there are none."""
    loaded = "memory_mb" in row
    took = f"loads in {row['load_s']:.2f} s, {row['memory_mb']:+.0f} MB" if loaded else ""
    if row["problem"]:
        yield f"{row['node']:<22} not measured: {row['problem']}"
        return
    yield f"{row['node']:<22} {took}"
    for figure in row["figures"]:
        yield f"  {figure['name']:<48} {_value(figure):>12}   {figure['on']}".rstrip()


def _value(figure: Mapping[str, Any]) -> str:
    value, unit = figure["value"], figure["unit"]
    if value is None:
        return "-"
    digits = 4 if unit == "x" else 3 if not unit or (unit == "ms" and abs(value) < 10) else 1
    return f"{value:.{digits}f} {unit}".rstrip()
