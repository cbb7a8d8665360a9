"""The drawings of a report: small panels, one for each network, which share their scale.

A panel has a row for each load: its name and its figures above, a bar below as wide as the panel, so that
it can be read on a phone. Pure: figures in, SVG out.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from voice_agent.stress.html import Child, svg, tag

WIDTH = 360.0
ROW = 40.0
AXIS = 22.0
INSET = 8.0
"""So that a mark at an end of the scale is whole."""
LETTER = 6.5
"""The width of one, about."""
MOST_DOTS = 400
"""In a row; of more, evenly chosen ones."""


class Scale(NamedTuple):
    """From figures to places, and its marks."""

    most: float
    unit: str
    low: float = 0.0

    def x(self, value: float) -> float:
        share = (min(max(value, self.low), self.most) - self.low) / (self.most - self.low)
        return INSET + share * (WIDTH - 2 * INSET)

    def ticks(self) -> list[float]:
        """Three to six round numbers."""
        span = self.most - self.low
        steps = [base * 10.0**power for power in range(-3, 7) for base in (1, 2, 2.5, 5)]
        step = next((step for step in steps if span / step <= 5), span)
        first = -(-self.low // step) * step
        return [first + n * step for n in range(int((self.most - first) / step + 1e-9) + 1)]


def scale(values: Sequence[float | None], unit: str, least: float = 1.0) -> Scale:
    """From 0 to a little more than the largest of them, and at least to `least`."""
    known = [value for value in values if value is not None]
    return Scale(max([least, *known]) * 1.04, unit, min([0.0, *known]))


class Row(NamedTuple):
    """A line of a panel."""

    name: str
    told: str
    """Its figures in words."""
    draw: Callable[[float], list[Child]]
    """The marks, for the y of the middle of the bar."""


def panel(title: str, rows: Sequence[Row], across: Scale) -> Element:
    """Rows above one axis."""
    height = ROW * len(rows) + AXIS
    children: list[Child] = [*_grid(across, height)]
    for number, row in enumerate(rows):
        top = ROW * number
        children += [
            tag("text", row.name, x=INSET, y=top + 14, class_="name"),
            tag("text", row.told, x=WIDTH - INSET, y=top + 14, class_="told"),
            *row.draw(top + 26),
        ]
    told = "; ".join(f"{row.name}: {row.told}" for row in rows)
    return svg(f"{title}. {told}", WIDTH, height, *children)


def _grid(across: Scale, height: float) -> list[Child]:
    out: list[Child] = []
    ticks = across.ticks()
    for tick in ticks:
        x = across.x(tick)
        text = f"{tick:g} {across.unit}" if tick == ticks[-1] else f"{tick:g}"
        half = LETTER / 2 * len(text)
        anchor = "start" if x < half else "end" if x > WIDTH - half else "middle"
        out += [
            tag("line", x1=x, x2=x, y1=0.0, y2=height - AXIS + 4, class_="grid"),
            tag("text", text, x=x, y=height - 5, class_="tick", text_anchor=anchor),
        ]
    return out


def spread_marks(
    spread: dict[str, float] | None, across: Scale, y: float, class_: str, name: str
) -> list[Child]:
    """P50 as a dot, a bar from there to P95."""
    if not spread:
        return []
    low, high = across.x(spread["p50"]), across.x(spread["p95"])
    about = f"{name}: P50 {spread['p50']:.0f}, P95 {spread['p95']:.0f} {across.unit} of {spread['count']:g}"
    return [
        tag(
            "g",
            tag("title", about),
            tag("line", x1=low, x2=high, y1=y, y2=y, class_="span"),
            tag("line", x1=high, x2=high, y1=y - 4, y2=y + 4, class_="end"),
            tag("circle", cx=low, cy=y, r=4.5, class_="dot"),
            class_=class_,
        )
    ]


def dots(values: Sequence[float], across: Scale, y: float, class_: str) -> list[Child]:
    """Every value as a dot, beside each other where they would lie on each other."""
    out: list[Child] = []
    lanes = (0.0, -4.0, 4.0)
    shown = sorted(values)[:: len(values) // MOST_DOTS + 1]
    for number, value in enumerate(shown):
        title = tag("title", f"{value:.0f} {across.unit}")
        cy = y + lanes[number % len(lanes)]
        out.append(tag("circle", title, cx=across.x(value), cy=cy, r=3.2, class_=class_))
    return out


def stacked(
    parts: Sequence[tuple[str, float, str]], across: Scale, y: float, height: float = 12.0
) -> list[Child]:
    """Parts (name, value, class) end to end from 0, each with a thin gap to the next."""
    out: list[Child] = []
    begin = 0.0
    for name, value, class_ in parts:
        x, end = across.x(begin), across.x(begin + value)
        begin += max(0.0, value)
        if end - x < 0.3:
            continue
        rect = {"x": x, "y": y - height / 2, "width": max(0.3, end - x - 1), "height": height, "rx": 1.5}
        out.append(tag("rect", tag("title", f"{name}: {value:g} {across.unit}"), class_=class_, **rect))
    return out


ECDF_HEIGHT = 190.0


def ecdf(title: str, series: Sequence[tuple[str, Sequence[float], str]], across: Scale) -> Element:
    """The share of values up to each value, one line for each (name, values, class)."""
    bottom = ECDF_HEIGHT - AXIS

    def y(share: float) -> float:
        return 8 + (1 - share) * (bottom - 12)

    children: list[Child] = [*_grid(across, ECDF_HEIGHT)]
    for share in (0.5, 0.95):
        children += [
            tag("line", x1=INSET, x2=WIDTH - INSET, y1=y(share), y2=y(share), class_="level"),
            tag("text", f"P{share * 100:.0f}", x=INSET, y=y(share) - 3, class_="tick"),
        ]
    for name, values, class_ in series:
        ordered = sorted(values)
        if not ordered:
            continue
        path = [f"M{across.x(ordered[0]):.1f} {y(0):.1f}"]
        for number, value in enumerate(ordered, start=1):
            path.append(f"H{across.x(value):.1f}V{y(number / len(ordered)):.1f}")
        children.append(tag("path", tag("title", name), d="".join(path), class_=f"line {class_}"))
    names = "; ".join(f"{name}, {len(values)} values" for name, values, _ in series)
    return svg(f"{title}. {names}", WIDTH, ECDF_HEIGHT, *children)
