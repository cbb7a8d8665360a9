"""A clock that skips the time in which nobody works, so that a recording passes as fast as it is heard."""

import selectors
import time
from collections.abc import Callable

from voice_agent.testing import JumpingSelector, VirtualLoop

OWN_SOCKETS = 1
"""An event loop's own, by which threads wake it."""


class HurriedLoop(VirtualLoop):
    """A virtual loop that nodes with real services can run on: while a connection is open, or `busy`
    says that something is awaited, time passes as it does outside. While a thread works it stands still.
    """

    def __init__(self, busy: Callable[[], bool]) -> None:
        super().__init__(_HurriedSelector(busy))


class _HurriedSelector(JumpingSelector):
    def __init__(self, busy: Callable[[], bool]) -> None:
        super().__init__()
        self._busy = busy

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        idle = timeout is None or timeout <= 0 or self.threads
        if idle or not (self._busy() or len(self.get_map()) > OWN_SOCKETS):
            return super().select(timeout)
        began_s = time.monotonic()
        ready = selectors.DefaultSelector.select(self, timeout)
        self.now += time.monotonic() - began_s
        return ready
