"""A clock on which work takes the time it takes, and only waiting is skipped."""

import selectors
import time

from voice_agent.testing import JumpingSelector, VirtualLoop


class WorkingLoop(VirtualLoop):
    """An event loop whose time is that of the machine, plus what it would have waited: figures hold what the
    nodes cost here, and a call is over as soon as its work is done."""

    def __init__(self) -> None:
        super().__init__(_SkippingSelector())


class _SkippingSelector(JumpingSelector):
    def __init__(self) -> None:
        super().__init__()
        self._began_s = time.perf_counter()
        self._skipped_s = 0.0

    @property
    def now(self) -> float:
        return time.perf_counter() - self._began_s + self._skipped_s

    @now.setter
    def now(self, value: float) -> None:
        """Only the class's own default is set; nothing moves this clock."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0 or self.threads:
            return selectors.DefaultSelector.select(self, timeout)
        ready = selectors.DefaultSelector.select(self, 0)
        if not ready:
            self._skipped_s += timeout
        return ready
