"""What every recogniser promises while the caller speaks, and how Whisper keeps it."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from extensions.stt import faster_whisper
from extensions.stt._agreement import Agreement
from extensions.stt._made_up import is_loop, is_silent, judge, without_known_ending
from extensions.stt._whisper import Hypothesis, Request, Whisper, load
from extensions.stt._worker import Worker
from extensions.stt.faster_whisper import FasterWhisperStt
from tests.extensions import _tiny_whisper
from tests.extensions._voices import heard, say
from voice_agent import audio, registry
from voice_agent.extension import Extension
from voice_agent.message import Message, Samples, SpeechEnded, SpeechStarted, Transcript
from voice_agent.testing import attach, frames_of, run, silence, tone

NAMES = [name for name in registry.names() if name.startswith("stt.")]
TEXT = "where is my order"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(_tiny_whisper.write(tmp_path_factory.mktemp("whisper")))


async def listen(stt: Extension, messages: list[Message], paced: bool = True) -> list[Transcript]:
    """Hand over messages as fast as the recogniser works; until every SpeechEnded is answered."""
    outbox = attach(stt)
    finals = asyncio.Semaphore(0)

    async def emit(port: str, message: Message) -> None:
        await outbox(port, message)
        if isinstance(message, Transcript) and message.final:
            finals.release()

    await stt.start()
    running = asyncio.create_task(stt.run(emit))
    for message in messages:
        await stt.handle(message, emit)
        if paced:
            await asyncio.sleep(audio.FRAME_S)
    for message in messages:
        if isinstance(message, SpeechEnded):
            async with asyncio.timeout(60):
                await finals.acquire()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await stt.stop()
    return outbox.of(Transcript)


@pytest.mark.parametrize("name", NAMES)
def test_one_final_for_each_end_and_what_is_settled_stays(name: str, model: str) -> None:
    """Virtual time stands still while a thread works, so that a decode seems to take no time."""
    nowhere = {"base_url": "http://127.0.0.1:9/v1"}
    config = {
        "stt.faster_whisper": {"model": model},
        "stt.openai": nowhere,
        "stt.openai_realtime": nowhere,
    }
    stt = registry.find(name)(**config.get(name, {}))
    first = heard(say(TEXT))
    messages = [*first, *heard(say("one two three four"), start_s=len(first) * audio.FRAME_S)]
    transcripts = run(listen(stt, messages))
    ends = [message.time_s for message in messages if isinstance(message, SpeechEnded)]
    assert [transcript.end_s for transcript in transcripts if transcript.final] == ends
    told = ""
    for transcript in transcripts:
        assert transcript.text.startswith(told), "settled text has changed"
        assert transcript.text.startswith(transcript.stable_text)
        told = "" if transcript.final else transcript.stable_text
    if not name.startswith("stt.openai"):
        assert any(not transcript.final and transcript.text for transcript in transcripts)


# --- agreement ------------------------------------------------------------------------------------


def words(tokens: Any) -> str:
    """Each token a word, as Whisper's are: with the space before it. Negative ones go on with a word."""
    return "".join(f" w{token}" if token >= 0 else f"x{-token}" for token in tokens)


def test_what_two_decodes_agree_on_is_settled_but_not_the_last_word() -> None:
    agreement = Agreement()
    agreement.take([1, 2, 3], -0.5, words)
    assert agreement.settled == []
    agreement.take([1, 2, 4, 5], -0.5, words)
    assert agreement.settled == [1, 2]
    agreement.take([1, 2, 4, 5], -0.25, words)
    assert agreement.settled == [1, 2, 4]  # the sound may end within 5
    assert agreement.log_probability == pytest.approx(-1.25)


def test_half_a_word_is_not_settled() -> None:
    agreement = Agreement()
    agreement.take([1, 2, -3, 4], -0.5, words)
    agreement.take([1, 2, -4, 5], -0.5, words)
    assert agreement.settled == [1]


def test_half_a_character_is_not_settled() -> None:
    text = "订单"

    def decode(tokens: Any) -> str:
        return bytes(tokens).decode("utf-8", errors="replace")

    agreement = Agreement()
    for _ in range(2):
        agreement.take(list(text.encode())[:5], -0.5, decode)
    assert decode(agreement.settled) == "订"


def test_a_later_decode_that_disagrees_takes_nothing_back() -> None:
    agreement = Agreement()
    for tokens in ([1, 2, 3], [1, 2, 3], [7, 8, 9]):
        agreement.take(tokens, -0.5, words)
    assert len(agreement.settled) == 2


def test_a_decode_begins_with_what_is_settled_and_says_only_the_rest_is_new(model: str) -> None:
    whisper = load(model, "cpu", "", 1)
    free = whisper.decode(Request(tone(1.0), "en"))
    forced = whisper.decode(Request(tone(1.0), "en", prefix=free.tokens[:3]))
    assert forced.tokens == free.tokens
    short = whisper.decode(Request(tone(1.0), "en", tokens_per_s=1e-9))  # five tokens and their end
    rest = whisper.decode(Request(tone(1.0), "en", prefix=short.tokens))
    assert rest.log_probability == pytest.approx(free.log_probability - short.log_probability, rel=0.02)


def test_the_language_is_detected_when_it_is_not_given(model: str) -> None:
    whisper = load(model, "cpu", "", 1)
    assert whisper.decode(Request(tone(1.0), "")).language in ("en", "zh")
    [final] = run(listen(FasterWhisperStt(model, language="auto", interim_s=0), heard(tone(1.0))))
    assert final.language in ("en", "zh")


