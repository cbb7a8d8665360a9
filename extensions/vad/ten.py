"""TEN VAD: windows of 16 ms, so that onsets are known a little sooner than with Silero.

Its licence is Apache-2.0 with conditions: it may not be deployed in a way that competes with Agora's
offerings, nor so that others can, and only for the benefit of one's own application and its direct end
users. Read it before you use the extra `tenvad`; nothing here needs it. The wheel also needs the C++
library libc++ from the system.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from extensions.vad._judge import PORTS, Durations, Judge
from voice_agent.errors import ModelError, requires
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message, Samples

with requires("tenvad"):
    import ten_vad

WINDOW = 256
"""Samples the model judges at once: 16 ms."""
PAUSE_MS = 16
"""A single window without a voice is a pause."""
ONSET_MS = 32
"""The first voiced window begins so long after the voice does; more in noise."""
LIBRARY = "libc++ (Debian, Ubuntu: apt install libc++1)"
Probability = Annotated[float, Field(gt=0, lt=1)]
Milliseconds = Annotated[int, Field(ge=0, le=5000)]


@dataclass
class TenVad(Extension):
    """Runs inline: a window costs about 0.08 ms."""

    threshold: Probability = 0.6
    release_threshold: Probability = 0.45
    """A voice that has begun goes on while it is at least this probable."""
    start_ms: Milliseconds = 64
    """How long a voice must last to count, in steps of 16 ms."""
    end_ms: Milliseconds = 160
    """Silence that ends speech, in steps of 16 ms; a pause is told at the first."""

    inputs = (AudioFrame,)
    outputs = PORTS

    def prepare(self) -> None:
        _model(self.threshold)

    async def start(self) -> None:
        self._model = _model(self.threshold)
        durations = Durations(self.start_ms, PAUSE_MS, self.end_ms, ONSET_MS)
        self._judge = Judge(WINDOW, (self.threshold, self.release_threshold), durations)

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, AudioFrame)
        await self._judge.hear(message, self._probability, emit)

    def _probability(self, samples: Samples) -> float:
        return float(self._model.process(samples)[0])

    async def stop(self) -> None:
        del self._model


def _model(threshold: float) -> ten_vad.TenVad:
    """The model with the memory of one stream. Raises ModelError when its library does not load."""
    try:
        return ten_vad.TenVad(WINDOW, threshold)
    except (OSError, NotImplementedError) as error:
        raise ModelError(f"the library of ten_vad does not load: {error}; it needs {LIBRARY}") from error
