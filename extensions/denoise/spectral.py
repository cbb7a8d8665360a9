"""A spectral gate in NumPy alone: in each band, what does not stand out of the room's noise becomes quieter.

The rule is the one that noisereduce's stationary gate goes by: a threshold for each band from the mean and
the deviation of its level in noise, and a mask that is smoothed over time and bands, so that no single tones
are left over. Here it runs as a stream: each window is looked at once.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from extensions.denoise._quiet import Quiet
from voice_agent import audio
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message

WINDOW = 256
"""Samples that are split into bands, 62 Hz wide: 16 ms. Windows of 32 ms gain 0.5 dB of SI-SDR, but smear
the sound, which a recogniser minds (measured)."""
HOP = 64
"""Samples, 4 ms, from one window to the next."""
HOPS = audio.FRAME // HOP
"""Windows that end in a frame."""
AHEAD = 1
"""The sound of so many windows waits for the next frame, so that the mask at its end too is smoothed over
what comes after it: the first sound of a word is not cut."""
SPREAD_S = 0.05
"""The mask is smoothed over so much time before and, as far as it has been heard, after."""
SPREAD_HOPS = round(SPREAD_S * audio.SAMPLE_RATE / HOP)
LOOK_AHEAD = WINDOW - HOP + AHEAD * HOP
"""Samples by which the sound is late: 16 ms."""
SPREAD = 4
"""Bands on either side that the mask is smoothed over: 250 Hz."""
BANDS = WINDOW // 2 + 1
Bands = npt.NDArray[np.float64]


@dataclass
class SpectralDenoise(Extension):
    """Runs inline, 0.2 ms a frame; delays by 16 ms. Until the noise is known, and while there is
    hardly any, sound passes unchanged."""

    strength: Annotated[float, Field(ge=0, le=1)] = 0.9
    """The share of the noise that is taken away."""
    threshold_std: Annotated[float, Field(ge=0, le=5)] = 1.5
    """Sound in a band is kept when it is this many standard deviations above the noise's mean, in dB."""
    quiet_db: Annotated[float, Field(ge=-100, le=0)] = -60.0
    """Noise below this level of full scale is left as it is: recognisers are used to it."""

    inputs = (AudioFrame,)
    outputs = {"pcm_frame": AudioFrame}

    async def start(self) -> None:
        self._bank = FilterBank()
        self._mask = Mask(self.threshold_std)
        self._waiting: deque[npt.NDArray[np.complex128]] = deque(np.zeros((AHEAD, BANDS), np.complex128))
        self._quiet: Quiet[Bands] = Quiet()

    async def handle(self, message: Message, emit: Emit) -> None:
        """A frame out for each frame in; it carries the sound of 16 ms before, and says so in its time."""
        assert isinstance(message, AudioFrame)
        pieces = audio.to_float(message.samples).reshape(-1, HOP)
        windows = np.array([self._bank.split(piece) for piece in pieces])
        levels = _level_db(windows)
        gains = 1 - self.strength * (1 - self._mask.push(levels))
        self._waiting.extend(windows)
        cleaned = [self._bank.join(self._waiting.popleft() * gain) for gain in gains]
        if not message.gap and self._quiet.push(audio.level_db(message.samples), levels):
            loud = self._quiet.level_db > self.quiet_db
            self._mask.learn(np.concatenate(self._quiet.frames) if loud else None)
        samples = audio.to_int16(np.concatenate(cleaned))
        time_s = message.time_s - LOOK_AHEAD / audio.SAMPLE_RATE
        await emit("pcm_frame", replace(message, samples=samples, time_s=time_s))


class FilterBank:
    """Sound to bands and back, 4 ms at a time; nothing changes where the bands are left as they are."""

    def __init__(self) -> None:
        self._window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
        self._scale = self._window / 1.5  # the squares of the four windows over a sample add up to that
        self._sound = np.zeros(WINDOW)
        self._sum = np.zeros(WINDOW)

    def split(self, piece: npt.NDArray[np.floating]) -> npt.NDArray[np.complex128]:
        """The bands of the latest window, shape (129,), after 64 more samples."""
        self._sound = np.concatenate((self._sound[HOP:], piece))
        return np.fft.rfft(self._sound * self._window)

    def join(self, bands: npt.NDArray[np.complex128]) -> npt.NDArray[np.float64]:
        """The next 64 samples that are complete."""
        self._sum = np.concatenate((self._sum[HOP:], np.zeros(HOP)))
        self._sum += np.fft.irfft(bands, WINDOW) * self._scale
        return self._sum[:HOP]


class Mask:
    """Which bands hold more than noise: 1, or 0, smoothed; all 1 while the noise is not known."""

    def __init__(self, threshold_std: float) -> None:
        self._std = threshold_std
        self._threshold: Bands | None = None
        """In dB, shape (129,)."""
        self._recent: Bands = np.ones((SPREAD_HOPS + HOPS + AHEAD, BANDS))
        """The latest windows' masks, smoothed over bands."""
        distance = np.arange(len(self._recent)) - SPREAD_HOPS - np.arange(HOPS)[:, None]
        over_time = np.maximum(0, 1 - np.abs(distance) / (SPREAD_HOPS + 1))
        self._over_time = over_time / over_time.sum(axis=1, keepdims=True)
        over_bands = 1 - np.abs(np.arange(-SPREAD, SPREAD + 1)) / (SPREAD + 1)
        self._over_bands = over_bands / over_bands.sum()

    def learn(self, noise_db: Bands | None) -> None:
        """From the levels of windows of noise, shape (n, 129); None where there is none to speak of."""
        self._threshold = None
        if noise_db is not None:
            self._threshold = noise_db.mean(axis=0) + self._std * noise_db.std(axis=0)

    def push(self, level_db: Bands) -> Bands:
        """Take in the levels of a frame's windows, shape (5, 129); the mask of those AHEAD earlier, 0..1."""
        masks = np.ones_like(level_db)
        if self._threshold is not None:
            loud = np.pad(level_db > self._threshold, ((0, 0), (SPREAD, SPREAD)), mode="edge")
            masks = np.array([np.convolve(row, self._over_bands, "valid") for row in loud.astype(np.float64)])
        self._recent = np.concatenate((self._recent[HOPS:], masks))
        smoothed: Bands = self._over_time @ self._recent
        return smoothed


def _level_db(bands: npt.NDArray[np.complex128]) -> Bands:
    return 10 * np.log10(bands.real**2 + bands.imag**2 + 1e-12)
