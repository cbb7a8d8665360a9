"""Which models are tried, what came of it, and the graph that is recommended for it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voice_agent import graph as graphs
from voice_agent.choice import PREFERENCE, WANTED_BY
from voice_agent.errors import VoiceAgentError
from voice_agent.models.store import Store, root

EMBEDDED = "embedded"
LOCAL = "local"
PROBE_TIMEOUT_S = 90.0
"""For one model, with loading it: large ones are read from slow disks."""
MOST_REAL_TIME = 0.5
"""Of a core for one caller: the rest of the graph, and a second caller, want to live too."""
MOST_FIRST_MS = {"stt": 500.0, "tts": 300.0}
"""From the end of speech to its text, and from a clause to its sound. Together 800 ms, near what shipped
systems need for a whole answer (1.0 s and more)."""


@dataclass(frozen=True)
class Candidate:
    """A model to be tried."""

    name: str
    addon: str
    properties: Mapping[str, Any]
    language: str


@dataclass(frozen=True)
class Finding:
    """What came of it."""

    name: str
    addon: str
    language: str
    figures: Mapping[str, float]
    """As `probe` gives them; {} when it did not run."""
    problem: str = ""

    @property
    def fast_enough(self) -> bool:
        """For a call, on this machine."""
        return bool(self.figures) and not self.too_slow

    @property
    def too_slow(self) -> str:
        """By which figure, or ""."""
        if not self.figures:
            return ""
        factor, first_ms = self.figures["real_time_factor"], self.figures["first_result_ms"]
        most_ms = MOST_FIRST_MS[self.addon.partition(".")[0]]
        if factor > MOST_REAL_TIME:
            return f"real-time factor {factor:.2f}, more than {MOST_REAL_TIME:g}"
        return f"first result after {first_ms:.0f} ms, more than {most_ms:.0f}" if first_ms > most_ms else ""


def candidates() -> Iterator[Candidate]:
    """The recogniser and the voice of the embedded graph, and every such model in the store."""
    for node in graphs.load(EMBEDDED).nodes:
        if node.addon.partition(".")[0] in MOST_FIRST_MS:
            yield Candidate("(embedded)", node.addon, node.properties, "en")
    for model, _ in Store(root()).installed():
        language = model.languages[0] if model.languages[0] != "many" else "en"
        if model.kind.name == "whisper":
            yield Candidate(model.name, model.kind.addon, {"model": model.name}, language)
        elif model.kind.name == "piper":
            yield Candidate(model.name, model.kind.addon, {"voices": {language: model.name}}, language)


def examine(candidate: Candidate) -> Finding:
    """Try one, in a process of its own."""
    what = (candidate.name, candidate.addon, candidate.language)
    arguments = [candidate.addon, json.dumps(dict(candidate.properties)), candidate.language]
    command = [sys.executable, "-m", "voice_agent.doctor.probe", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return Finding(*what, {}, f"did not load and answer within {PROBE_TIMEOUT_S:g} s")
    if done.returncode:
        return Finding(*what, {}, (done.stderr.strip().splitlines() or ["it died without a word"])[-1])
    return Finding(*what, json.loads(done.stdout.splitlines()[-1]))


def recommend(
    findings: Sequence[Finding], unready: Mapping[str, Sequence[str]], env: Mapping[str, str] = os.environ
) -> tuple[str, list[str]]:
    """A graph, and the reasons: the best whose parts are ready and whose models are fast enough here.

    `unready` holds, by graph, what it lacks. "openai" costs money: it is recommended only where a key or an
    address says that it is wanted.
    """
    reasons: list[str] = []
    for graph in PREFERENCE:
        against = list(unready.get(graph, ()))
        if graph in WANTED_BY and not any(env.get(variable) for variable in WANTED_BY[graph]):
            against = [f"none of {', '.join(WANTED_BY[graph])} is set"]
        elif graph == LOCAL:
            against += _too_slow(findings)
        if not against or graph == EMBEDDED:
            return graph, [*reasons, *against]
        reasons += [f"not {graph}: {reason}" for reason in against]
    raise AssertionError("the embedded graph is among the preferred")


def _too_slow(findings: Sequence[Finding]) -> list[str]:
    """What is against the graph `local`, where no model of a sort is fast enough."""
    against = []
    for addon in ("stt.faster_whisper", "tts.piper"):
        tried = [finding for finding in findings if finding.addon == addon]
        if tried and not any(finding.fast_enough for finding in tried):
            against += [f"{finding.name}: {finding.too_slow or finding.problem}" for finding in tried]
    return against


def advice(findings: Sequence[Finding], env: Mapping[str, str] = os.environ) -> list[str]:
    """Settings that make the graph `local` use the most capable model that is fast enough."""
    whispers = [
        finding.name for finding in findings if finding.addon == "stt.faster_whisper" and finding.fast_enough
    ]
    chosen = env.get("LOCAL_STT_MODEL", "base")
    if whispers and whispers[-1] != chosen:
        return [f"LOCAL_STT_MODEL={whispers[-1]} is the most capable Whisper model that is fast enough here"]
    return []


def lacks(name: str) -> list[str]:
    """Why a graph cannot run here as it is; [] when it can. Loads its models."""
    try:
        rows = graphs.load(name).readiness()
    except VoiceAgentError as error:
        return [str(error)]
    return [f"node '{row.node}' ({row.addon}): {row.problem}" for row in rows if row.problem]


def machine() -> dict[str, Any]:
    """Cores, memory, GPUs that CTranslate2 can use."""
    from voice_agent import __version__

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores,
        "memory_gb": _memory_gb(),
        "gpus": _gpus(),
        "python": sys.version.split()[0],
        "voice_agent": __version__,
    }


def _memory_gb() -> float:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return 0.0


def _gpus() -> int:
    try:
        import ctranslate2
    except ImportError:
        return 0
    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError:  # a driver that is too old, for instance
        return 0
