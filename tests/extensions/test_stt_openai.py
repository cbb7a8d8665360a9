"""stt.openai against a real HTTP server on 127.0.0.1."""

import asyncio
import io
import logging
import wave
from dataclasses import replace

import numpy as np
import pytest

from extensions.stt.openai import OpenAiStt
from voice_agent.calls.stand_in_services import FakeOpenAi, serve
from voice_agent.errors import ModelError
from voice_agent.message import AudioFrame, Message, SpeechEnded, SpeechPaused, SpeechStarted, Transcript
from voice_agent.openai_service import Service
from voice_agent.testing import FakeSession, attach, frames_of, silence, tone

Live = AudioFrame | SpeechStarted | SpeechPaused | SpeechEnded


def utterance(start_s: float, end_s: float) -> list[Live]:
    """Silence, a voice from start_s to end_s, 0.1 s of silence; the VAD's messages come a little late."""
    sound = np.concatenate((silence(start_s), tone(end_s - start_s), silence(0.1)))
    messages: list[Live] = list(frames_of(sound))
    messages.insert(round(start_s / 0.02) + 4, SpeechStarted(start_s))
    return [*messages, SpeechEnded(end_s)]


async def recognise(stt: OpenAiStt, *messages: Live, language: str = "en") -> list[Transcript]:
    """Hand over all messages at once and wait for one transcript for each SpeechEnded."""
    emit = attach(stt, FakeSession(language=language))
    wanted = sum(isinstance(message, SpeechEnded) for message in messages)
    all_there = asyncio.Event()

    async def listen(port: str, message: Message) -> None:
        await emit(port, message)
        if sum(transcript.final for transcript in emit.of(Transcript)) == wanted:
            all_there.set()

    await stt.start()
    worker = asyncio.create_task(stt.run(listen))
    async with asyncio.timeout(10):
        for message in messages:
            await stt.handle(message, listen)
        await all_there.wait()
    worker.cancel()
    await asyncio.wait({worker})
    await stt.stop()
    return emit.of(Transcript)


def upload(fake: FakeOpenAi, index: int = 0) -> tuple[int, int, np.ndarray]:
    """Sample rate, channels and samples of an uploaded file."""
    with wave.open(io.BytesIO(fake.to("/transcriptions")[index].fields["file"])) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return file.getframerate(), file.getnchannels(), samples


def test_speech_is_uploaded_with_its_pre_roll_and_answered_once() -> None:
    with serve(transcript=" Where is my order? ") as fake:
        stt = OpenAiStt(base_url=fake.url, model="whisper-1", prompt="Parcelly", language="en")
        (transcript,) = asyncio.run(recognise(stt, *utterance(1.0, 2.0)))
    assert transcript == Transcript(
        "Where is my order?", final=True, language="en", confidence=1.0, end_s=2.0
    )
    rate, channels, samples = upload(fake)
    assert (rate, channels) == (16000, 1)
    assert len(samples) == pytest.approx(16000 * (0.4 + 1.0 + 0.1), abs=320)
    voiced = np.flatnonzero(np.abs(samples.astype(int)) > 300)
    assert voiced[0] == pytest.approx(16000 * 0.4, abs=330)
    fields = fake.to("/transcriptions")[0].fields
    assert {"model": "whisper-1", "prompt": "Parcelly", "language": "en"}.items() <= fields.items()
    assert "include[]" not in fields


@pytest.mark.parametrize(("language", "asked"), [("", "zh"), ("de", "de")])
def test_language_is_the_calls_unless_told(language: str, asked: str) -> None:
    with serve(transcript="我的订单在哪里？") as fake:
        stt = OpenAiStt(base_url=fake.url, language=language)
        (transcript,) = asyncio.run(recognise(stt, *utterance(0.5, 1.0), language="zh-CN"))
    assert (transcript.text, transcript.language) == ("我的订单在哪里？", asked)
    assert fake.to("/transcriptions")[0].fields["language"] == asked


def test_confidence_comes_from_the_models_that_tell_it() -> None:
    with serve(logprob=-0.7) as fake:
        stt = OpenAiStt(base_url=fake.url, model="gpt-4o-mini-transcribe")
        (transcript,) = asyncio.run(recognise(stt, *utterance(0.5, 1.0)))
    assert transcript.confidence == pytest.approx(np.exp(-0.7))


