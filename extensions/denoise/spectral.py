"""A spectral gate in NumPy alone: in each band, what does not stand out of the room's noise becomes quieter.

The rule is the one that noisereduce's stationary gate goes by: a threshold for each band from the mean and
the deviation of its level in noise, and a mask that is smoothed over time and bands, so that no single tones
are left over. Here it runs as a stream: each window is looked at once, and none while there is nothing to
take away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from extensions.denoise._quiet import Quiet
from voice_agent import audio
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message, Samples

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
KEPT_HOPS = SPREAD_HOPS + HOPS + AHEAD
LOOK_AHEAD = WINDOW - HOP + AHEAD * HOP
"""Samples by which the sound is late: 16 ms."""
SPREAD = 4
"""Bands on either side that the mask is smoothed over: 250 Hz."""
BANDS = WINDOW // 2 + 1
HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
Floats = npt.NDArray[np.floating]
Spectra = npt.NDArray[np.complexfloating]


@dataclass
class SpectralDenoise(Extension):
    """Runs inline, 0.07 ms a frame; 0.01 ms until the noise is known, and while there is hardly any: then
    sound passes unchanged. Delays by 16 ms either way."""

    strength: Annotated[float, Field(ge=0, le=1)] = 0.9
    """The share of the noise that is taken away."""
    threshold_std: Annotated[float, Field(ge=0, le=5)] = 1.5
    """Sound in a band is kept when it is this many standard deviations above the noise's mean, in dB."""
    quiet_db: Annotated[float, Field(ge=-100, le=0)] = -60.0
    """Noise below this level of full scale is left as it is: recognisers are used to it."""

    inputs = (AudioFrame,)
    outputs = {"pcm_frame": AudioFrame}

    async def start(self) -> None:
        self._sound: Samples = np.zeros(LOOK_AHEAD + audio.FRAME, np.int16)
        """The frame that is due, and what has come since."""
        self._mask = Mask(self.threshold_std)
        self._overlap: Overlap | None = None
        """None while sound passes unchanged."""
        self._quiet = Quiet()

    async def handle(self, message: Message, emit: Emit) -> None:
        """A frame out for each frame in; it carries the sound of 16 ms before, and says so in its time."""
        assert isinstance(message, AudioFrame)
        self._sound = np.concatenate((self._sound[audio.FRAME :], message.samples))
        samples = self._pass_on() if self._mask.is_open else self._clean()
        if not message.gap and self._quiet.push(message.samples):
            self._mask.learn(self._quiet.blocks if self._quiet.level_db > self.quiet_db else [])
        time_s = message.time_s - LOOK_AHEAD / audio.SAMPLE_RATE
        await emit("pcm_frame", replace(message, samples=samples, time_s=time_s))

    def _pass_on(self) -> Samples:
        self._overlap = None
        return self._sound[: audio.FRAME].copy()

    def _clean(self) -> Samples:
        sound = audio.to_float(self._sound)
        spectra = split(sound)
        gains = 1 - self.strength * (1 - self._mask.push(power(spectra[AHEAD:])))
        self._overlap = self._overlap or Overlap(sound)
        return audio.to_int16(self._overlap.join(spectra[:HOPS] * gains))


def split(sound: Floats) -> Spectra:
    """Each window's bands, shape (n, 129), the first window at the start and the last at the end."""
    pieces = sound.reshape(-1, HOP)
    ends = range(WINDOW // HOP - 1, -1, -1)
    windows = np.hstack([pieces[at : len(pieces) - end] for at, end in enumerate(ends)])
    return np.fft.rfft(windows * HANN)


def power(spectra: Spectra) -> Floats:
    """In each band of each window."""
    powers: Floats = spectra.real**2 + spectra.imag**2
    return powers


class Overlap:
    """Windows back to sound; nothing changes where their bands are left as they are."""

    SCALE = HANN / np.float32(1.5)
    """The squares of the four windows over a sample add up to that."""
    REST = WINDOW - HOP
    """Samples that still lack a window."""

    def __init__(self, sound: Floats) -> None:
        """`sound` starts with the first window to be joined; what comes before it was left as it is."""
        share = HANN * self.SCALE
        before = [np.pad(share[at:], (0, at - HOP)) for at in range(HOP, WINDOW, HOP)]
        self._rest: Floats = sound[: self.REST] * np.sum(before, axis=0)

    def join(self, spectra: Spectra) -> Floats:
        """A frame, shape (320,), of the next five windows."""
        pieces = np.fft.irfft(spectra, WINDOW) * self.SCALE
        sound = np.concatenate((self._rest, np.zeros(audio.FRAME, np.float32)))
        for at, piece in zip(range(0, audio.FRAME, HOP), pieces, strict=True):
            sound[at : at + WINDOW] += piece
        self._rest = sound[audio.FRAME :]
        return sound[: audio.FRAME]


class Mask:
    """Which bands hold more than noise: 1, or 0, smoothed; all 1 while the noise is not known."""

    def __init__(self, threshold_std: float) -> None:
        self._std = threshold_std
        self._threshold: Floats | None = None
        """A power, shape (129,)."""
        self._recent = np.ones((KEPT_HOPS, BANDS), np.float32)
        """The latest windows' masks, smoothed over bands."""
        self._ones = KEPT_HOPS
        """So many of the latest are all 1."""

    @property
    def is_open(self) -> bool:
        """The next frame's mask is all 1, and `push` need not be told of it."""
        return self._threshold is None and self._ones >= KEPT_HOPS

    def learn(self, noise: Sequence[Samples]) -> None:
        """From stretches of noise; none where there is none to speak of."""
        self._threshold = None
        if noise:
            windows = np.concatenate([split(audio.to_float(samples)) for samples in noise])
            level_db = 10 * np.log10(power(windows) + 1e-12)
            self._threshold = 10 ** ((level_db.mean(axis=0) + self._std * level_db.std(axis=0)) / 10)

    def push(self, power: Floats) -> Floats:
        """Take in the powers of a frame's windows, shape (5, 129); the mask of those AHEAD earlier, 0..1."""
        if self._threshold is None:
            masks = np.ones_like(power)
            self._ones += HOPS
        else:
            masks = (power > self._threshold).astype(np.float32) @ OVER_BANDS
            self._ones = 0
        self._recent = np.concatenate((self._recent[HOPS:], masks))
        smoothed: Floats = OVER_TIME @ self._recent
        return smoothed


def _over_time() -> Floats:
    """What each of the kept windows' masks counts for each of a frame's, shape (5, 18)."""
    distance = np.arange(KEPT_HOPS) - SPREAD_HOPS - np.arange(HOPS)[:, None]
    weights = np.maximum(0, 1 - np.abs(distance) / (SPREAD_HOPS + 1))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _over_bands() -> Floats:
    """What each band counts for each smoothed one, shape (129, 129); the outermost stand for those beyond."""
    weights = 1 - np.abs(np.arange(-SPREAD, SPREAD + 1)) / (SPREAD + 1)
    bands = np.pad(np.eye(BANDS), ((0, 0), (SPREAD, SPREAD)), mode="edge")
    return np.array([np.convolve(band, weights / weights.sum(), "valid") for band in bands], np.float32)


OVER_TIME = _over_time()
OVER_BANDS = _over_bands()