# --- taking turns ---------------------------------------------------------------------------------


def test_final_texts_go_first_and_the_oldest_before_others() -> None:
    worker = Worker("test")
    free, order = threading.Event(), list[str]()
    begun = threading.Event()

    def block() -> None:
        begun.set()
        free.wait(10)

    def note(name: str) -> Callable[[], None]:
        return lambda: order.append(name)

    worker.interim.submit(block)
    assert begun.wait(10)
    jobs: list[Future[None]] = [
        worker.interim.submit(note("interim a")),
        worker.interim.submit(note("interim b")),
        worker.final.submit(note("final c")),
        worker.final.submit(note("final a")),
    ]
    assert jobs[1].cancel()
    free.set()
    for job in (jobs[0], *jobs[2:]):
        job.result(10)
    assert order == ["final c", "final a", "interim a"]


def test_an_interim_text_never_takes_the_last_thread() -> None:
    worker = Worker("test", threads=2)
    free, begun = threading.Event(), threading.Semaphore(0)

    def block() -> None:
        begun.release()
        free.wait(10)

    interims = [worker.interim.submit(block) for _ in range(2)]
    assert begun.acquire(timeout=10)
    worker.final.submit(lambda: None).result(10)
    finals = [worker.final.submit(block) for _ in range(2)]
    assert begun.acquire(timeout=10)  # one final on the thread that was kept free
    assert not begun.acquire(blocking=False)
    free.set()
    for job in (*interims, *finals):
        job.result(10)
    assert (worker.interim.begun, worker.final.begun) == (2, 3)


def test_a_job_that_fails_fails_alone() -> None:
    worker = Worker("test")
    with pytest.raises(ZeroDivisionError):
        worker.final.submit(lambda: 1 / 0).result(10)
    assert worker.final.submit(lambda: 5).result(10) == 5


def test_four_calls_share_a_model_and_each_gets_its_texts(model: str) -> None:
    async def all_calls() -> list[list[Transcript]]:
        calls = [FasterWhisperStt(model) for _ in range(4)]
        return await asyncio.gather(*(listen(stt, heard(tone(2.0))) for stt in calls))

    for transcripts in run(all_calls()):
        assert len([one for one in transcripts if one.final]) == 1
        assert len(transcripts) >= 3


def test_no_interim_decode_is_begun_when_the_voice_may_have_ended(model: str) -> None:
    """Else the final one would have to share the processor with it."""

    async def begun(after: Samples) -> bool:
        stt = FasterWhisperStt(model)
        emit = attach(stt)
        await stt.start()
        await stt.handle(SpeechStarted(0.0), emit)
        for frame in frames_of(np.concatenate((tone(0.28), after))):
            await stt.handle(frame, emit)
        return stt._wake.is_set()

    assert run(begun(tone(0.2)))
    assert not run(begun(silence(0.2)))


# --- speculation ----------------------------------------------------------------------------------


def test_speech_that_goes_on_is_decoded_as_one(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first end's decode has not begun when the voice is back: it is answered with nothing."""
    lengths_s: list[float] = []

    class Counting(Whisper):
        def decode(self, request: Request) -> Hypothesis:
            lengths_s.append(len(request.samples) / audio.SAMPLE_RATE)
            return super().decode(request)

    loaded = load(model, "cpu", "", 1)
    monkeypatch.setattr(faster_whisper, "load", lambda *_: Counting(loaded.model, loaded.worker))
    sound = tone(1.0)
    messages: list[Message] = [SpeechStarted(0.0), *frames_of(sound), SpeechEnded(1.0)]
    messages += [*frames_of(silence(0.2), 1.0), SpeechStarted(1.2), *frames_of(sound, 1.2), SpeechEnded(2.2)]
    first, second = run(listen(FasterWhisperStt(model, interim_s=0), messages, paced=False))
    assert (first.text, first.final, first.end_s) == ("", True, 1.0)
    assert (second.final, second.end_s) == (True, 2.2)
    assert lengths_s == pytest.approx([2.2], abs=0.05)


# --- what Whisper makes up ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Where is my order? Thank you for watching!", "Where is my order?"),
        ("Thanks for watching.", ""),
        ("我的订单在哪里？谢谢观看。", "我的订单在哪里？"),
        ("Thank you. Please subscribe to my channel. Thanks for watching!", "Thank you."),
        ("I was watching the parcel. Thanks.", "I was watching the parcel. Thanks."),
        ("...", "..."),
    ],
)
def test_endings_of_videos_are_cut(text: str, left: str) -> None:
    assert without_known_ending(text) == left


def test_what_callers_say_too_is_rejected_only_when_unsure() -> None:
    assert judge("Thank you.", -0.1, 0.01).text == "Thank you."
    assert judge("Thank you.", -0.7, 0.01).text == ""
    assert judge("Yes.", -0.7, 0.3).text == "Yes."


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("I want to I want to I want to I want to I want to I want to", True),
        ("no no no I said no", False),
        ("订单订单订单订单订单订单", True),
        ("one two three four one two three four", False),
        ("4 4 4 4 4 4 4", False),
    ],
)
def test_loops_are_found(text: str, loop: bool) -> None:
    assert is_loop(text) is loop


def test_silence_is_not_given_to_the_model() -> None:
    assert is_silent(silence(1.0)) and is_silent(silence(0.0))
    assert not is_silent(tone(1.0, level_db=-50))
