"""A steady beat on the loop's clock, counted from an absolute start, so that delays do not add up."""

import asyncio
from collections.abc import Callable

LATE_S = 0.2
"""Later than this, the clock starts anew instead of sending a burst."""
EARLY_S = 0.001
"""A loop may wake a timer this early: uvloop's count whole milliseconds."""


class Pacer:
    """Calls `action` every `interval_s` once started; after a late wake as often as has been missed.

    Where the beats to come have nothing to do it may rest, as every wake costs: `rest` tells after each beat
    how many of the next ones can be made up for later. They are, when the rest is over or ended by `wake`.
    """

    def __init__(
        self, action: Callable[[], None], interval_s: float, rest: Callable[[], int] = lambda: 0
    ) -> None:
        self.late = 0
        """Beats that came later than one interval after their time, or after the rest they were in."""
        self._action = action
        self._interval_s = interval_s
        self._rest = rest
        self._due_s = 0.0
        """When the next beat is due."""
        self._wake_s = 0.0
        """When the timer is to wake: then, or at the end of a rest."""
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        """The first beat is now. Once only; not after `stop`."""
        if self._timer is None and not self._stopped:
            self._due_s = self._wake_s = asyncio.get_running_loop().time()
            self._beat()

    def stop(self) -> None:
        """No beat after this."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def wake(self) -> None:
        """End a rest: beats that are due come now, the next at its time."""
        if self._timer is not None and self._wake_s > self._due_s and not self._stopped:
            self._timer.cancel()
            self._make_up()
            self._sleep(0)

    def _beat(self) -> None:
        self._make_up()
        self._sleep(self._rest())

    def _make_up(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._wake_s > LATE_S:
            self.late += 1
            self._due_s = now
        while self._due_s - now < EARLY_S and not self._stopped:
            self.late += now - max(self._due_s, self._wake_s) > self._interval_s
            self._due_s += self._interval_s
            self._action()

    def _sleep(self, rest: int) -> None:
        self._wake_s = self._due_s + rest * self._interval_s
        if not self._stopped:
            self._timer = asyncio.get_running_loop().call_at(self._wake_s, self._beat)
