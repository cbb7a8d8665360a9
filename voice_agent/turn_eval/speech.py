"""Sentences in synthetic voices, each made in a process of its own and kept as a file.

What espeak makes of a sentence depends on what it has said before, so that a sentence sounds the same only
where it is the first one. The files lie in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache); they
may be deleted."""

import asyncio
import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from voice_agent import registry
from voice_agent.calls.script import VOICE
from voice_agent.errors import InputError, VoiceAgentError
from voice_agent.message import Clause, Samples, Speech, Word
from voice_agent.testing import collect

PACKAGE = "espeakng-loader"
FORMAT = 1
"""Of the files; another one makes them all anew."""


@dataclass(frozen=True)
class Line:
    """What is said, and by whom."""

    text: str
    language: str
    voice: str
    rate_wpm: int


@dataclass(frozen=True, eq=False)
class Spoken:
    """How that sounds."""

    samples: Samples
    words: tuple[Word, ...]


def folder() -> Path:
    """Where the files lie."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voice-agent" / "turn-eval"


def _path(line: Line) -> Path:
    key = json.dumps([FORMAT, version(PACKAGE), line.text, line.language, line.voice, line.rate_wpm])
    return folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"


def prepare(lines: Iterable[Line]) -> None:
    """Make the files that are missing. Raises InputError for a voice that does not exist."""
    missing = [line for line in dict.fromkeys(lines) if not _path(line).exists()]
    if not missing:
        return
    folder().mkdir(parents=True, exist_ok=True)
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([__name__])  # imports once, not for every sentence
    with ProcessPoolExecutor(os.cpu_count(), context, max_tasks_per_child=1) as pool:
        for line, problem in zip(missing, pool.map(_make, missing), strict=True):
            if problem:
                raise InputError(f"no voice for '{line.text[:40]}': {problem}")


def spoken(line: Line) -> Spoken:
    """A sentence that was prepared."""
    with np.load(_path(line)) as file:
        words = tuple(Word(*word) for word in json.loads(str(file["words"])))
        return Spoken(file["samples"], words)


def _make(line: Line) -> str:
    """Say a sentence in this process, which says no other; returns what went wrong."""
    try:
        settings = {"voices": {line.language: line.voice}, "rate_wpm": line.rate_wpm}
        speaker = registry.find(VOICE)(**settings)
        said = asyncio.run(collect(speaker, Clause(line.text, line.language, final=True, turn=1))).of(Speech)
    except VoiceAgentError as error:
        return str(error)
    samples = np.concatenate([*(speech.samples for speech in said), np.zeros(0, np.int16)])
    if not samples.any():
        return "it has no sound"
    words = [(word.text, word.start_s, word.end_s) for speech in said for word in speech.words]
    path = _path(line)
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    with partial.open("wb") as file:
        np.savez_compressed(file, samples=samples, words=np.array(json.dumps(words)))
    partial.replace(path)
    return ""
