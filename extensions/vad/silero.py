"""Silero's voice activity detector (v6, MIT), from the ONNX file in faster-whisper's wheel."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from extensions.vad._judge import Judge
from voice_agent import audio
from voice_agent.errors import ModelError, requires
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message, Samples, SpeechEnded, SpeechStarted

with requires("whisper"):
    import onnxruntime

WINDOW = 512
"""Samples the model judges at once: 32 ms."""
CONTEXT = 64
"""Samples of the window before that it also wants to see."""
QUIET = 33
"""A window whose every sample is below this, -60 dB of full scale, holds no voice that was meant for anyone.
It is not judged: the model is a call's largest cost, and callers listen half of the time."""
Probability = Annotated[float, Field(gt=0, lt=1)]
Milliseconds = Annotated[int, Field(ge=0, le=5000)]


@dataclass
class SileroVad(Extension):
    """Runs inline on the event loop: a window costs about 0.1 ms."""

    threshold: Probability = 0.5
    release_threshold: Probability = 0.35
    """A voice that has begun goes on while it is at least this probable."""
    start_ms: Milliseconds = 64
    """How long a voice must last to count, in steps of 32 ms."""
    end_ms: Milliseconds = 100
    """Silence that ends speech, in steps of 32 ms; short, as the turn node adds its own waiting."""

    floor_penalty: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Taken off the probability of a window that is no louder than the room, less of one up to 6 dB louder:
    hiss and babble are less often a voice, and an end in noise is known sooner. 0 judges by the model
    alone."""

    inputs = (AudioFrame,)
    outputs = {"speech_started": SpeechStarted, "speech_ended": SpeechEnded}

    def prepare(self) -> None:
        _session()

    async def start(self) -> None:
        self._detector = Detector()
        self._judge = Judge(
            WINDOW,
            (self.threshold, self.release_threshold),
            (self.start_ms, self.end_ms),
            self.floor_penalty,
        )

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, AudioFrame)
        await self._judge.hear(message, self._detector.probability, emit)


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
        fed = {"input": self._input, "h": self._h, "c": self._c}
        probability, self._h, self._c = self._session.run(None, fed)
        return float(probability.item())


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
