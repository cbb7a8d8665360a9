"""stt.faster_whisper with a Whisper of the real architecture and random weights: everything but accuracy."""

import asyncio
import contextlib
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extensions.stt import faster_whisper
from extensions.stt._made_up import judge
from extensions.stt._whisper import load
from extensions.stt.faster_whisper import FasterWhisperStt
from tests.extensions import _tiny_whisper
from tests.extensions._voices import heard
from voice_agent import audio
from voice_agent.errors import ModelError
from voice_agent.message import AudioFrame, Message, SpeechEnded, SpeechPaused, SpeechStarted, Transcript
from voice_agent.testing import FakeSession, attach, frames_of, run, tone


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(_tiny_whisper.write(tmp_path_factory.mktemp("whisper")))


def hear(stt: FasterWhisperStt, *messages: Message, language: str = "en") -> list[Transcript]:
    """Run `handle` and `run` side by side, as a session does, until every SpeechEnded is answered."""

    async def main() -> list[Transcript]:
        outbox = attach(stt, FakeSession(language=language))
        wanted = sum(isinstance(message, SpeechEnded) for message in messages)
        answered = asyncio.Event()

        async def emit(port: str, message: Message) -> None:
            await outbox(port, message)
            if len(outbox) == wanted:
                answered.set()

        stt.prepare()
        await stt.start()
        running = asyncio.create_task(stt.run(emit))
        for message in messages:
            await stt.handle(message, emit)
        async with asyncio.timeout(60):
            await answered.wait()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await stt.stop()
        return outbox.of(Transcript)

    return run(main())


def test_one_final_transcript_per_end_in_order(model: str) -> None:
    first = heard(tone(0.8))
    second = heard(tone(0.5), start_s=2.0)
    transcripts = hear(FasterWhisperStt(model), *first, *second)
    ends = [message.time_s for message in (*first, *second) if isinstance(message, SpeechEnded)]
    assert [transcript.end_s for transcript in transcripts] == ends
    assert all(transcript.final and 0 <= transcript.confidence <= 1 for transcript in transcripts)
    assert all(transcript.language == "en" for transcript in transcripts)


@pytest.mark.parametrize(("paused_s", "decodes"), [((1.4,), 1), ((1.0, 1.4), 2), ((1.0,), 2), ((), 1)])
def test_the_final_decode_is_made_at_the_pause_and_serves_if_that_was_the_end(
    model: str, paused_s: tuple[float, ...], decodes: int
) -> None:
    """Pauses after which speech went on cost a decode, and the text is that of all the sound."""

    async def main(pauses: tuple[float, ...]) -> tuple[int, Transcript]:
        stt = FasterWhisperStt(model, interim_s=0)
        outbox = attach(stt)
        await stt.start()
        begun = stt._whisper.worker.final.begun
        running = asyncio.create_task(stt.run(outbox))
        await stt.handle(SpeechStarted(0.0), outbox)
        for frame in frames_of(tone(1.4)):
            await stt.handle(frame, outbox)
            for pause_s in pauses:
                if abs(frame.time_s + audio.FRAME_S - pause_s) < audio.FRAME_S / 2:
                    await stt.handle(SpeechPaused(pause_s), outbox)
                    await asyncio.sleep(0.1)  # virtual time, which stands while the model works
        await stt.handle(SpeechEnded(1.4), outbox)
        await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.wait([running])
        return stt._whisper.worker.final.begun - begun, outbox.of(Transcript)[-1]

    count, transcript = run(main(paused_s))
    assert count == decodes
    assert transcript == run(main(()))[1]


def test_an_end_that_comes_while_the_pause_is_decoded_waits_for_that_decode(model: str) -> None:
    messages = heard(tone(0.8))
    end = messages[-1]
    assert isinstance(end, SpeechEnded)
    decodes = load(model, "auto", "", 1, 2).worker.final
    begun = decodes.begun
    [transcript] = hear(FasterWhisperStt(model, interim_s=0), *messages[:-1], SpeechPaused(end.time_s), end)
    assert transcript.final and transcript.end_s == end.time_s
    assert decodes.begun - begun == 1


def test_chinese_calls_are_prompted_in_chinese(model: str) -> None:
    stt = FasterWhisperStt(model, vertical="customer_service")
    assert hear(stt, *heard(tone(0.5)), language="zh-CN")[0].language == "zh"
    assert any("\u4e00" <= char <= "\u9fff" for char in stt._hint)


def test_empty_speech_is_answered_with_nothing(model: str) -> None:
    [transcript] = hear(FasterWhisperStt(model), SpeechStarted(0.0), SpeechEnded(0.0))
    assert (transcript.text, transcript.confidence) == ("", 0.0)


