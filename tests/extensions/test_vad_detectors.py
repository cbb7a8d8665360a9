"""vad.silero and vad.webrtc on synthetic voices, and, where they are at hand, on recordings."""

import csv
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from extensions.vad.silero import WINDOW, Detector, SileroVad
from extensions.vad.webrtc import WebrtcVad
from tests.extensions._voices import in_a_room, say
from voice_agent import audio, registry
from voice_agent.errors import ModelError, VoiceAgentError
from voice_agent.extension import Extension
from voice_agent.message import AudioFrame, Message, Samples, SpeechEnded, SpeechStarted
from voice_agent.testing import Outbox, attach, collect, frames_of, run, silence, tone

LEAD_S = 1.0


def a_sentence() -> Samples:
    """A second of silence, a sentence, a second of silence, in a quiet room."""
    return in_a_room(np.concatenate((silence(LEAD_S), say("where is my order"), silence(1.0))))


def voiced_span(samples: Samples) -> tuple[float, float]:
    """Where the loud part of a recording lies, in s."""
    loud = [index for index, frame in enumerate(audio.frames(samples)) if audio.level_db(frame) > -45]
    return loud[0] * audio.FRAME_S, (loud[-1] + 1) * audio.FRAME_S


def hear(vad: Extension, messages: list[Message]) -> Outbox:
    return run(collect(vad, *messages))


def test_the_models_runtime_reports_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """onnxruntime's telemetry would keep what it is going to send in a database in the home folder."""
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    env |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    load = "from extensions.vad.silero import SileroVad; SileroVad().prepare()"
    subprocess.run([sys.executable, "-c", load], env=env, check=True)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("vad", [SileroVad(), WebrtcVad(), WebrtcVad(window_ms=20)])
def test_a_sentence_starts_and_ends_where_it_is_spoken(vad: Extension) -> None:
    samples = a_sentence()
    outbox = hear(vad, list(frames_of(samples)))
    begin_s, end_s = voiced_span(samples)
    assert abs(outbox.of(SpeechStarted)[0].time_s - begin_s) < 0.1
    assert abs(outbox.of(SpeechEnded)[-1].time_s - end_s) < 0.15
    assert [item.port for item in outbox][:2] == ["speech_started", "speech_ended"]


@pytest.mark.parametrize("vad", [SileroVad(), WebrtcVad()])
def test_the_times_are_those_of_the_frames(vad: Extension) -> None:
    samples = a_sentence()
    plain = hear(vad, list(frames_of(samples)))
    shifted = hear(vad, list(frames_of(samples, start_s=100.0)))
    for before, after in zip(plain.of(SpeechEnded), shifted.of(SpeechEnded), strict=True):
        assert after.time_s == pytest.approx(before.time_s + 100.0)


def test_silero_hears_no_voice_in_silence_tones_and_noise() -> None:
    noise = (np.random.default_rng(0).standard_normal(3 * audio.SAMPLE_RATE) * 1000).astype(np.int16)
    for sound in (silence(3), tone(3), noise):
        assert not hear(SileroVad(), list(frames_of(sound)))


def test_what_is_too_quiet_for_a_voice_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector()
    monkeypatch.setattr(detector, "_session", None)
    assert detector.probability(tone(WINDOW / audio.SAMPLE_RATE, level_db=-64.0)) == 0.0
    with pytest.raises(AttributeError):
        detector.probability(tone(WINDOW / audio.SAMPLE_RATE, level_db=-55.0))