def test_a_word_is_not_sent_twice_when_speech_goes_on_after_a_short_pause() -> None:
    sound = np.concatenate((silence(1.0), tone(1.0), silence(0.2), tone(0.5), silence(0.1)))
    messages: list[Live] = list(frames_of(sound))
    messages[110:110] = [SpeechEnded(2.0)]
    messages[55:55] = [SpeechStarted(1.0)]
    messages += [SpeechEnded(2.7)]
    messages.insert(116, SpeechStarted(2.2))
    with serve() as fake:
        transcripts = asyncio.run(recognise(OpenAiStt(base_url=fake.url), *messages))
    assert [t.end_s for t in transcripts] == [2.0, 2.7]
    _, _, second = upload(fake, 1)
    assert not np.any(second[: round(0.19 * 16000)])
    assert len(second) == pytest.approx(16000 * 0.8, abs=320)


def test_sound_that_comes_after_all_replaces_what_filled_its_gap() -> None:
    messages = utterance(1.0, 2.0)
    frames = [m for m in messages if isinstance(m, AudioFrame)]
    filling = [replace(frame, samples=silence(0.02), gap=True) for frame in frames[70:80]]
    messages[messages.index(frames[70]) : messages.index(frames[70])] = filling
    with serve() as fake:
        asyncio.run(recognise(OpenAiStt(base_url=fake.url), *messages))
    assert len(upload(fake)[2]) == pytest.approx(16000 * (0.4 + 1.0 + 0.1), abs=320)


def test_what_is_too_short_or_was_never_begun_is_answered_without_a_request() -> None:
    with serve() as fake:
        stt = OpenAiStt(base_url=fake.url)
        transcripts = asyncio.run(recognise(stt, *utterance(0.5, 0.58), SpeechEnded(0.9)))
    assert [(t.text, t.confidence, t.end_s) for t in transcripts] == [("", 0.0, 0.58), ("", 0.0, 0.9)]
    assert not fake.to("/transcriptions")


def test_of_endless_speech_only_the_end_is_sent() -> None:
    with serve() as fake:
        stt = OpenAiStt(base_url=fake.url, max_utterance_s=2.0)
        asyncio.run(recognise(stt, *utterance(0.5, 10.0)))
    assert len(upload(fake)[2]) == pytest.approx(2.0 * 16000, abs=640)


def test_answers_keep_their_order_and_nothing_waits_for_the_network() -> None:
    """Ten stretches at once while the service never answers: handle returns at once for each frame."""

    async def main(stt: OpenAiStt) -> list[Transcript]:
        return await recognise(stt, *(m for i in range(10) for m in later(utterance(0.5, 1.0), i * 1.2)))

    with serve() as fake:
        transcripts = asyncio.run(main(OpenAiStt(base_url=fake.url, model="stall", timeout_s=0.1)))
    assert [t.end_s for t in transcripts] == [pytest.approx(1.0 + i * 1.2) for i in range(10)]
    assert 1 <= len(fake.to("/transcriptions")) <= 5, "those over MAX_WAITING are given up"


