"""Sound as it is inside the graph: int16, mono, 16 kHz, 20 ms frames of shape (320,)."""

import math
import wave
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soxr

from voice_agent.errors import InputError
from voice_agent.message import Samples

SAMPLE_RATE = 16_000
"""Hz."""
FRAME = 320
"""Samples in a frame of 20 ms."""
FRAME_S = FRAME / SAMPLE_RATE
FULL_SCALE = 32768.0
SILENCE_DB = -100.0
"""What `level_db` gives for digital silence."""


def level_db(samples: Samples) -> float:
    """RMS level in dB of full scale, from SILENCE_DB to 0."""
    if not len(samples):
        return SILENCE_DB
    values = samples.astype(np.float32)
    power = float(np.dot(values, values)) / len(values) / FULL_SCALE**2
    return max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB


def to_float(samples: Samples) -> npt.NDArray[np.float32]:
    """int16 to float32 in -1..1."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


def to_int16(samples: npt.NDArray[np.floating]) -> Samples:
    """Floats in -1..1 to int16, clipped."""
    clipped: Samples = np.clip(np.rint(samples * FULL_SCALE), -32768, 32767).astype(np.int16)
    return clipped


class Rechunk:
    """Cut a stream into windows of another length, losing and inventing nothing.

    window = Rechunk(512)
    for samples in window.push(frame.samples): ...
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.rest: Samples = np.zeros(0, np.int16)
        """What is not yet a whole window."""

    def push(self, samples: Samples) -> Iterator[Samples]:
        """Add samples and yield every window that is now complete, each of shape (size,)."""
        joined = np.concatenate((self.rest, samples)) if len(self.rest) else samples
        whole = len(joined) // self.size * self.size
        self.rest = joined[whole:].copy()
        return iter(joined[:whole].reshape(-1, self.size))


class Resampler:
    """Change the sample rate of a stream, one channel, keeping its state between pieces (soxr)."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._same = from_rate == to_rate
        self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16", quality="MQ")

    def push(self, samples: Samples, last: bool = False) -> Samples:
        """Resample a piece; `last` also returns what the filter still holds."""
        if self._same:
            return samples
        resampled: Samples = self._stream.resample_chunk(samples, last=last)
        return resampled


def resample(samples: Samples, from_rate: int, to_rate: int = SAMPLE_RATE) -> Samples:
    """Change the sample rate of a whole recording."""
    if from_rate == to_rate or not len(samples):
        return samples
    resampled: Samples = soxr.resample(samples, from_rate, to_rate, quality="HQ")
    return resampled


def frames(samples: Samples) -> Iterator[Samples]:
    """Cut a recording into frames of 20 ms, the last one filled up with silence."""
    padded = np.concatenate((samples, np.zeros(-len(samples) % FRAME, np.int16)))
    return iter(padded.reshape(-1, FRAME))


def read(path: Path) -> Samples:
    """A sound file of any rate, width, channel count and common format, as 16 kHz mono, shape (n,).

    Raises InputError when the file is missing or holds no sound.
    """
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path}: expected a sound file, found no sound in it")
            decoded = [*container.decode(audio=0), None]
            pieces = [piece.to_ndarray()[0] for frame in decoded for piece in resampler.resample(frame)]
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: expected a sound file: {error.strerror or error}") from error
    if not pieces:
        raise InputError(f"{path}: the sound file is empty")
    return np.concatenate(pieces).astype(np.int16)


def write_wav(path: Path, samples: npt.NDArray[np.int16], sample_rate: int = SAMPLE_RATE) -> None:
    """Write samples, shape (n,) or (n, channels), as a 16-bit WAV file."""
    with path.open("wb") as opened, wave.open(opened, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.astype("<i2").tobytes())
