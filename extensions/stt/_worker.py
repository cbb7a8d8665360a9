"""A few threads for each model: they take what all calls want decoded, and no call starves another.

Final texts go first, the one that has waited longest before the others; interim texts, which are replaced
soon anyway, only while nobody waits for a final one, and never on the last free thread: what is being decoded
cannot be stopped, and a final text must not wait for it. A call wants one text at a time, so that taking the
oldest is taking turns.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Lane(Executor):
    """Where jobs of one urgency wait; what `loop.run_in_executor` takes."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self.waiting: deque[Callable[[], None]] = deque()
        self.begun = 0
        """Jobs that have had their turn."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Have it done. A future that is cancelled before its turn costs nothing."""
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            self.begun += 1
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # it belongs to whoever waits for the result
                future.set_exception(error)

        self._worker.put(self, job)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing: the worker outlives every call."""


class Worker:
    """The threads, made when there is something to do, and their two lanes."""

    def __init__(self, name: str, threads: int = 1) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._threads = threads
        self._made = 0
        self._interims = 0
        """Interim texts that are being decoded."""
        self.final = Lane(self)
        self.interim = Lane(self)

    def put(self, lane: Lane, job: Callable[[], None]) -> None:
        """Append a job to a lane; from any thread."""
        with self._changed:
            lane.waiting.append(job)
            if self._made < self._threads:
                self._made += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._made}", daemon=True).start()
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.final.waiting or self._may_take_interim)
                lane = self.final if self.final.waiting else self.interim
                job = lane.waiting.popleft()
                self._interims += lane is self.interim
            job()
            with self._changed:
                self._interims -= lane is self.interim

    @property
    def _may_take_interim(self) -> bool:
        return bool(self.interim.waiting) and self._interims < max(1, self._threads - 1)