def later(messages: list[Live], by_s: float) -> list[Live]:
    """The same messages at another audio time."""
    return [replace(message, time_s=message.time_s + by_s) for message in messages]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("error-500", "HTTP 500: told to fail"),
        ("refuse-401", "HTTP 401: told to fail"),
        ("error-429", "HTTP 429: told to fail"),
        ("stall", "nothing came for 1 s"),
        ("garbage", "expected a transcript in JSON"),
        ("die", "the connection broke"),
    ],
)
def test_a_failing_service_is_logged_and_the_call_goes_on(
    model: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(transcript="a secret") as fake, caplog.at_level(logging.INFO):
        stt = OpenAiStt(base_url=fake.url, model=model, timeout_s=1.0, api_key="sk-hidden")
        speech = [m for i in range(3) for m in later(utterance(0.2, 0.5), i * 1.0)]
        transcripts = asyncio.run(recognise(stt, *speech))
    assert [(t.text, t.confidence, t.final) for t in transcripts] == [("", 0.0, True)] * 3
    records = [record for record in caplog.records if record.name == "extensions.stt.openai"]
    assert [record.levelname for record in records] == ["WARNING", "WARNING", "ERROR"]
    assert reason in records[0].getMessage()
    assert "a secret" not in caplog.text and "sk-hidden" not in caplog.text


def test_a_refused_connection_is_an_empty_transcript(caplog: pytest.LogCaptureFixture) -> None:
    (transcript,) = asyncio.run(recognise(OpenAiStt(base_url="http://127.0.0.1:9/v1"), *utterance(0.2, 0.5)))
    assert transcript.text == "" and transcript.confidence == 0.0
    assert "cannot connect" in caplog.text


def test_a_key_goes_only_where_it_was_given_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " sk-env\n")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert Service.find("", "") == Service("https://api.openai.com/v1", "sk-env")
    assert Service.find("https://other.test/v1/", "").api_key == ""
    assert Service.find("https://other.test/v1", "sk-own").api_key == "sk-own"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.test/v1")
    assert Service.find("", "") == Service("https://gateway.test/v1", "sk-env")
    assert "sk-env" not in repr(Service.find("", ""))
    with pytest.raises(ModelError, match="holds characters that no key has") as failure:
        Service.find("", "sk-\nbroken").check()
    assert "sk-" not in str(failure.value)
    assert "sk-" not in repr(OpenAiStt(api_key="sk-own"))


def test_prepare_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ModelError, match="set OPENAI_API_KEY"):
        OpenAiStt().prepare()
    OpenAiStt(api_key="sk-test").prepare()
    with pytest.raises(ModelError, match=r"cannot reach http://127\.0\.0\.1:9/v1.*: start it, or set"):
        OpenAiStt(base_url="http://127.0.0.1:9/v1").prepare()
    with pytest.raises(ModelError, match="expected http://"):
        OpenAiStt(base_url="127.0.0.1:8000").prepare()
    with pytest.raises(ModelError, match="give the key as api_key") as failure:
        OpenAiStt(base_url="http://user:a-secret@127.0.0.1:8000/v1").prepare()
    assert "a-secret" not in str(failure.value)
    with serve() as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
        OpenAiStt().prepare()


def test_a_silence_that_is_the_end_costs_one_request_and_no_waiting() -> None:
    async def main(fake: FakeOpenAi) -> None:
        stt = OpenAiStt(base_url=fake.url)
        emit = attach(stt, FakeSession())
        told = asyncio.Event()

        async def listen(port: str, message: Message) -> None:
            await emit(port, message)
            told.set()

        *spoken, end = utterance(0.2, 1.0)
        await stt.start()
        worker = asyncio.create_task(stt.run(listen))
        for message in [*spoken, SpeechPaused(1.0)]:
            await stt.handle(message, listen)
        async with asyncio.timeout(10):
            await told.wait()
        early = emit.of(Transcript)[0]
        assert (early.text, early.final, early.end_s) == (fake.transcript, False, 1.0)
        told.clear()
        await stt.handle(end, listen)
        async with asyncio.timeout(10):
            await told.wait()
        final = emit.of(Transcript)[1]
        assert (final.text, final.final, final.end_s) == (fake.transcript, True, 1.0)
        assert len(fake.to("/transcriptions")) == 1
        worker.cancel()
        await asyncio.wait({worker})

    with serve() as fake:
        asyncio.run(main(fake))


def test_a_silence_that_was_not_the_end_is_given_up() -> None:
    with serve(stt_ms=50) as fake:
        *first, _ = utterance(0.2, 1.0)
        rest = frames_of(tone(0.5), start_s=1.2)
        messages = [*first, SpeechPaused(1.0), *rest, SpeechPaused(1.7), SpeechEnded(1.7)]
        transcripts = asyncio.run(recognise(OpenAiStt(base_url=fake.url), *messages))
        assert [(t.final, t.end_s) for t in transcripts] == [(True, 1.7)]
        *_, samples = upload(fake, -1)
        assert len(samples) > 1.4 * 16_000, "all of the speech was sent, from its start"
