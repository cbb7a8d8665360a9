"""One call's graph on the virtual clock: turns, interrupts, failures, and that nothing is left behind."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_agent.audio import FRAME, FRAME_S
from voice_agent.errors import ExtensionError, ModelError, TurnError
from voice_agent.extension import Emit, Extension
from voice_agent.inbox import CONTROL_LIMIT, LIVE_LIMIT, REPLY_LIMIT
from voice_agent.message import AudioFrame, Clause, Failed, Heard, Message, Prompt, SpeechStarted, Text, Typed
from voice_agent.session import STOP_TIMEOUT_S, Session
from voice_agent.testing import Wiring, run

SOUND = np.zeros(FRAME, np.int16)


@dataclass
class Mouth(Extension):
    """Emits what the test tells it to."""

    outputs = {"prompt": Prompt, "pcm_frame": AudioFrame, "speech_started": SpeechStarted}

    async def start(self) -> None:
        self.ready: asyncio.Future[Emit] = asyncio.get_running_loop().create_future()

    async def run(self, emit: Emit) -> None:
        self.ready.set_result(emit)

    async def ask(self, text: str) -> int:
        """Open a turn, as a turn node does."""
        turn = self.session.begin_turn()
        await (await self.ready)("prompt", Prompt(text, turn=turn))
        return turn


@dataclass
class Ear(Extension):
    """Keeps what it gets, with the time; `before` runs first, and may wait or fail."""

    before: Callable[[Message, Emit], Coroutine[Any, Any, None]] | None = None

    inputs = (Prompt, Text, Clause, AudioFrame, SpeechStarted, Failed)
    outputs = {"text": Text, "heard": Heard}

    async def start(self) -> None:
        self.got: list[Message] = []
        self.flushes = 0
        self.stopped = 0
        self.changed = asyncio.Event()

    async def handle(self, message: Message, emit: Emit) -> None:
        if self.before:
            await self.before(message, emit)
        self.got.append(message)
        self.changed.set()

    def flush(self) -> None:
        self.flushes += 1

    async def stop(self) -> None:
        self.stopped += 1

    async def wait(self, count: int = 1) -> list[Message]:
        async with asyncio.timeout(60):
            while len(self.got) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.got

    def texts(self) -> list[str]:
        return [m.text for m in self.got if isinstance(m, Text | Prompt)]


def session_of(*lines: tuple[str, str, str], **extensions: Extension) -> Session:
    return Session(Wiring(extensions, lines))


@asynccontextmanager
async def running(session: Session) -> AsyncIterator[asyncio.Task[None]]:
    """Start and run a session, then close it and see that no task outlives it."""
    await session.start()
    task = asyncio.create_task(session.run())
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        session.close("test over")
        async with asyncio.timeout(60):
            await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None:
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def ended(task: asyncio.Task[None]) -> BaseException | None:
    """How a session that ends by itself has ended."""
    async with asyncio.timeout(60):
        await asyncio.wait({task})
    return task.exception()


# --- turns ---


def test_a_reply_takes_the_turn_of_what_it_answers() -> None:
    async def answer(message: Message, emit: Emit) -> None:
        await emit("text", Text("one"))
        await emit("text", Text("two", turn=77))

    async def main() -> None:
        mouth, node, ear = Mouth(), Ear(answer), Ear()
        lines = ("mouth", "prompt", "node"), ("node", "text", "ear")
        async with running(session_of(*lines, mouth=mouth, node=node, ear=ear)):
            turn = await mouth.ask("hello")
            assert await ear.wait(2) == [Text("one", turn=turn), Text("two", turn=77)]

    run(main())


def test_what_the_caller_does_has_no_turn() -> None:
    async def report(message: Message, emit: Emit) -> None:
        await emit("text", Text("heard it"))

    async def main() -> None:
        mouth, node, ear = Mouth(), Ear(report), Ear()
        lines = ("mouth", "speech_started", "node"), ("node", "text", "ear")
        async with running(session_of(*lines, mouth=mouth, node=node, ear=ear)):
            await (await mouth.ready)("speech_started", SpeechStarted(0.0))
            assert await ear.wait() == [Text("heard it")]

    run(main())


def test_turns_are_counted_and_the_first_output_of_each_node_is_timed() -> None:
    async def think(message: Message, emit: Emit) -> None:
        await asyncio.sleep(0.3)
        await emit("text", Text("one"))
        await asyncio.sleep(0.3)
        await emit("text", Text("two"))

    async def main() -> None:
        mouth, node, ear = Mouth(), Ear(think), Ear()
        session = session_of(
            ("mouth", "prompt", "node"), ("node", "text", "ear"), mouth=mouth, node=node, ear=ear
        )
        async with running(session):
            assert [await mouth.ask("a"), await mouth.ask("b")] == [1, 2]
            await ear.wait(4)
            assert session.timings(1) == {"mouth": 0.0, "node": pytest.approx(0.3)}
            assert session.timings(2) == {"mouth": 0.0, "node": pytest.approx(0.9)}
            assert session.timings(99) == {}

    run(main())


def test_nodes_know_where_they_are() -> None:
    async def main() -> None:
        mouth, ear = Mouth(), Ear()
        session = session_of(("mouth", "prompt", "ear"), mouth=mouth, ear=ear)
        async with running(session):
            assert (mouth.node, mouth.connected) == ("mouth", frozenset({"prompt"}))
            assert mouth.session is session
            assert ear.connected == frozenset()
            assert session.extensions == [mouth, ear]

    run(main())


# --- the interrupt ---


@dataclass
class Speaker(Extension):
    """Turns every text into five clauses, 0.1 s apart; keeps how each text ended."""

    inputs = (Prompt, Text)
    outputs = {"clause": Clause}

    async def start(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Prompt | Text)
        self.begun.append(message.text)
        try:
            for number in range(5):
                await emit("clause", Clause(f"{message.text}{number}"))
                await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            self.cancelled.append(message.text)
            raise


def test_an_interrupt_is_done_when_it_returns() -> None:
    async def main() -> None:
        async def slowly(message: Message, emit: Emit) -> None:
            await asyncio.sleep(10)

        mouth, speaker, ear = Mouth(), Speaker(), Ear(slowly)
        session = session_of(
            ("mouth", "prompt", "speaker"),
            ("speaker", "clause", "ear"),
            mouth=mouth,
            speaker=speaker,
            ear=ear,
        )
        async with running(session):
            await mouth.ask("a")
            await mouth.ask("b")
            await asyncio.sleep(0.25)
            session.interrupt()
            assert not any(node.inbox.reply.items for node in session.nodes.values())
            assert ear.flushes == 1
            await asyncio.sleep(60)
            assert ear.got == [], "the clause under way was given up, the ones that waited too"
            assert speaker.begun == speaker.cancelled == ["a"]
            turn = await mouth.ask("c")
            assert [m.turn for m in await ear.wait(5)] == [turn] * 5

    run(main())


def test_the_node_that_interrupts_is_not_cut_itself() -> None:
    """A turn node interrupts while it handles a message: it must get to say what comes next."""

    async def main() -> None:
        async def take_the_floor(message: Message, emit: Emit) -> None:
            session.interrupt()
            await asyncio.sleep(0.1)
            await emit("text", Text("go on", turn=session.begin_turn()))

        mouth, node, ear = Mouth(), Ear(take_the_floor), Ear()
        lines = ("mouth", "prompt", "node"), ("mouth", "speech_started", "node"), ("node", "text", "ear")
        session = session_of(*lines, mouth=mouth, node=node, ear=ear)
        async with running(session):
            await mouth.ask("by a reply")
            assert (await ear.wait(1))[0].turn == 2
            await (await mouth.ready)("speech_started", SpeechStarted(0.0))
            assert (await ear.wait(2))[1].turn == 3

    run(main())


def test_what_a_node_may_not_do_yet_waits_until_the_turn_is_sure() -> None:
    async def main() -> None:
        effects: list[str] = []

        async def act(message: Message, emit: Emit) -> None:
            assert isinstance(message, Prompt)
            await session.confirmed(message.turn)
            effects.append(message.text)

        mouth, node = Mouth(), Ear(act)
        session = session_of(("mouth", "prompt", "node"), mouth=mouth, node=node)
        async with running(session):
            sure = await mouth.ask("sure from the start")
            maybe = session.begin_turn(tentative=True)
            await (await mouth.ready)("prompt", Prompt("maybe", turn=maybe))
            await asyncio.sleep(10)
            assert effects == ["sure from the start"]
            assert (session.is_tentative(sure), session.is_tentative(maybe)) == (False, True)
            session.confirm(maybe)
            await node.wait(2)
            assert effects == ["sure from the start", "maybe"]
            assert not session.is_tentative(maybe)

    run(main())


def test_a_tentative_turn_that_is_given_up_never_has_an_effect() -> None:
    async def main() -> None:
        effects: list[str] = []
        tentative_in_flush: list[bool] = []

        async def act(message: Message, emit: Emit) -> None:
            assert isinstance(message, Prompt)
            await session.confirmed(message.turn)
            effects.append(message.text)

        mouth, node = Mouth(), Ear(act)
        session = session_of(("mouth", "prompt", "node"), mouth=mouth, node=node)
        async with running(session):
            maybe = session.begin_turn(tentative=True)
            node.flush = lambda: tentative_in_flush.append(session.is_tentative(maybe))  # type: ignore[method-assign]
            await (await mouth.ready)("prompt", Prompt("maybe", turn=maybe))
            await asyncio.sleep(1)
            session.interrupt()
            session.confirm(maybe)  # too late: it stays given up
            await asyncio.sleep(10)
            assert effects == []
            assert tentative_in_flush == [True], "a node can tell that it has to take something back"
            assert not session.is_tentative(maybe)

    run(main())


def test_what_a_thread_says_after_the_interrupt_is_refused() -> None:
    """A node that does not let itself be cancelled: its late words carry an old number."""
    release = threading.Event()

    async def stubborn(message: Message, emit: Emit) -> None:
        work = asyncio.create_task(asyncio.to_thread(release.wait, 5))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await work
        await emit("text", Text("too late"))

    async def main() -> None:
        mouth, node, ear = Mouth(), Ear(stubborn), Ear()
        session = session_of(
            ("mouth", "prompt", "node"), ("node", "text", "ear"), mouth=mouth, node=node, ear=ear
        )
        async with running(session):
            await mouth.ask("a")
            for _ in range(5):
                await asyncio.sleep(0)
            session.interrupt()
            release.set()
            await node.wait(1)
            await mouth.ask("b")
            assert [m.turn for m in await ear.wait(1)] == [2]
            assert session.nodes["ear"].inbox.stale == 1

    run(main())


def test_an_interrupt_before_a_handler_has_begun() -> None:
    async def main() -> None:
        mouth, speaker, ear = Mouth(), Speaker(), Ear()
        session = session_of(
            ("mouth", "prompt", "speaker"),
            ("speaker", "clause", "ear"),
            mouth=mouth,
            speaker=speaker,
            ear=ear,
        )
        async with running(session):
            for steps in range(6):
                await mouth.ask("x")
                for _ in range(steps):
                    await asyncio.sleep(0)
                session.interrupt()
            await mouth.ask("y")
            await ear.wait(5)
            assert {m.turn for m in ear.got[-5:]} == {7}

    run(main())


@dataclass
class Stubborn(Extension):
    """Passes texts on, half of them from a task of its own that no interrupt reaches."""

    inputs = (Clause,)
    outputs = {"clause": Clause}

    async def start(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0

    async def handle(self, message: Message, emit: Emit) -> None:
        self._count += 1
        if self._count % 2:
            await asyncio.sleep(0.03)
            await emit("clause", message)
            return

        async def later() -> None:
            await asyncio.sleep(0.2)
            await emit("clause", message)

        task = asyncio.create_task(later())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1.5), st.booleans()), max_size=12))
def test_random_barge_ins_never_let_a_stale_word_through(barge_ins: list[tuple[float, bool]]) -> None:
    """At random moments the caller interrupts, and mostly asks something new; the last answer comes whole."""

    async def main() -> None:
        refused = 0

        async def check(message: Message, emit: Emit) -> None:
            assert message.turn is not None
            assert message.turn > refused, f"turn {message.turn} was heard after turn {refused} was cut"
            await asyncio.sleep(0.05)
            assert message.turn > refused, "the handler was left running"

        mouth, speaker, stubborn, ear = Mouth(), Speaker(), Stubborn(), Ear(check)
        session = session_of(
            ("mouth", "prompt", "speaker"),
            ("speaker", "clause", "stubborn"),
            ("stubborn", "clause", "ear"),
            mouth=mouth, speaker=speaker, stubborn=stubborn, ear=ear,
        )  # fmt: skip
        turn = 0
        async with running(session) as task:
            for wait, ask in barge_ins:
                await asyncio.sleep(wait)
                session.interrupt()
                refused = turn
                if ask:
                    turn = await mouth.ask("q")
            session.interrupt()
            refused = turn
            turn = await mouth.ask("last")
            await asyncio.sleep(5)
            assert not task.done(), "a check failed in the ear"
        last = [m.text for m in ear.got if m.turn == turn and isinstance(m, Clause)]
        assert sorted(last) == [f"last{number}" for number in range(5)]

    run(main())


def test_perception_goes_on_while_a_reply_is_stuck() -> None:
    async def stuck(message: Message, emit: Emit) -> None:
        if message.turn is not None:
            await asyncio.Event().wait()

    async def main() -> None:
        mouth, ear = Mouth(), Ear(stuck)
        session = session_of(("mouth", "prompt", "ear"), ("mouth", "pcm_frame", "ear"), mouth=mouth, ear=ear)
        async with running(session):
            emit = await mouth.ready
            for _ in range(REPLY_LIMIT + 1):
                await mouth.ask("fills the lane")
            for number in range(200):
                await emit("pcm_frame", AudioFrame(SOUND, number * FRAME_S))
                await asyncio.sleep(FRAME_S)
            frames = [m for m in ear.got if isinstance(m, AudioFrame)]
            assert len(frames) == 200
            assert session.nodes["ear"].inbox.dropped == 0

    run(main())


def test_a_slow_node_hears_only_the_latest_second() -> None:
    async def slow(message: Message, emit: Emit) -> None:
        await asyncio.sleep(10)

    async def main() -> None:
        mouth, ear = Mouth(), Ear(slow)
        session = session_of(("mouth", "pcm_frame", "ear"), mouth=mouth, ear=ear)
        async with running(session):
            emit = await mouth.ready
            for number in range(500):
                await emit("pcm_frame", AudioFrame(SOUND, number))
                await asyncio.sleep(FRAME_S / 10)
            inbox = session.nodes["ear"].inbox
            assert [m.time_s for m in inbox.live.items if isinstance(m, AudioFrame)] == [
                *range(500 - LIVE_LIMIT, 500)
            ]

    run(main())


# --- failures ---


def failing(error: Exception) -> Callable[[Message, Emit], Coroutine[Any, Any, None]]:
    async def fail(message: Message, emit: Emit) -> None:
        await asyncio.sleep(0)
        raise error

    return fail


def test_a_reply_that_cannot_be_made_is_told_to_the_graph() -> None:
    async def main() -> None:
        mouth, node, ear = Mouth(), Ear(failing(TurnError("the model refused"))), Ear()
        lines = (
            ("mouth", "prompt", "node"),
            ("mouth", "speech_started", "node"),
            ("node", "failed", "ear"),
        )
        session = session_of(*lines, mouth=mouth, node=node, ear=ear)
        async with running(session) as task:
            await mouth.ask("a")
            assert await ear.wait(1) == [Failed("node", "the model refused", turn=1)]
            await mouth.ask("b")
            assert (await ear.wait(2))[1].turn == 2, "the call goes on"
            await (await mouth.ready)("speech_started", SpeechStarted(0.0))
            assert (await ear.wait(3))[2].turn is None
            assert not task.done()

    run(main())


def test_a_failure_of_a_reply_that_nobody_wants_any_more_is_not_told() -> None:
    async def main() -> None:
        async def fail_on_cancel(message: Message, emit: Emit) -> None:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise TurnError("the stream broke") from None

        mouth, node, ear = Mouth(), Ear(fail_on_cancel), Ear()
        session = session_of(
            ("mouth", "prompt", "node"), ("node", "failed", "ear"), mouth=mouth, node=node, ear=ear
        )
        async with running(session):
            await mouth.ask("a")
            await asyncio.sleep(1)
            session.interrupt()
            await asyncio.sleep(1)
            assert ear.got == []

    run(main())


@pytest.mark.parametrize("by_reply", [True, False])
def test_a_bug_ends_its_session_and_no_other(by_reply: bool) -> None:
    async def main() -> None:
        mouths, ears = [Mouth(), Mouth()], [Ear(failing(ZeroDivisionError("oops"))), Ear()]
        lines = ("mouth", "prompt", "ear"), ("mouth", "speech_started", "ear")
        broken, sound = [
            session_of(*lines, mouth=mouth, ear=ear) for mouth, ear in zip(mouths, ears, strict=True)
        ]
        await broken.start()
        running_broken = asyncio.create_task(broken.run())
        async with running(sound) as other:
            await asyncio.sleep(0.1)
            for mouth in mouths:
                if by_reply:
                    await mouth.ask("hello")
                else:
                    await (await mouth.ready)("speech_started", SpeechStarted(0.0))
            error = await ended(running_broken)
            assert isinstance(error, ExtensionError)
            assert (error.node, str(error)) == ("ear", "node 'ear': ZeroDivisionError: oops")
            assert broken.closed_because == str(error)
            assert ears[0].stopped == 1
            await ears[1].wait(1)
            assert not other.done()

    run(main())


def test_a_bug_in_a_source_ends_the_session() -> None:
    class Broken(Extension):
        async def run(self, emit: Emit) -> None:
            raise KeyError("frame")

    async def main() -> None:
        ear = Ear()
        async with running(session_of(broken=Broken(), ear=ear)) as task:
            error = await ended(task)
            assert isinstance(error, ExtensionError)
            assert error.node == "broken"
            assert ear.stopped == 1

    run(main())


@pytest.mark.parametrize("from_outside", [True, False])
def test_a_bug_in_a_flush_ends_the_session_and_the_others_are_flushed(from_outside: bool) -> None:
    """Whoever interrupts, another node or a callback of the network, is not to blame and gets no error."""

    class Broken(Ear):
        def flush(self) -> None:
            raise KeyError("pending")

    async def main() -> None:
        async def take_the_floor(message: Message, emit: Emit) -> None:
            session.interrupt()

        mouth, node, broken, ear = Mouth(), Ear(take_the_floor), Broken(), Ear()
        line = ("mouth", "speech_started", "node")
        session = session_of(line, mouth=mouth, node=node, broken=broken, ear=ear)
        async with running(session) as task:
            emit = await mouth.ready
            if from_outside:
                session.interrupt()
            else:
                await emit("speech_started", SpeechStarted(0.0))
            error = await ended(task)
            assert isinstance(error, ExtensionError)
            assert str(error) == session.closed_because == "node 'broken': KeyError: 'pending'"
            assert ear.flushes == ear.stopped == 1

    run(main())


def test_a_bug_in_a_task_group_of_a_node_is_named_itself() -> None:
    class Broken(Extension):
        async def run(self, emit: Emit) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._work())

        async def _work(self) -> None:
            raise OSError("no such device")

    async def main() -> None:
        async with running(session_of(broken=Broken())) as task:
            assert str(await ended(task)) == "node 'broken': OSError: no such device"

    run(main())


@dataclass
class Wrong(Extension):
    """Emits something that it has not declared."""

    port: str = "text"
    message: Message = field(default_factory=lambda: Text("x"))

    outputs = {"text": Text}

    async def run(self, emit: Emit) -> None:
        await emit(self.port, self.message)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Wrong(port="texts"), "emitted Text on port 'texts'; its outputs are text: Text"),
        (Wrong(message=Typed("x")), "emitted Typed on port 'text'; its outputs are text: Text"),
    ],
)
def test_a_wrong_port_or_class_is_named(wrong: Wrong, words: str) -> None:
    async def main() -> None:
        async with running(session_of(wrong=wrong)) as task:
            error = await ended(task)
            assert isinstance(error, ExtensionError)
            assert error.node == "wrong"
            assert words in str(error)

    run(main())


@pytest.mark.parametrize("port", ["heard", "failed"])
def test_a_node_that_reads_no_more_is_named(port: str) -> None:
    """It is at fault, not the one that sends to it, be it a message or the news of a failure."""

    async def forever(message: Message, emit: Emit) -> None:
        await asyncio.Event().wait()

    async def pass_on(message: Message, emit: Emit) -> None:
        if port == "failed":
            raise TurnError("no")
        await emit("heard", Heard(1, "x"))

    async def main() -> None:
        mouth, node, deaf = Mouth(), Ear(pass_on), Ear(forever)
        lines = ("mouth", "speech_started", "node"), ("node", port, "deaf")
        async with running(session_of(*lines, mouth=mouth, node=node, deaf=deaf)) as task:
            emit = await mouth.ready
            for number in range(CONTROL_LIMIT + 2):
                await emit("speech_started", SpeechStarted(number))
                await asyncio.sleep(0.01)
            error = await ended(task)
            assert isinstance(error, ExtensionError)
            assert error.node == "deaf"
            assert "stopped reading" in str(error)

    run(main())


# --- the ends of a call ---


@dataclass
class Absent(Ear):
    """A node whose model is gone."""

    error: Exception = field(default_factory=lambda: ModelError("the model is gone: put it back"))

    async def start(self) -> None:
        await super().start()
        raise self.error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModelError("the model is gone: put it back"), "node 'absent': the model is gone: put it back"),
        (OSError("no such device"), "node 'absent': OSError: no such device"),
    ],
)
def test_when_one_node_cannot_start_the_others_are_stopped(error: Exception, words: str) -> None:
    async def main() -> None:
        first, absent, never = Ear(), Absent(error=error), Ear()
        session = session_of(first=first, absent=absent, never=never)
        with pytest.raises(ExtensionError) as caught:
            await session.start()
        assert str(caught.value) == words
        assert (first.stopped, absent.stopped) == (1, 0), "who has not started has nothing to release"
        assert not hasattr(never, "stopped"), "it had not been started"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_a_session_closes_once_and_tells_the_first_reason() -> None:
    async def main() -> None:
        ear = Ear()
        session = session_of(ear=ear)
        async with running(session) as task:
            session.close("the caller hung up")
            session.close("and again")
            assert await ended(task) is None
            await session.stop()
            assert session.closed_because == "the caller hung up"
            assert ear.stopped == 1

    run(main())


def test_a_session_closed_before_it_runs_ends_at_once() -> None:
    async def main() -> None:
        ear = Ear()
        session = session_of(ear=ear)
        session.close("changed my mind")
        async with running(session) as task:
            assert await ended(task) is None
            assert ear.stopped == 1

    run(main())


def test_a_cancelled_session_stops_its_nodes() -> None:
    async def forever(message: Message, emit: Emit) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        mouth, ear = Mouth(), Ear(forever)
        async with running(session_of(("mouth", "prompt", "ear"), mouth=mouth, ear=ear)) as task:
            await mouth.ask("a")
            await asyncio.sleep(1)
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()
            assert ear.stopped == 1

    run(main())


def test_closing_cuts_a_handler_short() -> None:
    async def forever(message: Message, emit: Emit) -> None:
        await asyncio.Event().wait()

    async def main() -> float:
        mouth, ear = Mouth(), Ear(forever)
        session = session_of(
            ("mouth", "prompt", "ear"), ("mouth", "speech_started", "ear"), mouth=mouth, ear=ear
        )
        async with running(session) as task:
            await mouth.ask("a")
            await (await mouth.ready)("speech_started", SpeechStarted(0.0))
            await asyncio.sleep(1)
            session.close("enough")
            assert await ended(task) is None
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(1.0)


def test_a_node_that_does_not_stop_is_left_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    class Hanging(Ear):
        async def stop(self) -> None:
            await asyncio.Event().wait()

    class Failing(Ear):
        async def stop(self) -> None:
            raise OSError("device lost")

    async def main() -> float:
        first = Ear()
        session = session_of(first=first, hanging=Hanging(), failing=Failing())
        async with running(session) as task:
            session.close("enough")
            assert await ended(task) is None
        assert first.stopped == 1, "those before it are stopped all the same"
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(STOP_TIMEOUT_S)
    assert "node 'hanging' did not stop cleanly" in caplog.text
    assert "node 'failing' did not stop cleanly" in caplog.text


def test_a_source_that_ends_does_not_end_the_call() -> None:
    async def main() -> None:
        mouth, ear = Mouth(), Ear()
        async with running(session_of(("mouth", "prompt", "ear"), mouth=mouth, ear=ear)) as task:
            await mouth.ready
            await asyncio.sleep(10)
            await mouth.ask("still there?")
            await ear.wait(1)
            assert not task.done()

    run(main())
