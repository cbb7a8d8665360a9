"""tts.openai against a real HTTP server on 127.0.0.1, in a session."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
import pytest

from extensions.tts.openai import OpenAiTts
from voice_agent.audio import level_db
from voice_agent.calls.stand_in_services import VOICE_MS_PER_CHAR, serve
from voice_agent.errors import ModelError
from voice_agent.extension import Emit, Extension
from voice_agent.message import Clause, Failed, Message, Speech
from voice_agent.session import Session
from voice_agent.testing import Wiring


@dataclass
class Caller(Extension):
    """Sends clauses and keeps what comes back, with the loop time of each arrival."""

    inputs = (Speech, Failed)
    outputs = {"clause": Clause}

    async def start(self) -> None:
        self.arrived: list[tuple[float, Message]] = []
        self.changed = asyncio.Condition()

    async def run(self, emit: Emit) -> None:
        self.emit = emit

    async def handle(self, message: Message, emit: Emit) -> None:
        async with self.changed:
            self.arrived.append((asyncio.get_running_loop().time(), message))
            self.changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(condition)

    async def say(self, *texts: str, turn: int) -> None:
        for index, text in enumerate(texts):
            await self.emit("clause", Clause(text, final=index == len(texts) - 1, turn=turn))

    @property
    def speech(self) -> list[Speech]:
        return [message for _, message in self.arrived if isinstance(message, Speech)]

    @property
    def failures(self) -> list[Failed]:
        return [message for _, message in self.arrived if isinstance(message, Failed)]

    def is_over(self) -> bool:
        return bool(self.speech) and self.speech[-1].final


def in_call(tts: OpenAiTts, scene: Callable[[Session, Caller], Awaitable[None]]) -> Caller:
    """Run a scene in a session of a caller and the voice."""
    caller = Caller()

    async def main() -> None:
        lines = [("caller", "clause", "tts"), ("tts", "pcm_frame", "caller"), ("tts", "failed", "caller")]
        session = Session(Wiring({"caller": caller, "tts": tts}, lines))
        await session.start()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(session.run())
            async with asyncio.timeout(20):
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await scene(session, caller)
            session.close("done")
            await running

    asyncio.run(main())
    return caller


def reply(*texts: str) -> Callable[[Session, Caller], Awaitable[None]]:
    """The scene in which these clauses are spoken to their end, or to a failure."""

    async def scene(session: Session, caller: Caller) -> None:
        await caller.say(*texts, turn=session.begin_turn())
        await caller.until(lambda: caller.is_over() or bool(caller.failures))

    return scene


def test_a_clause_is_16_khz_sound_of_the_right_length_and_loudness() -> None:
    text = "Your order is on its way."
    with serve() as fake:
        caller = in_call(OpenAiTts(base_url=fake.url, voice="nova", model="tts-1"), reply(text))
    sound = np.concatenate([speech.samples for speech in caller.speech])
    assert len(sound) == pytest.approx(len(text) * VOICE_MS_PER_CHAR * 16, abs=16)
    assert -20 < level_db(sound) < -6
    spectrum = np.abs(np.fft.rfft(sound))
    assert np.argmax(spectrum) * 16000 / len(sound) == pytest.approx(220, abs=2)
    assert np.max(np.abs(np.diff(sound.astype(int)))) < 6000, "no click where two pieces meet"
    assert caller.speech[0].text == text
    assert all(speech.text == "" for speech in caller.speech[1:])
    assert [speech.final for speech in caller.speech] == [False] * (len(caller.speech) - 1) + [True]
    fields = fake.to("/speech")[0].fields
    assert fields == {"model": "tts-1", "voice": "nova", "input": text, "response_format": "pcm"}


def test_the_first_sound_does_not_wait_for_the_rest() -> None:
    """At ten times the speed of speech, 3 s of it arrive within 0.3 s."""
    with serve(tts_ms=50, tts_speed=10) as fake:
        caller = in_call(OpenAiTts(base_url=fake.url), reply("x" * 50))
    asked_s = fake.to("/speech")[0].received_s
    times = [time_s - asked_s for time_s, message in caller.arrived]
    assert times[0] >= 0.05
    assert times[-1] - times[0] > 0.2
    assert 0 < len(caller.speech[0].samples) <= 0.11 * 16000


def test_clauses_are_spoken_in_order_and_the_next_is_asked_for_early() -> None:
    """Each clause takes 200 ms to begin. One by one, the second would follow 300 ms after the first."""
    texts = ("Sure.", "I have found it.", "It comes tomorrow.")
    with serve(tts_ms=300) as fake:
        caller = in_call(OpenAiTts(base_url=fake.url), reply(*texts))
    assert [speech.text for speech in caller.speech if speech.text] == list(texts)
    first, second, third = (request.received_s for request in fake.to("/speech"))
    assert second - first < 0.3
    assert third - first >= 0.3, "no more than two at once"
    begun = [time_s for time_s, message in caller.arrived if isinstance(message, Speech) and message.text]
    assert begun[1] - begun[0] < 0.25, "the second clause follows the first without a gap"


def test_an_interruption_closes_the_requests_and_the_next_turn_is_clean() -> None:
    async def scene(session: Session, caller: Caller) -> None:
        await caller.say("x" * 100, "y" * 100, turn=session.begin_turn())
        await caller.until(lambda: len(caller.speech) > 2)
        session.interrupt()
        count = len(caller.speech)
        gone = [await asyncio.to_thread(fake.disconnects.get, timeout=2) for _ in range(2)]
        assert gone == ["/v1/audio/speech"] * 2
        assert len(caller.speech) == count
        turn = session.begin_turn()
        await caller.say("Yes?", turn=turn)
        await caller.until(lambda: caller.is_over())
        assert {speech.turn for speech in caller.speech[count:]} == {turn}
        assert caller.speech[count].text == "Yes?"

    with serve(tts_speed=5) as fake:
        in_call(OpenAiTts(base_url=fake.url), scene)


@pytest.mark.parametrize("texts", [("",), ("...", ""), ("……",)])
def test_what_has_no_word_is_not_asked_for_but_ends_the_reply(texts: tuple[str, ...]) -> None:
    with serve() as fake:
        caller = in_call(OpenAiTts(base_url=fake.url), reply(*texts))
    assert caller.is_over()
    assert not fake.to("/speech")
    assert "".join(speech.text for speech in caller.speech) == "".join(texts)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("refuse-401", "HTTP 401: told to fail"),
        ("missing-404", "HTTP 404: told to fail"),
        ("error-500", "HTTP 500: told to fail"),
        ("stall", "nothing came for 1 s"),
        ("stall-mid", "nothing came for 0.5 s"),
        ("die", "the connection broke"),
        ("empty", "sent no sound"),
    ],
)
def test_a_failing_service_fails_the_turn_once_and_the_next_turn_is_tried(model: str, reason: str) -> None:
    async def scene(session: Session, caller: Caller) -> None:
        for _ in range(2):
            turn = session.begin_turn()
            await caller.say("It is on its way.", "It comes tomorrow.", "Anything else?", turn=turn)
            await caller.until(lambda: bool(caller.failures) and caller.failures[-1].turn == turn)  # noqa: B023
            assert caller.is_over(), "so that the playout knows the end"

    with serve() as fake:
        tts = OpenAiTts(
            base_url=fake.url, model=model, api_key="sk-hidden", first_sound_timeout_s=1.0, idle_timeout_s=0.5
        )
        caller = in_call(tts, scene)
    assert [failure.turn for failure in caller.failures] == [1, 2]
    assert all(reason in failure.reason for failure in caller.failures)
    assert "sk-hidden" not in caller.failures[0].reason
    assert "It comes tomorrow." not in [speech.text for speech in caller.speech]


def test_a_clause_is_heard_out_when_the_next_one_fails() -> None:
    async def scene(session: Session, caller: Caller) -> None:
        turn = session.begin_turn()
        await caller.emit("clause", Clause("x" * 40, turn=turn))
        await caller.until(lambda: len(caller.speech) > 0)
        fake.drops = 2  # the second request, and its second try
        await caller.emit("clause", Clause("And then?", final=True, turn=turn))
        await caller.until(lambda: bool(caller.failures))

    with serve(tts_speed=10) as fake:
        caller = in_call(OpenAiTts(base_url=fake.url), scene)
    heard = sum(len(speech.samples) for speech in caller.speech)
    assert heard == pytest.approx(40 * VOICE_MS_PER_CHAR * 16, abs=16)
    assert [speech.text for speech in caller.speech if speech.text] == ["x" * 40]


def test_connections_are_kept_between_turns() -> None:
    """Two at most: the one opened ahead, and another if the first clause came before it was there."""

    async def scene(session: Session, caller: Caller) -> None:
        for _ in range(6):
            turn = session.begin_turn()
            await caller.say("One.", turn=turn)
            await caller.until(lambda: caller.is_over() and caller.speech[-1].turn == turn)  # noqa: B023

    with serve() as fake:
        in_call(OpenAiTts(base_url=fake.url), scene)
    assert len({request.port for request in fake.to("/speech")}) <= 2


def test_prepare_says_that_a_local_server_is_not_running() -> None:
    with pytest.raises(ModelError, match="cannot reach http://localhost:9/v1"):
        OpenAiTts(base_url="http://localhost:9/v1").prepare()


def test_a_backchannel_is_spoken_only_where_it_is_kept_and_does_not_disturb_a_reply() -> None:
    async def scene(session: Session, caller: Caller) -> None:
        await caller.emit("clause", Clause("Uh-huh.", final=True))
        await caller.say("I have found it.", "It comes tomorrow.", turn=session.begin_turn())
        await caller.until(caller.is_over)
        assert {speech.turn for speech in caller.speech} == {1}, "the first time it would be late"
        await caller.emit("clause", Clause("Uh-huh.", final=True))
        await caller.until(lambda: caller.speech[-1].turn is None)

    with serve(tts_ms=50) as fake:
        caller = in_call(OpenAiTts(base_url=fake.url), scene)
    asked = [request.fields["input"] for request in fake.to("/speech")]
    assert sorted(asked) == ["I have found it.", "It comes tomorrow.", "Uh-huh."]
    assert caller.speech[-1].text == "Uh-huh." and len(caller.speech[-1].samples) > 0


def test_a_backchannel_that_cannot_be_spoken_is_no_failure() -> None:
    async def scene(session: Session, caller: Caller) -> None:
        await caller.emit("clause", Clause("Uh-huh.", final=True))
        await asyncio.to_thread(fake.arrivals.get, True, 5)
        await caller.say("Hello.", turn=session.begin_turn())
        await caller.until(lambda: bool(caller.failures))
        assert [failed.turn for failed in caller.failures] == [1], "of the reply alone"

    with serve() as fake:
        in_call(OpenAiTts(base_url=fake.url, model="error-500"), scene)
