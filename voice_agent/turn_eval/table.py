"""The figures as lines of text."""

from collections.abc import Iterator, Mapping, Sequence

from voice_agent.turn_eval.figures import Figure

FEW = 10
"""τ-voice's leaderboard hides rates of fewer events; here they are marked."""


def lines(groups: Mapping[str, Sequence[Figure]]) -> Iterator[str]:
    """Name, value, how sure it is, and what it is of."""
    for group, found in groups.items():
        yield f"{group}"
        for figure in found:
            yield f"  {figure.name:<28} {value(figure):>10}  {sureness(figure):<22} {figure.about}"


def value(figure: Figure) -> str:
    """With its unit."""
    if figure.value is None:
        return "-"
    digits = 1 if figure.unit == "%" else 0
    return f"{figure.value:.{digits}f} {figure.unit}".rstrip()


def sureness(figure: Figure) -> str:
    """Of a share its interval, of times their P95, and the count."""
    if not figure.n:
        return ""
    few = " few" if figure.n < FEW and figure.unit == "%" else ""
    if figure.low is not None and figure.high is not None:
        return f"{figure.low:.0f}-{figure.high:.0f} % of {figure.n}{few}"
    if figure.p95 is not None:
        return f"P95 {figure.p95:.0f}, n {figure.n}"
    return f"n {figure.n}{few}"