def test_an_end_without_a_start_is_answered(model: str) -> None:
    assert len(hear(FasterWhisperStt(model), SpeechEnded(1.0))) == 1


def test_long_speech_makes_one_transcript_of_parts(model: str) -> None:
    frames: list[Message] = list(frames_of(tone(65.0)))
    transcripts = hear(FasterWhisperStt(model), SpeechStarted(0.0), *frames, SpeechEnded(65.0))
    assert [transcript.end_s for transcript in transcripts] == [65.0]


@pytest.mark.parametrize(
    ("config", "seconds"), [({}, 2.0), ({"pad_s": 0.5}, 1.5), ({"window": "full"}, 30.0)]
)
def test_the_model_is_given_the_sound_and_a_second(
    model: str, config: dict[str, Any], seconds: float
) -> None:
    async def features() -> int:
        stt = FasterWhisperStt(model, **config)
        attach(stt)
        await stt.start()
        return stt._whisper.features(tone(1.0), stt._pad_s).shape[1]

    assert run(features()) == pytest.approx(100 * seconds, abs=2)


def test_more_speech_than_it_can_take_is_given_up_not_delayed(
    model: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoken = tone(0.3)
    messages: list[Message] = []
    for start_s in np.arange(0.0, 16.0, 2.0):  # all of it comes before the first can be transcribed
        messages += [SpeechStarted(start_s), *frames_of(spoken, start_s), SpeechEnded(start_s + 0.3)]
    with caplog.at_level(logging.WARNING, logger=faster_whisper.__name__):
        assert len(hear(FasterWhisperStt(model), *messages)) == 8
    assert "too slow" in caplog.text


def test_the_pre_roll_reaches_the_model(model: str) -> None:
    async def samples() -> int:
        stt = FasterWhisperStt(model, pre_roll_s=0.2)
        emit = attach(stt)
        await stt.start()
        for frame in frames_of(tone(1.0)):
            await stt.handle(frame, emit)
        await stt.handle(SpeechStarted(0.9), emit)
        await stt.handle(SpeechEnded(1.0), emit)
        return len(stt._waiting.pop().samples())

    assert run(samples()) == pytest.approx(0.3 * audio.SAMPLE_RATE, abs=audio.FRAME)


@pytest.mark.parametrize(
    ("name", "command"),
    [("base", "run `voice-agent models pull base`"), ("somebody/some-whisper", "`voice-agent models list`")],
)
def test_an_absent_model_names_the_command_that_brings_it(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICE_AGENT_MODELS", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=f"is not on this machine: {command}"):
        FasterWhisperStt(name).prepare()


def test_a_model_in_the_store_is_found_by_its_name(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICE_AGENT_MODELS", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    shutil.copytree(model, tmp_path / "whisper" / "small.en")
    (tmp_path / "whisper" / "small.en" / "manifest.json").write_text("{}")
    assert len(hear(FasterWhisperStt("small.en"), *heard(tone(0.5)))) == 1


def test_a_folder_without_a_model_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not load"):
        FasterWhisperStt(str(tmp_path)).prepare()


def test_an_unknown_size_is_reported() -> None:
    with pytest.raises(ModelError, match="enormous"):
        FasterWhisperStt("enormous").prepare()


def test_an_unknown_language_is_reported(model: str) -> None:
    with pytest.raises(ModelError, match="language 'xx'"):
        hear(FasterWhisperStt(model, language="xx"))


def test_judging_rejects_what_whisper_makes_up() -> None:
    assert judge("Where is my order?", -0.2, 0.01).confidence == pytest.approx(0.82, abs=0.01)
    assert judge("Thanks for watching!", -1.4, 0.9).text == ""
    assert judge("the the the the the the the the the the the the", -0.1, 0.0).confidence <= 0.1
    assert judge("", -0.1, 0.0).confidence == 0.0
    assert judge("查一下我的订单", -0.3, 0.1).text == "查一下我的订单"


def test_frames_are_shared_by_nothing_outside_speech(model: str) -> None:
    """Silence alone queues nothing and keeps a bounded amount of sound."""

    async def kept() -> int:
        stt = FasterWhisperStt(model)
        emit = attach(stt)
        await stt.start()
        for index in range(3000):
            await stt.handle(AudioFrame(np.zeros(audio.FRAME, np.int16), index * audio.FRAME_S), emit)
        assert not stt._waiting
        return len(stt._pre_roll._frames)

    assert run(kept()) <= 50
