"""A steady beat on the loop's clock, counted from an absolute start, so that delays do not add up."""

import asyncio
from collections.abc import Callable

LATE_S = 0.2
"""Later than this, the clock starts anew instead of sending a burst."""
EARLY_S = 0.001
"""A loop may wake a timer this early: uvloop's count whole milliseconds."""


class Pacer:
    """Calls `action` every `interval_s` once started; after a late wake as often as has been missed."""

    def __init__(self, action: Callable[[], None], interval_s: float) -> None:
        self.late = 0
        """Beats that came later than one interval after their time."""
        self._action = action
        self._interval_s = interval_s
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        """The first beat is now. Once only; not after `stop`."""
        if self._timer is None and not self._stopped:
            self._due_s = asyncio.get_running_loop().time()
            self._beat()

    def stop(self) -> None:
        """No beat after this."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._due_s > LATE_S:
            self.late += 1
            self._due_s = now
        while self._due_s - now < EARLY_S and not self._stopped:
            self.late += now - self._due_s > self._interval_s
            self._due_s += self._interval_s
            self._action()
        if not self._stopped:
            self._timer = loop.call_at(self._due_s, self._beat)
