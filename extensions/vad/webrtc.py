"""WebRTC's voice activity detector: 2 µs a window, but half of all noise is speech to it.

Fit for a first gate on a very small machine; Silero is the better judge.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from extensions.vad._judge import PORTS, Durations, Judge
from voice_agent import audio
from voice_agent.errors import requires
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message, Samples

with requires("webrtcvad"):
    import webrtcvad

ONSET_MS = 20
"""The first voiced window begins so long after the voice does."""
Milliseconds = Annotated[int, Field(ge=0, le=5000)]


@dataclass
class WebrtcVad(Extension):
    """Says yes or no to each window, so that only durations can be set."""

    mode: Annotated[int, Field(ge=0, le=3)] = 3
    """How readily sound is taken for noise: 0 least, 3 most."""
    window_ms: Literal[10, 20] = 10
    start_ms: Milliseconds = 60
    """How long a voice must last to count."""
    pause_ms: Milliseconds = 20
    """Silence that is told as a pause; no longer than `end_ms`."""
    end_ms: Milliseconds = 160
    """Silence that ends speech."""

    inputs = (AudioFrame,)
    outputs = PORTS

    async def start(self) -> None:
        self._vad = webrtcvad.Vad(self.mode)
        window = self.window_ms * audio.SAMPLE_RATE // 1000
        durations = Durations(self.start_ms, self.pause_ms, self.end_ms, ONSET_MS)
        self._judge = Judge(window, (0.5, 0.5), durations)

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, AudioFrame)
        await self._judge.hear(message, self._probability, emit)

    def _probability(self, samples: Samples) -> float:
        return float(self._vad.is_speech(samples.tobytes(), audio.SAMPLE_RATE))
