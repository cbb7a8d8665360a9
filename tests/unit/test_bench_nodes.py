"""`voice-agent bench nodes`: one node of each role on synthetic sound, and nodes that cannot be measured."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.outside import installed
from voice_agent import audio, cli, registry
from voice_agent.bench import denoise, echo, figures, material, run, stt, table
from voice_agent.bench.figures import Figure, Subject
from voice_agent.bench.material import Material
from voice_agent.message import AudioFrame, Samples
from voice_agent.testing import silence, tone

CANCELLERS = '''
from dataclasses import dataclass, replace
from voice_agent.extension import Extension
from voice_agent.message import *

@dataclass(frozen=True, slots=True, eq=False)
class Given(Message):
    """What the loudspeaker was given."""
    kind = "audio_frame"
    samples: Samples
    time_s: float

@dataclass
class Gate(Extension):
    """Lets nothing pass for as long as something was played in the last half second."""
    inputs = (AudioFrame, Given)
    outputs = {"pcm_frame": AudioFrame}

    async def start(self):
        self.given_s = -1.0

    async def handle(self, message, emit):
        if isinstance(message, Given):
            if message.samples.any():
                self.given_s = message.time_s
        elif message.time_s - self.given_s < 0.5:
            await emit("pcm_frame", replace(message, samples=np.zeros(320, np.int16)))
        else:
            await emit("pcm_frame", message)
'''


@pytest.fixture(autouse=True)
def no_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOICE_AGENT_DATA", raising=False)


def bench(capsys: pytest.CaptureFixture[str], node: str) -> dict[str, dict[str, Any]]:
    assert cli.main(["bench", "nodes", "--only", node, "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    (row,) = result["nodes"]
    assert "cores of" in result["machine"]
    assert row["node"] == node and row["problem"] == "" and row["load_s"] > 0
    return {figure["name"]: figure for figure in row["figures"]}


# --- by role --------------------------------------------------------------------------------------


def test_a_vad(capsys: pytest.CaptureFixture[str]) -> None:
    found = bench(capsys, "vad.silero")
    assert found["speech missed"]["value"] < 15
    assert found["F1"]["value"] > 0.9
    assert 0 <= found["onset known after, P50"]["value"] < 250
    assert 0 < found["pause known after, P50"]["value"] < found["end known after, P50"]["value"] < 300
    assert found["F1 in babble"]["value"] <= found["F1"]["value"]
    assert 0 < found["processor time for a frame"]["value"] < 20
    assert found["F1"]["on"].startswith("synthetic")


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> Iterator[Material]:
    """Few sentences in one voice, as measuring all of them takes minutes."""
    monkeypatch.setattr(material, "VOICES", {"en": ("en-us+f2",)})
    monkeypatch.setattr(material, "SENTENCES", 3)
    monkeypatch.setattr(material, "SPEECH_S", 6.0)
    monkeypatch.setattr(denoise, "SNRS_DB", (0.0,))
    material.sentences.cache_clear()
    yield Material(None)
    material.sentences.cache_clear()


def values(measured: list[Figure]) -> dict[str, float]:
    assert all(figure.on for figure in measured)
    return {figure.name: figure.value for figure in measured}


def test_a_denoiser(little: Material) -> None:
    subject = Subject("denoise.noisereduce", registry.find("denoise.noisereduce"))
    found = values(denoise.measure(subject, little))
    assert found["SI-SDR gain, white noise at 0 dB"] > 3
    assert found["sound is late by"] == 16
    assert found["words wrong without noise, before it"] < 100
    assert 0 < found["processor time for a frame"] < 20


def test_a_recogniser(little: Material) -> None:
    subject = Subject("stt.pocketsphinx", registry.find("stt.pocketsphinx"))
    found = values(stt.measure(subject, little))
    assert found["words wrong, en"] < 50
    assert "characters wrong, zh" not in found, "it speaks English only"
    times = [found[f"final text, after the end is known, P{rank}"] for rank in (50, 95)]
    assert 0 < times[0] <= times[1]
    assert 0 < found["real-time factor"] < 1


def test_a_voice(capsys: pytest.CaptureFixture[str]) -> None:
    found = bench(capsys, "tts.espeak")
    assert 0 < found["first sound, en, P50"]["value"] < 1000
    assert found["level, zh"]["value"] == pytest.approx(-21, abs=2)


def test_a_turn_node_and_text_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(capsys, "turn.silence")["turn ends after, en, P50"]["value"] == pytest.approx(360, abs=21)
    assert 0 < bench(capsys, "text.clause")["first message, zh, P50"]["value"] < 100
    assert bench(capsys, "llm.fast")["declined, en"]["value"] < 50


def test_an_echo_canceller_is_told_what_is_played(
    little: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(echo, "AGENT_S", 10.0)
    (tmp_path / "cancellers.py").write_text(CANCELLERS)
    with installed(tmp_path, {"denoise.gate": "cancellers:Gate"}):
        subject = Subject("denoise.gate", registry.find("denoise.gate"))
        found = values(denoise.measure(subject, little))
    assert found["echo return loss after 2 s"] > 60
    assert found["false starts of speech, before it"] > 0
    assert found["false starts of speech, behind it"] == 0
    assert found["of a caller who speaks meanwhile heard"] < 50, "nothing passes while the agent speaks"


def test_an_echo_comes_late_and_quieter() -> None:
    played = np.concatenate((tone(1.0), silence(0.5)))
    click = np.zeros(1600, np.int16)
    click[0] = 10_000
    late = round(echo.DELAY_S * audio.SAMPLE_RATE)
    heard = echo.echo(played, click)
    assert not heard[:late].any() and len(heard) == len(played)
    level = audio.level_db(heard[late : late + 16_000]) - audio.level_db(played[:16_000])
    assert level == pytest.approx(-echo.LOSS_DB, abs=0.1)


# --- what it is measured on -----------------------------------------------------------------------


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A folder as VOICE_AGENT_DATA names it."""

    def rows(file: str, *table: tuple[object, ...]) -> None:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        with (tmp_path / file).open("w", newline="", encoding="utf-8") as opened:
            csv.writer(opened).writerows(table)

    rows("speech/transcripts.csv", ("file", "lang", "text"), ("a.wav", "en", "hello"), ("b.raw", "en", "x"))
    rows(
        "vad/segments.csv",
        ("file", "start_s", "end_s", "speech"),
        ("a.wav", 0, 0.2, 0), ("a.wav", 0.2, 0.5, 1), ("a.wav", 0.5, 0.7, 1), ("a.wav", 0.7, 0.9, 0),
    )  # fmt: skip
    rows("noise/noise.csv", ("file", "category"), ("dog.wav", "home"), ("a.wav", "babble"))
    (tmp_path / "rir").mkdir()
    for name in ("speech/a.wav", "vad/a.wav", "noise/a.wav", "rir/room.wav"):
        audio.write_wav(tmp_path / name, tone(1.0))
    return tmp_path


