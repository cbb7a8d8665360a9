"""What a simulated caller says, and when."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from voice_agent import audio, registry
from voice_agent.errors import InputError, VoiceAgentError
from voice_agent.message import Clause, Samples, Speech
from voice_agent.testing import collect

VOICE = "tts.espeak"
"""The addon that speaks for the caller."""


@dataclass(frozen=True, eq=False)
class Line:
    """One utterance."""

    said: str
    """The words, or the name of the file."""
    samples: Samples
    barge_in_s: float | None = None
    """Begin that long into the agent's answer to the utterance before, or into its greeting; None waits
    until the agent has finished."""
    clean: Samples | None = None
    """The voice alone, of the same length, where `samples` hold noise too: what is voiced is asked of it."""


async def write(parts: Iterable[tuple[str, str]], language: str = "en", voice: str = "") -> list[Line]:
    """The script from a command line's options in their order: ("--say", text), ("--wav", file),
    ("--barge-in", seconds). Raises InputError.
    """
    lines: list[Line] = []
    barge_in_s: float | None = None
    for option, value in parts:
        if option == "--barge-in":
            if barge_in_s is not None:
                raise InputError("expected an utterance between two --barge-in")
            barge_in_s = _seconds(value)
            continue
        spoken = await say(value, language, voice) if option == "--say" else recorded(Path(value))
        lines.append(replace(spoken, barge_in_s=barge_in_s))
        barge_in_s = None
    if barge_in_s is not None:
        raise InputError("expected an utterance after --barge-in: the one that interrupts")
    return lines


def recorded(path: Path) -> Line:
    """An utterance from a sound file. Raises InputError."""
    return Line(path.name, audio.read(path))


async def say(text: str, language: str = "en", voice: str = "") -> Line:
    """An utterance in a synthetic voice. Raises InputError where there is nothing to say, and what the
    voice raises where it is missing.
    """
    try:
        speaker = registry.find(VOICE)(**({"voices": {language: voice}} if voice else {}))
        emitted = await collect(speaker, Clause(text, language, final=True, turn=1))
    except VoiceAgentError as error:
        raise InputError(f"the caller has no voice for '{text[:40]}': {error}") from error
    samples = np.concatenate([*(speech.samples for speech in emitted.of(Speech)), np.zeros(0, np.int16)])
    if not samples.any():
        raise InputError(f"expected words after --say, got {text!r}")
    return Line(text, samples)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 600:
        raise InputError(f"expected seconds from 0 to 600 after --barge-in, got {value!r}")
    return seconds
