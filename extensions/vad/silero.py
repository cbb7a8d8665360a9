"""Silero's voice activity detector (v6, MIT), from the ONNX file in faster-whisper's wheel."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from extensions.vad._judge import PORTS, Durations, Judge
from voice_agent import audio
from voice_agent.errors import ModelError, requires
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message, Samples

with requires("whisper"):
    import onnxruntime

WINDOW = 512
"""Samples the model judges at once: 32 ms."""
CONTEXT = 64
"""Samples of the window before that it also wants to see."""
QUIET = 33
"""A window whose every sample is below this, -60 dB of full scale, holds no voice that was meant for anyone.
It is not judged: the model is a call's largest cost, and callers listen half of the time."""
PAUSE_MS = 32
"""A single window without a voice is a pause."""
ONSET_MS = 48
"""The first voiced window begins so long after the voice does: 34-50 ms on average, in clean sound and in
noise; all that is left out counts as missed."""
Probability = Annotated[float, Field(gt=0, lt=1)]
Milliseconds = Annotated[int, Field(ge=0, le=5000)]
Sound = npt.NDArray[np.float32]


@dataclass
class SileroVad(Extension):
    """Runs inline on the event loop: a window costs about 0.1 ms, a glance between two windows the same."""

    threshold: Probability = 0.5
    release_threshold: Probability = 0.35
    """A voice that has begun goes on while it is at least this probable."""
    start_ms: Milliseconds = 64
    """How long a voice must last to count, in steps of 32 ms."""
    end_ms: Milliseconds = 160
    """Silence that ends speech, in steps of 32 ms: what the 100 ms of Silero's authors come to in their loop.
    Whoever cannot wait so long takes the pause, which is told at the first silence."""

    inputs = (AudioFrame,)
    outputs = PORTS

    def prepare(self) -> None:
        _session()

    async def start(self) -> None:
        self._detector = Detector()
        durations = Durations(self.start_ms, PAUSE_MS, self.end_ms, ONSET_MS)
        self._judge = Judge(WINDOW, (self.threshold, self.release_threshold), durations)

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, AudioFrame)
        # Only a hint is worth a glance, and only to somebody.
        glance = self._detector.glance if "speech_paused" in self.connected else None
        await self._judge.hear(message, self._detector.probability, emit, glance)


class Detector:
    """The model with the memory of one stream."""

    def __init__(self) -> None:
        self._session = _session()
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._input = np.zeros((1, CONTEXT + WINDOW), np.float32)

    def probability(self, samples: Samples) -> float:
        """That the next window, shape (512,), holds a voice: 0..1."""
        self._input[0, :CONTEXT] = self._input[0, -CONTEXT:]
        self._input[0, CONTEXT:] = audio.to_float(samples)
        if samples.min() > -QUIET and samples.max() < QUIET:
            return 0.0
        probability, self._h, self._c = self._run(self._input)
        return probability

    def glance(self, newest: Samples) -> float:
        """That the last 512 samples hold a voice, of which `newest` have come since the last window. The
        model forgets them again."""
        heard = np.concatenate((self._input[0], audio.to_float(newest)))[None, -(CONTEXT + WINDOW) :]
        if np.abs(heard[0, CONTEXT:]).max() < QUIET / audio.FULL_SCALE:
            return 0.0
        return self._run(heard)[0]

    def _run(self, heard: Sound) -> tuple[float, Sound, Sound]:
        probability, h, c = self._session.run(None, {"input": heard, "h": self._h, "c": self._c})
        return float(probability.item()), h, c


@cache
def _session() -> Any:
    """The model, loaded once per process; it keeps no state between runs."""
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    found = sorted(files("faster_whisper").joinpath("assets").glob("silero_vad*.onnx"))  # type: ignore[attr-defined]
    if not found:
        raise ModelError(
            "the Silero VAD model is not in the faster-whisper package: install faster-whisper>=1.1"
        )
    session = onnxruntime.InferenceSession(str(found[-1]), options, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    if names != ["input", "h", "c"]:
        raise ModelError(
            f"{found[-1]}: expected a Silero VAD with inputs input, h, c; it has {', '.join(names)}"
        )
    return session