def test_a_hole_in_the_network_does_not_end_speech() -> None:
    """Half a second of filling in the midst of a sentence: with the mark it is no end, without it is one."""
    spoken = say("one two three four five six seven eight nine")
    middle = len(spoken) // 2
    samples = np.concatenate((silence(0.5), spoken[:middle], silence(0.5), spoken[middle:], silence(0.5)))
    hole = range(25 + middle // audio.FRAME, 25 + middle // audio.FRAME + 26)
    frames = frames_of(samples)
    marked: list[Message] = [replace(frame, gap=index in hole) for index, frame in enumerate(frames)]

    def ends_in_hole(messages: list[Message]) -> int:
        middle_s = 0.5 + middle / audio.SAMPLE_RATE
        return sum(abs(end.time_s - middle_s) < 0.1 for end in hear(SileroVad(), messages).of(SpeechEnded))

    assert ends_in_hole(list(frames)) == 1
    assert ends_in_hole(marked) == 0


def test_frames_that_were_dropped_do_not_shift_what_comes_after() -> None:
    frames = frames_of(a_sentence())
    whole = hear(SileroVad(), list(frames)).of(SpeechEnded)[-1]
    holed = hear(SileroVad(), [*frames[:10], *frames[31:]]).of(SpeechEnded)[-1]
    assert abs(whole.time_s - holed.time_s) < 0.07  # the grid of windows lies elsewhere


def test_longer_minimums_wait_longer() -> None:
    frames = frames_of(a_sentence())

    def known_s(vad: SileroVad, kind: type[Message]) -> float:
        """Audio time at which the first message of a kind is known."""
        for index in range(len(frames)):
            if hear(vad, list(frames[: index + 1])).of(kind):
                return frames[index].time_s
        raise AssertionError(f"no {kind.__name__}")

    assert known_s(SileroVad(start_ms=160), SpeechStarted) > known_s(SileroVad(start_ms=32), SpeechStarted)
    ends = [len(hear(SileroVad(end_ms=end_ms), list(frames)).of(SpeechEnded)) for end_ms in (32, 2000)]
    assert ends[0] >= 1 and ends[1] == 0


def test_calls_do_not_share_state() -> None:
    """Two calls, one speaking and one silent, through one model, frame by frame in turn."""

    async def both() -> tuple[Outbox, Outbox]:
        speaking, silent = SileroVad(), SileroVad()
        outboxes = attach(speaking), attach(silent)
        await speaking.start()
        await silent.start()
        for frame in frames_of(a_sentence()):
            await speaking.handle(frame, outboxes[0])
            await silent.handle(AudioFrame(np.zeros(audio.FRAME, np.int16), frame.time_s), outboxes[1])
        return outboxes

    spoken, quiet = run(both())
    assert len(spoken) >= 2 and len(quiet) == 0


def test_ten_hears_a_sentence_and_says_how_loud_it_is() -> None:
    try:
        vad = registry.find("vad.ten")()
        vad.prepare()
    except VoiceAgentError as error:
        pytest.skip(str(error))
    samples = a_sentence()
    outbox = hear(vad, list(frames_of(samples)))
    begin_s, end_s = voiced_span(samples)
    assert abs(outbox.of(SpeechStarted)[0].time_s - begin_s) < 0.1
    assert abs(outbox.of(SpeechEnded)[-1].time_s - end_s) < 0.15
    assert not hear(vad, list(frames_of(silence(2.0))))


def test_a_library_that_ten_cannot_load_is_an_error_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    ten_vad = pytest.importorskip("ten_vad")

    def fails(*_: object) -> None:
        raise OSError("libc++.so.1: cannot open shared object file")

    monkeypatch.setattr(ten_vad, "TenVad", fails)
    with pytest.raises(ModelError, match=r"libc\+\+.so.1.*apt install libc\+\+1"):
        registry.find("vad.ten")().prepare()


@pytest.mark.parametrize("vad", [SileroVad(), WebrtcVad()])
def test_a_start_tells_how_loud_and_how_sure(vad: Extension) -> None:
    samples = a_sentence()
    quieter = (samples // 4).astype(np.int16)
    loud, soft = (hear(vad, list(frames_of(sound))).of(SpeechStarted)[0] for sound in (samples, quieter))
    assert -45 < loud.level_db < -5 and 0.35 < loud.confidence <= 1
    assert loud.level_db - 20 < soft.level_db < loud.level_db - 4


def test_a_window_as_loud_as_the_room_is_less_of_a_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is half sure of a steady hum starts nothing; without the penalty it does."""
    monkeypatch.setattr(Detector, "probability", lambda self, samples: 0.55)
    steady = [*frames_of(tone(2.0, level_db=-40)), *frames_of(silence(0.5), 2.0)]

    def last_end_s(penalty: float) -> float:
        ends = hear(SileroVad(floor_penalty=penalty), list(steady)).of(SpeechEnded)
        return ends[-1].time_s if ends else np.inf

    assert last_end_s(0.3) < 1.0
    assert last_end_s(0.0) == np.inf


# --- recordings -----------------------------------------------------------------------------------


def recordings() -> Path:
    folder = Path(os.environ.get("VOICE_AGENT_DATA", "")) / "vad"
    if "VOICE_AGENT_DATA" not in os.environ or not (folder / "segments.csv").exists():
        pytest.skip("VOICE_AGENT_DATA names no folder with labelled recordings (vad/segments.csv)")
    return folder


def test_labelled_recordings() -> None:
    """F1 and false positives in steps of 10 ms; measured .982 and .041."""
    folder = recordings()
    segments: dict[str, list[tuple[float, float, bool]]] = defaultdict(list)
    with (folder / "segments.csv").open() as file:
        for row in csv.DictReader(file):
            segments[row["file"]].append((float(row["start_s"]), float(row["end_s"]), row["speech"] == "1"))
    hits = false_alarms = misses = rejections = 0
    for name, labels in segments.items():
        samples = audio.read(folder / name)
        outbox = hear(SileroVad(), list(frames_of(np.concatenate((samples, silence(0.5))))))
        size = round(labels[-1][1] * 100)
        truth = _mask(size, [(start_s, end_s) for start_s, end_s, speech in labels if speech])
        starts, ends = outbox.of(SpeechStarted), outbox.of(SpeechEnded)
        found = _mask(size, [(a.time_s, b.time_s) for a, b in zip(starts, ends, strict=True)])
        hits += int((truth & found).sum())
        false_alarms += int((~truth & found).sum())
        misses += int((truth & ~found).sum())
        rejections += int((~truth & ~found).sum())
    assert 2 * hits / (2 * hits + false_alarms + misses) > 0.96
    assert false_alarms / (false_alarms + rejections) < 0.08


def _mask(size: int, spans: list[tuple[float, float]]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(size, np.bool_)
    for start_s, end_s in spans:
        mask[round(start_s * 100) : round(end_s * 100)] = True
    return mask
