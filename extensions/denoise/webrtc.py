"""WebRTC's noise suppression: 6 ms of delay, 0.03 ms of work a frame, level kept.

Its high-pass takes away rumble. Measured against noisereduce it removes less, but costs next to nothing.
"""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field
from webrtc_noise_gain import AudioProcessor

from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message

CHUNK = 320
"""Bytes: the library takes 10 ms at a time."""


@dataclass
class WebrtcDenoise(Extension):
    """Runs inline; a frame out for each frame in, with the same time."""

    noise_suppression: Annotated[int, Field(ge=0, le=4)] = 2
    """0 off, 1 low, 2 moderate, 3 high, 4 very high; more than 2 begins to hurt recognition."""
    auto_gain: Annotated[int, Field(ge=0, le=31)] = 0
    """Target level in dB below full scale; 0 leaves the level alone."""

    inputs = (AudioFrame,)
    outputs = {"pcm_frame": AudioFrame}

    async def start(self) -> None:
        self._processor = AudioProcessor(self.auto_gain, self.noise_suppression)

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, AudioFrame)
        sound, process = message.samples.tobytes(), self._processor.Process10ms
        cleaned = b"".join(process(sound[at : at + CHUNK]).audio for at in range(0, len(sound), CHUNK))
        await emit("pcm_frame", replace(message, samples=np.frombuffer(cleaned, np.int16)))
