"""voice-agent doctor: what is recommended for which findings, and a real probe of a made-up Whisper."""

import json
import shutil
from pathlib import Path

import pytest

from tests.extensions import _tiny_whisper
from voice_agent import cli
from voice_agent.doctor import examine
from voice_agent.doctor.examine import Candidate, Finding, advice, recommend

READY: dict[str, list[str]] = {}
FAST = {"load_s": 1.0, "first_result_ms": 100.0, "real_time_factor": 0.1, "memory_mb": 300.0}


def whisper(name: str, **figures: float) -> Finding:
    return Finding(name, "stt.faster_whisper", "en", FAST | figures)


def voice(**figures: float) -> Finding:
    return Finding("en_US-lessac-medium", "tts.piper", "en", FAST | figures)


def test_local_is_recommended_where_its_models_are_fast_enough() -> None:
    graph, reasons = recommend([whisper("base"), voice()], READY, {})
    assert graph == "local"
    assert reasons == ["not openai: none of OPENAI_API_KEY, OPENAI_BASE_URL, LLM_BASE_URL is set"]


def test_openai_is_recommended_only_where_it_is_wanted() -> None:
    assert recommend([whisper("base"), voice()], READY, {"OPENAI_API_KEY": "k"}) == ("openai", [])


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        ([whisper("base", real_time_factor=0.6), voice()], "base: real-time factor 0.60, more than 0.5"),
        ([whisper("base", first_result_ms=930), voice()], "base: first result after 930 ms, more than 500"),
        (
            [whisper("base"), voice(first_result_ms=301)],
            "lessac-medium: first result after 301 ms, more than 300",
        ),
        ([whisper("base"), Finding("x", "tts.piper", "en", {}, "broken")], "x: broken"),
    ],
)
def test_a_model_that_is_too_slow_leaves_the_embedded_graph(findings: list[Finding], reason: str) -> None:
    graph, reasons = recommend(findings, READY, {})
    assert graph == "embedded" and reasons[-1].startswith("not local: ") and reasons[-1].endswith(reason)


def test_one_fast_model_of_a_sort_is_enough() -> None:
    assert (
        recommend([whisper("tiny"), whisper("small", first_result_ms=2000), voice()], READY, {})[0] == "local"
    )


def test_what_a_graph_lacks_is_a_reason() -> None:
    unready = {"local": ["node 'large' (llm.openai): cannot reach it"]}
    graph, reasons = recommend([whisper("base"), voice()], unready, {})
    assert (graph, reasons[-1]) == ("embedded", "not local: node 'large' (llm.openai): cannot reach it")


def test_the_most_capable_model_that_is_fast_enough_is_named() -> None:
    findings = [whisper("tiny"), whisper("base"), whisper("small"), whisper("medium", first_result_ms=5000)]
    assert advice(findings, {}) == [
        "LOCAL_STT_MODEL=small is the most capable Whisper model that is fast enough here"
    ]
    assert advice(findings, {"LOCAL_STT_MODEL": "small"}) == []


def test_a_model_that_does_not_load_is_a_line_of_the_table() -> None:
    found = examine.examine(Candidate("x", "stt.faster_whisper", {"model": "/no/such/folder/"}, "en"))
    assert not found.fast_enough and found.figures == {} and "/no/such/folder/" in found.problem


@pytest.mark.slow
def test_installed_models_are_tried_and_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VOICE_AGENT_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(examine, "lacks", lambda graph: [] if graph == "embedded" else ["a model"])
    folder = tmp_path / "models" / "whisper" / "tiny"
    shutil.copytree(_tiny_whisper.write(tmp_path / "made"), folder)
    (folder / "manifest.json").write_text('{"source": "", "revision": "", "files": {}}')
    assert cli.main(["doctor", "--json", str(tmp_path / "report.json")]) == 0
    out = capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["graph"] == "embedded" and "Recommended: voice-agent serve --graph embedded" in out
    assert report["machine"]["cores"] >= 1
    tried = {found["model"]: found for found in report["models"]}
    assert 0 < tried["tiny"]["real_time_factor"] < 1 and tried["tiny"]["first_result_ms"] > 0
    assert tried["tiny"]["memory_mb"] > 50
    assert "stt.faster_whisper" in out


def test_a_report_that_cannot_be_written_is_told_before_the_probes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor", "--json", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err