def test_recordings_are_preferred_and_named(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_AGENT_DATA", str(recordings))
    found = Material.find()
    assert [utterance.text for utterance in found.utterances] == ["hello"], "headerless sound is left out"
    (labelled,), origin = found.labelled
    assert (labelled.speech, labelled.until_s, origin) == ([(0.2, 0.7)], 0.9, "recorded")
    noises, origin = found.noises
    assert [noise.name for noise in noises] == ["white", "pink", "babble"] and origin == "recorded"
    assert found.speech[1] == found.room[1] == "recorded"


def test_without_recordings_everything_is_synthetic_and_says_so() -> None:
    found = Material.find()
    assert found.utterances == []
    origins = {found.labelled[1], found.noises[1], found.speech[1], found.room[1]}
    assert origins == {"synthetic"}
    noises: list[Samples] = [noise.samples for noise in found.noises[0]]
    assert all(-45 < audio.level_db(noise) < -15 for noise in noises)


def test_what_runs_idle_passes_frames_on_only_for_a_denoiser() -> None:
    from voice_agent.trial.cues import Cue

    cues = [Cue(AudioFrame(silence(0.02), time_s=0.0), 0.02)]
    assert len(figures.play(figures.Idle(True), cues).outputs) == 1
    assert figures.play(figures.Idle(False), cues).outputs == []


# --- nodes that cannot be measured ----------------------------------------------------------------


def test_a_node_that_is_not_ready_is_a_row_with_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    out = tmp_path / "result.json"
    assert cli.main(["bench", "nodes", "--only", "tts.openai", "--json", str(out)]) == 0
    said, err = capsys.readouterr()
    assert err == ""
    assert said.splitlines()[1].startswith("tts.openai             not measured: ")
    (row,) = json.loads(out.read_text())["nodes"]
    assert row["problem"] and "figures" not in row


def test_a_node_that_takes_too_long_or_breaks_is_a_row_too(monkeypatch: pytest.MonkeyPatch) -> None:
    row = run.measure("vad.silero", 0.05)
    assert row["problem"] == "measuring it took longer than 0.05 s"
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert run.measure("vad.silero", 10)["problem"] == "measuring it failed: exit status 1"


def test_roles_and_nodes_can_be_chosen() -> None:
    chosen = run.chosen(["vad", "tts.espeak"])
    assert {"tts.espeak", "vad.silero", "vad.webrtc"} <= set(chosen)
    assert {name.split(".")[0] for name in chosen} == {"tts", "vad"}
    assert not [name for name in run.chosen([]) if name.startswith("client.")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "ears"], "voice-agent: --only: expected roles (vad, denoise, stt, turn, router, llm, te"),
        (["--only", "client.wav"], "voice-agent: --only: expected roles"),
        (["--json", "no/such.json"], "voice-agent: no/such.json: cannot be written"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "nodes", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and err.startswith(said)


def test_a_folder_that_is_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_AGENT_DATA", "/no/such/folder")
    assert cli.main(["bench", "nodes"]) == 2
    assert (
        capsys.readouterr().err == "voice-agent: VOICE_AGENT_DATA: expected a folder, got '/no/such/folder'\n"
    )


def test_the_lines_of_a_node() -> None:
    from voice_agent.bench.worker import _as_json

    measured = [
        Figure("speech missed", 2.44, "%", "recorded"),
        Figure("end", float("nan"), "ms"),
        Figure("F1", 0.98),
    ]
    row = {"node": "vad.x", "problem": "", "load_s": 0.5, "memory_mb": 12.3}
    lines = list(table.node_lines(row | {"figures": [_as_json(figure) for figure in measured]}))
    assert lines[0].split() == ["vad.x", "loads", "in", "0.50", "s,", "+12", "MB"]
    assert lines[1].split() == ["speech", "missed", "2.4", "%", "recorded"]
    assert [line.split()[1] for line in lines[2:]] == ["-", "0.980"]
