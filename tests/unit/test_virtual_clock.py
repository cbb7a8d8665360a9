"""The clock of the tests themselves: timers take no time, threads take theirs."""

import asyncio
import threading
import time

import pytest

from voice_agent import testing
from voice_agent.extension import Extension
from voice_agent.message import Text, Typed
from voice_agent.testing import Outbox, attach, run


def test_timers_jump() -> None:
    async def main() -> tuple[float, float]:
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(3600)
        return begun, asyncio.get_running_loop().time()

    real = time.monotonic()
    begun, ended = run(main())
    assert ended - begun == pytest.approx(3600)
    assert time.monotonic() - real < 60


def test_timers_go_off_in_order_at_their_time() -> None:
    async def main() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        log: list[tuple[str, float]] = []

        async def note(name: str, delay: float) -> None:
            await asyncio.sleep(delay)
            log.append((name, loop.time()))

        await asyncio.gather(note("late", 2.0), note("early", 0.5), note("between", 1.0))
        return log

    names, times = zip(*run(main()), strict=True)
    assert names == ("early", "between", "late")
    assert times == pytest.approx((0.5, 1.0, 2.0))


def test_the_clock_waits_for_a_thread() -> None:
    async def main() -> tuple[float, bool]:
        loop = asyncio.get_running_loop()
        timer = asyncio.create_task(asyncio.sleep(10))
        await asyncio.to_thread(time.sleep, 0.02)
        return loop.time(), timer.done()

    assert run(main()) == (0.0, False)


def test_a_thread_that_is_given_up_no_longer_holds_the_clock() -> None:
    release = threading.Event()

    async def main() -> float:
        try:
            work = asyncio.create_task(asyncio.to_thread(release.wait, 5))
            await asyncio.sleep(0)
            work.cancel()
            await asyncio.sleep(1)
            return asyncio.get_running_loop().time()
        finally:
            release.set()

    assert run(main()) == pytest.approx(1.0)


def test_a_timeout_catches_what_never_ends() -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run(main())


def test_a_deadlock_fails_instead_of_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "DEADLOCK_S", 0.01)

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock"):
        run(main())


def test_an_outbox_is_strict_about_ports() -> None:
    class Speaker(Extension):
        outputs = {"text": Text}

    async def main() -> None:
        emit: Outbox = attach(Speaker())
        await emit("text", Text("hello"))
        with pytest.raises(AssertionError):
            await emit("text", Typed("hello"))
        with pytest.raises(KeyError):
            await emit("sound", Text("hello"))
        assert emit.of(Text) == [Text("hello")]

    run(main())
