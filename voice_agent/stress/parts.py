"""What the sections of a report are made of. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from voice_agent.stress.html import Child, tag

Figures = Mapping[str, Any]
Marks = Callable[[float], list[Child]]
"""Draws at a height."""


def section(title: str, about: str, *children: Child) -> Element:
    """A part of the page: what it is about, then its drawings."""
    return tag("section", tag("h2", title), tag("p", about, class_="muted"), *children)


def networks(cells: Sequence[Figures]) -> dict[str, list[Figures]]:
    """The cells of each network, the lightest load first."""
    found: dict[str, list[Figures]] = {cell["network"]: [] for cell in cells}
    for cell in sorted(cells, key=lambda cell: int(cell["calls_at_once"])):
        found[cell["network"]].append(cell)
    return found


def panels(cells: Sequence[Figures], draw: Callable[[str, list[Figures]], Element]) -> Element:
    """A drawing for each network."""
    made = [tag("div", tag("h3", name), draw(name, of)) for name, of in networks(cells).items()]
    return tag("div", *made, class_="panels")


def details(*children: Child) -> Element:
    """What is shown when it is asked for."""
    return tag("details", tag("summary", "As a table"), *children)


def legend(*entries: tuple[str, str]) -> Element:
    """From (class, words)."""
    keys = [tag("li", tag("span", class_=f"key {class_}"), words) for class_, words in entries]
    return tag("ul", *keys, class_="legend")


def counted(calls: int) -> str:
    """ "1 call", "2 calls"."""
    return f"{calls} call{'s' if calls > 1 else ''}"


def load(cell: Figures) -> str:
    """The cell's load in words."""
    return f"{counted(cell['calls_at_once'])}{' (doubtful)' if cell['doubtful'] else ''}"


def name(cell: Figures) -> str:
    """The whole cell in words."""
    return f"{cell['network']}, {load(cell)}"


def told(value: float | None, digits: int = 0, unit: str = "") -> str:
    """A figure in words, a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}{unit}"


def pair(spread: Figures | None, unit: str = " ms") -> str:
    """P50 / P95."""
    return f"{spread['p50']:.0f} / {spread['p95']:.0f}{unit}" if spread else "–"


def of(spread: Figures | None, what: str) -> float | None:
    """ "p50" or "p95" of what may not have been measured."""
    return float(spread[what]) if spread else None


def turns(cell: Figures, field: str) -> list[float]:
    """A figure of every turn that has it."""
    values = [turn[field] for row in cell["rows"] for turn in row["turns"]]
    return [value for value in values if value is not None]
