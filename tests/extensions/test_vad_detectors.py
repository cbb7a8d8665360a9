"""vad.silero and vad.webrtc on synthetic voices, and, where they are at hand, on recordings."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.labelled import by_people
from benchmarks.vad import measure, of, reference
from extensions.vad.silero import WINDOW, Detector, SileroVad
from extensions.vad.webrtc import WebrtcVad
from tests.extensions._voices import in_a_room, say
from voice_agent import audio, registry
from voice_agent.errors import ModelError, VoiceAgentError
from voice_agent.extension import Extension
from voice_agent.message import AudioFrame, Message, Samples, SpeechEnded, SpeechPaused, SpeechStarted
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
    assert [item.port for item in outbox][:2] == ["speech_started", "speech_paused"]
    assert outbox[-1].port == "speech_ended"


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


def test_an_end_tells_how_loud_and_how_sure_all_of_the_voice_was() -> None:
    samples = a_sentence()
    begin_s, end_s = voiced_span(samples)
    spoken = samples[round(begin_s * audio.SAMPLE_RATE) : round(end_s * audio.SAMPLE_RATE)]
    [ended] = hear(SileroVad(end_ms=320), list(frames_of(samples))).of(SpeechEnded)
    assert ended.level_db == pytest.approx(audio.level_db(spoken), abs=2)
    assert 0.7 < ended.confidence <= 1


# --- pauses ---------------------------------------------------------------------------------------


def known(vad: Extension, frames: list[AudioFrame], connected: bool = True) -> list[tuple[float, Message]]:
    """The messages, each with the audio time at which it is known."""

    async def main() -> list[tuple[float, Message]]:
        outbox = attach(vad)
        if not connected:
            vad.connected = frozenset()
        vad.prepare()
        await vad.start()
        told: list[tuple[float, Message]] = []
        for frame in frames:
            await vad.handle(frame, outbox)
            told += [(frame.time_s + audio.FRAME_S, item.message) for item in outbox]
            outbox.clear()
        return told

    return run(main())


@pytest.mark.parametrize("vad", [SileroVad(), WebrtcVad(), WebrtcVad(window_ms=20)])
def test_every_end_was_first_a_pause(vad: Extension) -> None:
    told = known(vad, list(frames_of(a_sentence())))
    for index, (known_s, message) in enumerate(told):
        if isinstance(message, SpeechEnded):
            paused_s, paused = told[index - 1]
            assert isinstance(paused, SpeechPaused)
            assert paused_s <= known_s and paused.time_s <= message.time_s


def test_a_pause_is_known_long_before_the_end() -> None:
    """At eight offsets, as chance would have it where windows lie."""
    samples = a_sentence()
    _, end_s = voiced_span(samples)
    pauses, ends = [], []
    for cut in range(0, WINDOW, 64):
        told = known(SileroVad(), list(frames_of(samples[cut:])))
        off_s = cut / audio.SAMPLE_RATE - end_s
        pauses.append([known_s + off_s for known_s, message in told if isinstance(message, SpeechPaused)][-1])
        ends.append([known_s + off_s for known_s, message in told if isinstance(message, SpeechEnded)][-1])
    assert np.median(pauses) < 0.1 < np.median(ends) - 0.08


def test_a_pause_need_not_wait_for_the_edge_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows end at 512, 1024, 1536; frames at 320, 640, 960, 1280: a glance at 1280 sees what is judged at
    1600 otherwise."""
    monkeypatch.setattr(Detector, "probability", lambda self, samples: 0.8)
    glances = []

    def glance(self: Detector, newest: Samples) -> float:
        glances.append(len(newest))
        return 0.1 if len(newest) == 256 else 0.8

    monkeypatch.setattr(Detector, "glance", glance)
    frames = list(frames_of(tone(0.08)))
    told = known(SileroVad(), frames)
    assert [type(message) for _, message in told] == [SpeechStarted, SpeechPaused]
    assert told[1][0] == pytest.approx(0.08) and told[1][1] == SpeechPaused(1024 / audio.SAMPLE_RATE)
    assert glances == [256]


def test_nobody_glances_for_a_pause_that_nobody_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    def glance(self: Detector, newest: Samples) -> float:
        raise InterruptedError

    monkeypatch.setattr(Detector, "glance", glance)
    frames = list(frames_of(a_sentence()))
    assert any(isinstance(message, SpeechEnded) for _, message in known(SileroVad(), frames, connected=False))
    with pytest.raises(InterruptedError):
        known(SileroVad(), frames)


def test_a_glance_sees_the_newest_window_and_is_forgotten() -> None:
    """A glance at a whole new window is what judging that window would say; neither changes the other."""
    samples = a_sentence()
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    looking, plain = Detector(), Detector()
    for window in windows:
        for count in (64, 256):
            looking.glance(window[:count])
        seen = looking.glance(window)
        assert seen == pytest.approx(plain.probability(window), abs=1e-6)
        assert looking.probability(window) == pytest.approx(seen, abs=1e-6)


# --- recordings -----------------------------------------------------------------------------------


def recordings() -> Path:
    folder = Path(os.environ.get("VOICE_AGENT_DATA", "")) / "vad"
    if "VOICE_AGENT_DATA" not in os.environ or not (folder / "segments.csv").exists():
        pytest.skip("VOICE_AGENT_DATA names no folder with labelled recordings (vad/segments.csv)")
    return folder


def test_labelled_recordings() -> None:
    """No worse than the loop of Silero's authors, and a pause is known soon (`python -m benchmarks.vad`)."""
    clips = by_people(recordings().parent)
    ours, theirs = (run(measure(vad, clips, None)) for vad in (of(SileroVad), reference))
    assert ours["false_alarms"] <= theirs["false_alarms"]
    assert ours["misses"] <= theirs["misses"]
    assert ours["hint_p50_ms"] <= 60
    assert ours["untrue_hints_per_s"] <= 0.4
