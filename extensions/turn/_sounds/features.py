"""What is measured of a sound of the caller, frame by frame, and as a whole so far. Pure NumPy."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from voice_agent import audio
from voice_agent.audio import FRAME, SAMPLE_RATE
from voice_agent.message import Samples

Floats = npt.NDArray[np.float32]
WINDOW = 512
"""Samples that are looked at with each frame, the frame last: 32 ms."""
TRANSFORM = 1024
"""Twice as many, so that the autocorrelation does not wrap."""
BANDS = 18
"""Triangles of equal width in mel (O'Shaughnessy 1987) between these frequencies in Hz."""
LOWEST_HZ, HIGHEST_HZ = 80.0, 7600.0
SLOWEST, FASTEST = 250, 36
"""Lags in samples of the lowest and highest pitch that is looked for: 64 and 444 Hz."""
FLOOR_DB = -90.0
RANGE_DB = 20.0
"""Levels are told in steps of this below the loudest band so far,"""
DEEPEST = -3.0
"""but not below this many."""
LOUD_DB, RISE_DB = 25.0, 12.0
"""A frame sounds that is less than the one below the loudest frame; a burst rises above the other."""
VOICED = 0.5
"""Autocorrelation from which a frame has a pitch."""
BLOCK = 3
"""Frames that are averaged: 60 ms."""
ONSET_BLOCKS, LATEST_BLOCKS = 8, 3
"""The first 0.48 s, and the latest 0.18 s."""
MOST = 75
"""Frames that are looked at, the first 1.5 s: what a sound is does not show later."""
LEVEL, VOICING, LAG = BANDS, BANDS + 1, BANDS + 2
ROW = BANDS + 3
"""Numbers of a frame: the levels of its bands in dB, its own, how periodic it is, 0..1, and its pitch in
octaves above the lowest."""


class Listener:
    """Keeps one sound, and measures it when asked: about 40 µs a frame. Feed it frames in order."""

    def __init__(self, before: Samples) -> None:
        """`before` is what came just before the first frame; at least 192 samples, or all there are."""
        needed = WINDOW - FRAME
        self._before = np.concatenate((np.zeros(needed, np.float32), audio.to_float(before)))[-needed:]
        self._unmeasured: list[Samples] = []
        self._rows: list[Floats] = []

    def hear(self, samples: Samples) -> None:
        """The next 20 ms, shape (320,)."""
        if len(self._rows) + len(self._unmeasured) < MOST:
            self._unmeasured.append(samples)

    @property
    def rows(self) -> list[Floats]:
        """What is measured of each frame so far."""
        for samples in self._unmeasured:
            window = np.concatenate((self._before, audio.to_float(samples)))
            self._before = window[FRAME:]
            self._rows.append(_row(window))
        self._unmeasured.clear()
        return self._rows


def _row(window: Floats) -> Floats:
    """Shape (ROW,)."""
    spectrum = np.fft.rfft(window * _taper(), TRANSFORM)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    row = np.empty(ROW, np.float32)
    row[:BANDS] = np.maximum(FLOOR_DB, 10 * np.log10(_triangles() @ power + 1e-12))
    row[LEVEL] = max(FLOOR_DB, 10 * np.log10(float(np.dot(window, window)) / WINDOW + 1e-12))
    correlation = np.fft.irfft(power)[: SLOWEST + 1] / _taper_correlation()
    lag = FASTEST + int(np.argmax(correlation[FASTEST:]))
    row[VOICING] = max(0.0, float(correlation[lag]) / (float(correlation[0]) + 1e-9))
    row[LAG] = np.log2(SLOWEST / lag)
    return row


@cache
def _taper() -> Floats:
    return np.hanning(WINDOW).astype(np.float32)


@cache
def _taper_correlation() -> Floats:
    """That of the taper itself, by which a tapered sound's is divided (Boersma 1993)."""
    power = np.square(np.abs(np.fft.rfft(_taper(), TRANSFORM)))
    correlation = np.fft.irfft(power)[: SLOWEST + 1]
    scaled: Floats = (correlation / correlation[0]).astype(np.float32)
    return scaled


@cache
def _triangles() -> Floats:
    """Weights of each frequency in each band; shape (BANDS, TRANSFORM // 2 + 1)."""
    mel = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = np.fft.rfftfreq(TRANSFORM, 1 / SAMPLE_RATE)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    weights = np.maximum(0, np.minimum((hertz - low) / (centre - low), (high - hertz) / (high - centre)))
    scaled: Floats = (weights / weights.sum(axis=1, keepdims=True) / WINDOW).astype(np.float32)
    return scaled


def _mel(hertz: float) -> float:
    return 2595 * float(np.log10(1 + hertz / 700))


def summary(rows: Sequence[Floats]) -> Floats:
    """A sound of at least one frame as a whole so far; shape (SIZE,). Its loudness does not count."""
    table = np.stack(rows)
    bands = np.clip((table[:, :BANDS] - table[:, :BANDS].max()) / RANGE_DB, DEEPEST, 0)
    levels, voicing = table[:, LEVEL] - table[:, LEVEL].max(), table[:, VOICING]
    both = np.column_stack((bands, voicing))
    loud = levels > -LOUD_DB
    sounding = both[loud]
    flux = np.abs(np.diff(sounding[:, :BANDS], axis=0)).mean() if len(sounding) > 1 else 0.0
    pitches = table[loud & (voicing > VOICED), LAG]
    above = levels > -RISE_DB
    bursts = int(above[0]) + int(np.count_nonzero(above[1:] & ~above[:-1]))
    silent = len(levels) - 1 - int(np.flatnonzero(loud)[-1])
    numbers = (
        len(table) / MOST,
        silent / LATEST_BLOCKS / BLOCK,
        float(loud.mean()),
        float(above.mean()),
        bursts / 4,
        bursts / len(table) * BLOCK,
        float(flux) * 4,
        float((sounding[:, BANDS] > VOICED).mean()),
        float(np.ptp(pitches)) if len(pitches) else 0.0,
        float(pitches.std()) * 4 if len(pitches) else 0.0,
        float(pitches.mean()) if len(pitches) else 0.0,
        float(pitches[-1] - pitches[0]) if len(pitches) else 0.0,
    )
    return np.concatenate((
        _blocks(both, ONSET_BLOCKS), _blocks(both[::-1], LATEST_BLOCKS),
        sounding.mean(axis=0), 2 * sounding.std(axis=0), np.array(numbers, np.float32),
    )).astype(np.float32)  # fmt: skip


def _blocks(table: Floats, count: int) -> Floats:
    """The first blocks of frames, each averaged; what has not been heard counts as silence."""
    wanted = count * BLOCK
    silence = np.full((max(0, wanted - len(table)), table.shape[1]), DEEPEST, np.float32)
    silence[:, BANDS:] = 0
    blocks: Floats = np.concatenate((table[:wanted], silence)).reshape(count, BLOCK, -1).mean(axis=1).ravel()
    return blocks


FRAMES_AT = (ONSET_BLOCKS + LATEST_BLOCKS + 2) * (BANDS + 1)
"""Where in a summary it stands how many frames it is of, in units of MOST."""
SIZE = (ONSET_BLOCKS + LATEST_BLOCKS + 2) * (BANDS + 1) + 12
