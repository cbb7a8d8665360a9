"""What the values of options may be: each takes a value as it was typed, or tells what was expected."""

import argparse
import math
import os
from collections.abc import Callable

MOST_CALLS = 512
"""At once."""
WEEK_S = 7 * 24 * 3600
DELAYS = "three delays in ms, such as 100,150,80"
ECHO = "ms from 20 to 2000 and dB from -60 to 0, such as 120,-12"


def count(most: int) -> Callable[[str], int]:
    """A whole number from 1 to `most`."""

    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= most:
            raise argparse.ArgumentTypeError(f"expected a number from 1 to {most}, got {value!r}")
        return int(value)

    return read


def number(value: str, most: float, expected: str) -> float:
    """From 0 to `most`."""
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not 0 <= found <= most:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {value}")
    return found


def share(value: str) -> float:
    """Of a whole."""
    return number(value, 1, "a share from 0 to 1")


def seconds(value: str) -> float:
    """At most a week."""
    return number(value, WEEK_S, "seconds, at least 0")


def duration(value: str) -> float:
    """Seconds, and not none."""
    found = number(value, WEEK_S, "seconds, more than 0")
    if not found:
        raise argparse.ArgumentTypeError(f"expected seconds, more than 0, got {value}")
    return found


def loads(value: str) -> list[int]:
    """Numbers of calls at once, rising, none twice."""
    return sorted({count(MOST_CALLS)(part.strip()) for part in value.split(",")})


def delays(value: str) -> tuple[float, ...]:
    """Of recognition, model and voice, in ms."""
    found = tuple(number(part, 60_000, DELAYS) for part in value.split(","))
    if len(found) != 3:
        raise argparse.ArgumentTypeError(f"expected {DELAYS}, got {value!r}")
    return found


def echo(value: str) -> tuple[float, float]:
    """How much later and quieter an agent's voice comes back from a loudspeaker, in ms and dB."""
    try:
        delay_ms, level_db = (float(part) for part in value.split(","))
    except ValueError:
        delay_ms = level_db = math.nan
    if not (20 <= delay_ms <= 2000 and -60 <= level_db <= 0):
        raise argparse.ArgumentTypeError(f"expected {ECHO}, got {value!r}")
    return delay_ms, level_db


def cores(value: str) -> frozenset[int]:
    """Processors that this process may use, by number."""
    if not hasattr(os, "sched_setaffinity"):
        raise argparse.ArgumentTypeError("this system cannot bind a process to processors")
    usable = os.sched_getaffinity(0)
    parts = value.split(",")
    found = frozenset(int(part) for part in parts if part.isascii() and part.isdigit())
    if not found <= usable or len(found) != len(parts):
        names = ",".join(map(str, sorted(usable)))
        raise argparse.ArgumentTypeError(f"expected some of {names}, each once, got {value!r}")
    return found
