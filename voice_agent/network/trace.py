"""What a link can carry over time: a steady rate, a rate recorded at moments, or recorded single packets.

Two kinds of file are read, told apart by their columns:

* one column: mahimahi's format; every line is the millisecond at which one packet of 1500 bytes may leave;
* two columns, parted by commas or blanks: `time in s, Mbit/s`; a rate holds until the next line.

Both begin again when they are over. Lines that are empty or begin with # are passed over, and so is a
first line of names.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Protocol

from voice_agent.errors import InputError

OPPORTUNITY_BYTES = 1500
"""What leaves at one line of a mahimahi trace (Netravali et al. 2015, USENIX ATC)."""
BITS = 8
MAX_FILE_BYTES = 64 * 1024 * 1024
LEAST_MBIT_S = 0.001
"""A link that carries less on average carries no call, and is taken for a mistake."""


class Capacity(Protocol):
    """Sends one packet after the other."""

    def sent(self, begin_s: float, size: int) -> float:
        """When the last byte of a packet leaves that is first in the queue from `begin_s` on, which never
        lies before the previous packet's end.
        """


class Rates:
    """A rate for each stretch of time, over and over."""

    def __init__(self, starts_s: tuple[float, ...], bytes_per_s: tuple[float, ...], period_s: float) -> None:
        self._ends_s = (*starts_s[1:], period_s)
        self._rates = bytes_per_s
        lengths = (end - start for start, end in zip(starts_s, self._ends_s, strict=True))
        carried = (length * rate for length, rate in zip(lengths, bytes_per_s, strict=True))
        self._carried = tuple(accumulate(carried))
        """Bytes from the start to the end of each stretch."""

    @classmethod
    def steady(cls, mbit_s: float) -> "Rates":
        """One rate for ever."""
        return cls((0.0,), (mbit_s * 1e6 / BITS,), 1.0)

    def sent(self, begin_s: float, size: int) -> float:
        period_s, total = self._ends_s[-1], self._carried[-1]
        cycle, offset_s = divmod(begin_s, period_s)
        cycles, rest = divmod(cycle * total + self._carried_until(offset_s) + size, total)
        if rest == 0:  # the last byte of a cycle leaves at its end, not at the start of the next
            cycles, rest = cycles - 1, total
        stretch = bisect_left(self._carried, rest)
        left_s = (self._carried[stretch] - rest) / self._rates[stretch]
        return max(begin_s, cycles * period_s + self._ends_s[stretch] - left_s)

    def _carried_until(self, offset_s: float) -> float:
        stretch = min(bisect_left(self._ends_s, offset_s), len(self._ends_s) - 1)
        return self._carried[stretch] - (self._ends_s[stretch] - offset_s) * self._rates[stretch]


class Opportunities:
    """Moments at which 1500 bytes may leave, over and over; what is not used at its moment is gone."""

    def __init__(self, at_s: tuple[float, ...], period_s: float) -> None:
        self._at_s = at_s
        self._period_s = period_s
        self._next = 0
        self._room = OPPORTUNITY_BYTES

    def sent(self, begin_s: float, size: int) -> float:
        if self._moment_s(self._next) < begin_s:
            cycle = int(begin_s // self._period_s)
            self._use(cycle * len(self._at_s) + bisect_left(self._at_s, begin_s - cycle * self._period_s))
        while size > self._room:
            size -= self._room
            self._use(self._next + 1)
        self._room -= size
        return max(begin_s, self._moment_s(self._next))

    def _use(self, number: int) -> None:
        self._next, self._room = number, OPPORTUNITY_BYTES

    def _moment_s(self, number: int) -> float:
        cycle, index = divmod(number, len(self._at_s))
        return cycle * self._period_s + self._at_s[index]


@dataclass(frozen=True)
class Trace:
    """A recorded link."""

    path: Path
    times_s: tuple[float, ...]
    bytes_per_s: tuple[float, ...]
    """Of each stretch that begins at `times_s`; empty for a mahimahi trace, whose times are opportunities."""
    period_s: float

    def capacity(self) -> Capacity:
        """The link at its beginning."""
        if self.bytes_per_s:
            return Rates(self.times_s, self.bytes_per_s, self.period_s)
        return Opportunities(self.times_s, self.period_s)

    @property
    def mean_mbit_s(self) -> float:
        if not self.bytes_per_s:
            return len(self.times_s) * OPPORTUNITY_BYTES * BITS / self.period_s / 1e6
        lengths_s = (end - start for start, end in pairwise((*self.times_s, self.period_s)))
        carried = sum(length * rate for length, rate in zip(lengths_s, self.bytes_per_s, strict=True))
        return carried * BITS / self.period_s / 1e6


def load(path: Path) -> Trace:
    """Read a trace. Raises InputError that names file, line and what was expected."""
    rows = list(_rows(path))
    if not rows:
        raise InputError(f"{path}: expected a trace with at least one line, got none")
    columns = len(rows[0][1])
    for line, row in rows:
        if len(row) != columns:
            raise InputError(f"{path}: line {line}: expected {columns} numbers as before, got {len(row)}")
    return _opportunities(path, rows) if columns == 1 else _rates(path, rows)


def _opportunities(path: Path, rows: list[tuple[int, list[float]]]) -> Trace:
    before = 0.0
    for line, (moment_ms,) in rows:
        if moment_ms != int(moment_ms) or moment_ms < before:
            said = f"expected a whole number of ms, not less than {before:g}, got {moment_ms:g}"
            raise InputError(f"{path}: line {line}: {said}")
        before = moment_ms
    if before == 0:
        raise InputError(
            f"{path}: line {rows[-1][0]}: expected the last time to be after 0 ms: it is the length"
        )
    return Trace(path, tuple(row[0] / 1000 for _, row in rows), (), before / 1000)


def _rates(path: Path, rows: list[tuple[int, list[float]]]) -> Trace:
    first_s, before = rows[0][1][0], -math.inf
    for line, (time_s, mbit_s) in rows:
        if time_s <= before:
            raise InputError(f"{path}: line {line}: expected a time after {before:g} s, got {time_s:g}")
        if mbit_s < 0:
            raise InputError(f"{path}: line {line}: expected a rate of 0 Mbit/s or more, got {mbit_s:g}")
        before = time_s
    times_s = tuple(row[0] - first_s for _, row in rows)
    last_s = times_s[-1] - times_s[-2] if len(rows) > 1 else 1.0  # it holds as long as the one before it
    trace = Trace(path, times_s, tuple(row[1] * 1e6 / BITS for _, row in rows), times_s[-1] + last_s)
    if trace.mean_mbit_s < LEAST_MBIT_S:
        said = f"expected at least {LEAST_MBIT_S} Mbit/s on average, got {trace.mean_mbit_s:g}"
        raise InputError(f"{path}: {said}")
    return trace


def _rows(path: Path) -> Iterator[tuple[int, list[float]]]:
    """Every line with numbers: its number in the file, and they."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{path}: expected a trace of at most {MAX_FILE_BYTES} bytes")
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a trace as text, got other bytes") from error
    seen = False
    for line, content in enumerate(text.splitlines(), start=1):
        words = content.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        numbers = [_number(word) for word in words]
        is_header = not seen and all(number is None for number in numbers)
        seen = True
        if is_header:
            continue
        row = [number for number in numbers if number is not None]
        if len(row) != len(words) or len(row) > 2:
            said = "expected one whole number (ms) or two numbers (time in s, Mbit/s)"
            raise InputError(f"{path}: line {line}: {said}, got {content.strip()!r:.60}")
        yield line, row


def _number(word: str) -> float | None:
    """The number, None for a word that is not one; neither may be infinite."""
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
