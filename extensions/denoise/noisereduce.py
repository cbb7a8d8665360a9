"""noisereduce's stationary spectral gate, run as a stream.

`noisereduce.reduce_noise` learns its noise anew from every piece of sound it is given, which on 20 ms is
both slow and wrong. Here the gate is built from the quiet moments of the call and then moved over it.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

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
BLOCK_FRAMES = 16
"""The noise is learned in blocks of 320 ms: longer than syllables, shorter than a conversation's pauses."""
STEADY_DB = 2.0
"""The levels of a block of noise lie within this standard deviation. White noise has 0.5, the quieter
quarter of recorded rooms 0.5-1.1; of blocks of ordinary speech 1.6 % are as steady (measured)."""
PROFILE_BLOCKS = 2
"""The noise is what is common to this many of the quietest blocks."""
MEMORY_BLOCKS = 30
"""Blocks older than 9.6 s are forgotten, so that a new noise is learned."""
DIGITAL_SILENCE_DB = -80.0
"""A muted microphone or a silent codec: tells nothing of the room."""


class Block(NamedTuple):
    """A stretch of sound that may be noise."""

    level_db: float
    samples: Samples


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
        self._noise = NoiseProfile()
        self._gate: SpectralGateStationary | None = None

    async def handle(self, message: Message, emit: Emit) -> None:
        """A frame out for each frame in; it carries the sound of 16 ms before, and says so in its time."""
        assert isinstance(message, AudioFrame)
        self._sound = np.concatenate((self._sound[audio.FRAME :], message.samples))
        if not message.gap and self._noise.learn(message.samples):
            self._gate = self._build_gate(audio.to_float(self._noise.samples()))
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


class NoiseProfile:
    """The quietest steady blocks of the last ten seconds."""

    def __init__(self) -> None:
        self._frames: list[Samples] = []
        self._heard: deque[Block | None] = deque(maxlen=MEMORY_BLOCKS)
        self._chosen: list[Block] = []

    def learn(self, frame: Samples) -> bool:
        """Take in a frame; True when the profile has changed."""
        self._frames.append(frame)
        if len(self._frames) < BLOCK_FRAMES:
            return False
        self._heard.append(_as_noise(self._frames))
        self._frames = []
        steady = sorted((block for block in self._heard if block), key=lambda block: block.level_db)
        chosen = steady[:PROFILE_BLOCKS]
        changed = [id(block) for block in chosen] != [id(block) for block in self._chosen]
        self._chosen = chosen
        return changed and len(chosen) > 0

    def samples(self) -> Samples:
        """The noise, shape (n,)."""
        return np.concatenate([block.samples for block in self._chosen])


def _as_noise(frames: list[Samples]) -> Block | None:
    """A block of these frames, if they may be noise."""
    levels = [audio.level_db(frame) for frame in frames]
    if min(levels) < DIGITAL_SILENCE_DB or np.std(levels) > STEADY_DB:
        return None
    return Block(max(levels), np.concatenate(frames))
