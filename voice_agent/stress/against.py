"""Two stress tests side by side: this one's figures as ratios to an earlier one's. Pure but for `read`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voice_agent.errors import InputError

FORMAT = "voice-agent stress 1"
"""The first field of a result; another shape has another number."""
FIGURES = {
    "voice-to-voice P50": ("heard", "voice_to_voice_ms", "p50"),
    "voice-to-voice P95": ("heard", "voice_to_voice_ms", "p95"),
    "duck P50": ("heard", "duck_ms", "p50"),
    "stop P50": ("heard", "stop_ms", "p50"),
    "stop P95": ("heard", "stop_ms", "p95"),
    "CPU a call": ("server", "cpu_s_per_call_minute"),
    "memory a call": ("server", "memory_mb_per_call"),
}
"""What is compared, and where it stands in a cell. Less is better in each."""


@dataclass(frozen=True)
class Row:
    """One cell in both tests."""

    network: str
    calls: int
    figures: Mapping[str, tuple[float | None, float | None]]
    """Figure to (earlier, now)."""
    only: str = ""
    """ "now" or "earlier" for a cell that one of the tests does not have."""

    def ratio(self, figure: str) -> float | None:
        """Now to earlier; None where either is missing, or there is nothing to divide by."""
        earlier, now = self.figures[figure]
        return None if earlier is None or now is None or earlier <= 0 else now / earlier


def read(path: Path) -> dict[str, Any]:
    """An earlier result. Raises InputError for a file that is none."""
    try:
        result = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is not JSON"
        raise InputError(f"{path}: expected the JSON of an earlier stress test: {reason}") from error
    found = result.get("format") if isinstance(result, dict) else None
    if found != FORMAT:
        raise InputError(f'{path}: expected a stress test, "format": "{FORMAT}", got {found!r:.60}')
    try:
        compare(result, result)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"{path}: expected the cells of a stress test: {type(error).__name__} {error}"
        ) from error
    return dict(result)


def compare(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[Row]:
    """Every cell of either test, in the order of this one."""
    before, after = _cells(earlier), _cells(now)
    rows = []
    for key in dict.fromkeys([*after, *before]):
        only = "now" if key not in before else "earlier" if key not in after else ""
        old, new = before.get(key, {}), after.get(key, {})
        figures = {name: (_figure(old, path), _figure(new, path)) for name, path in FIGURES.items()}
        rows.append(Row(*key, figures, only))
    return rows


def differences(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What else was not the same, so that a ratio is not taken for more than it is."""

    def facts(result: Mapping[str, Any]) -> dict[str, Any]:
        known = {what: result.get(what) for what in ("machine", "seed", "version")}
        return {**known, **result.get("settings", {})}

    before, after = facts(earlier), facts(now)
    names = [name for name in {**after, **before} if before.get(name) != after.get(name)]
    return [f"{name}: {before.get(name)} then, {after.get(name)} now" for name in names]


def _cells(result: Mapping[str, Any]) -> dict[tuple[str, int], Mapping[str, Any]]:
    return {(str(cell["network"]), int(cell["calls_at_once"])): cell for cell in result["cells"]}


def _figure(cell: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    value: Any = cell
    for name in path:
        value = (value or {}).get(name)
    return None if value is None else float(value)
