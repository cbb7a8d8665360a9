"""noisereduce's stationary spectral gate, run as a stream.

`noisereduce.reduce_noise` learns its noise anew from every piece of sound it is given, which on 20 ms is
both slow and wrong. Here the gate is built from the quiet moments of the call and then moved over it.
"""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from extensions.denoise._quiet import Quiet
from voice_agent import audio
from voice_agent.errors import requires
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message, Samples

with requires("denoise"):
    from noisereduce.spectralgate.stationary import SpectralGateStationary

N_FFT = 256
"""16 ms: short enough for the look-ahead, long enough for 62 Hz bands."""
LOOK_AHEAD = N_FFT
"""Samples. The last window of a transform is damped at its edge: sound is taken out one window earlier."""
CONTEXT = 1536 - LOOK_AHEAD
"""Samples before the frame that the mask is smoothed over: 80 ms, with frame and look-ahead 116 ms."""


@dataclass
class NoisereduceDenoise(Extension):
    """Runs inline, 0.5 ms a frame; delays by 16 ms. Until the noise is known, sound passes unchanged."""

    strength: Annotated[float, Field(ge=0, le=1)] = 0.9
    """The share of the noise that is taken away."""
    threshold_std: Annotated[float, Field(ge=0, le=5)] = 1.5
    """Sound in a band is kept when it is this many standard deviations above the noise's mean, in dB."""

    inputs = (AudioFrame,)
    outputs = {"pcm_frame": AudioFrame}

    async def start(self) -> None:
        self._sound = np.zeros(CONTEXT + audio.FRAME + LOOK_AHEAD, np.int16)
        self._quiet = Quiet()
        self._gate: SpectralGateStationary | None = None

    async def handle(self, message: Message, emit: Emit) -> None:
        """A frame out for each frame in; it carries the sound of 16 ms before, and says so in its time."""
        assert isinstance(message, AudioFrame)
        self._sound = np.concatenate((self._sound[audio.FRAME :], message.samples))
        if not message.gap and self._quiet.push(message.samples):
            self._gate = self._build_gate(audio.to_float(np.concatenate(self._quiet.blocks)))
        cleaned = self._clean()
        time_s = message.time_s - LOOK_AHEAD / audio.SAMPLE_RATE
        await emit("pcm_frame", replace(message, samples=cleaned, time_s=time_s))

    def _clean(self) -> Samples:
        ready = slice(CONTEXT, CONTEXT + audio.FRAME)
        if self._gate is None:
            return self._sound[ready].copy()
        cleaned: npt.NDArray[np.float64] = self._gate.spectral_gating_stationary(
            audio.to_float(self._sound)[np.newaxis]
        )
        return audio.to_int16(cleaned[0, ready])

    def _build_gate(self, noise: npt.NDArray[np.float32]) -> SpectralGateStationary:
        return SpectralGateStationary(
            y=noise,
            y_noise=noise,
            sr=audio.SAMPLE_RATE,
            prop_decrease=self.strength,
            n_std_thresh_stationary=self.threshold_std,
            n_fft=N_FFT,
            win_length=None,
            hop_length=None,
            freq_mask_smooth_hz=500,
            time_mask_smooth_ms=50,
            time_constant_s=2.0,
            chunk_size=None,
            padding=0,
            clip_noise_stationary=False,
            tmp_folder=None,
            use_tqdm=False,
            n_jobs=1,
        )
