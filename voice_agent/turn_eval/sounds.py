"""Sounds that are no words, made of shaped noise and trains of pulses, as no recordings are licensed to us.

Each is a recipe with a seed: other lengths, pitches and colours with every seed, the same for the same one.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from voice_agent import audio
from voice_agent.audio import SAMPLE_RATE
from voice_agent.errors import InputError
from voice_agent.message import Samples

Floats = npt.NDArray[np.float64]
Random = np.random.Generator
Formants = tuple[tuple[float, float, float], ...]
"""Centre and bandwidth in Hz, and weight of each resonance."""
AH: Formants = ((730, 110, 1.0), (1090, 130, 0.6), (2440, 200, 0.25))
"""The vowel of "father" (Peterson and Barney 1952)."""
NASAL: Formants = ((250, 80, 1.0), (1000, 300, 0.1), (2200, 300, 0.05))
"""A hum through the nose."""


def _time(seconds: float) -> Floats:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _noise(random: Random, seconds: float) -> Floats:
    return random.standard_normal(round(seconds * SAMPLE_RATE))


def _shaped(sound: Floats, formants: Formants) -> Floats:
    """Through resonances, in the frequency domain."""
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    gain = sum(weight / (1 + np.square((hertz - centre) / width)) for centre, width, weight in formants)
    shaped: Floats = np.fft.irfft(np.fft.rfft(sound) * gain, len(sound))
    return shaped


def _band(sound: Floats, low: float, high: float) -> Floats:
    """What lies between two frequencies, with soft edges."""
    hertz = np.maximum(np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE), 1.0)
    gain = 1 / np.sqrt((1 + (low / hertz) ** 4) * (1 + (hertz / high) ** 4))
    out: Floats = np.fft.irfft(np.fft.rfft(sound) * gain, len(sound))
    return out


def _pulses(random: Random, pitch_hz: Floats) -> Floats:
    """A glottis: a pulse for each turn of a pitch that may glide, with 1 % of jitter."""
    wobble = 1 + 0.01 * np.cumsum(random.standard_normal(len(pitch_hz))) / np.sqrt(
        np.arange(1, len(pitch_hz) + 1)
    )
    phase = np.cumsum(pitch_hz * wobble) / SAMPLE_RATE
    out = np.zeros(len(pitch_hz))
    out[np.flatnonzero(np.diff(np.floor(phase)) > 0)] = 1.0
    return out


def _burst(sound: Floats, rise_s: float, fall_s: float) -> Floats:
    """With a linear rise and an exponential fall."""
    t = np.arange(len(sound)) / SAMPLE_RATE
    out: Floats = sound * np.minimum(1, t / rise_s) * np.exp(-np.maximum(0, t - rise_s) / fall_s)
    return out


def _unit(sound: Floats) -> Floats:
    out: Floats = sound / max(float(np.sqrt(np.mean(np.square(sound)))), 1e-12)
    return out


def _gap(seconds: float) -> Floats:
    return np.zeros(round(seconds * SAMPLE_RATE))


def cough(random: Random) -> Floats:
    """One to three explosions of breath, each with a short voiced end."""
    pieces = []
    for _ in range(random.integers(1, 4)):
        blast = _burst(_band(_noise(random, random.uniform(0.12, 0.2)), 400, 4500), 0.006, 0.05)
        length_s = random.uniform(0.08, 0.16)
        voice = _pulses(random, np.linspace(random.uniform(180, 260), 120, round(length_s * SAMPLE_RATE)))
        end = _burst(_unit(_shaped(voice, AH)) + 0.5 * _noise(random, length_s)[: len(voice)], 0.01, 0.06)
        pieces += [_unit(blast), 0.5 * end, _gap(random.uniform(0.08, 0.2))]
    return np.concatenate(pieces[:-1])


def laugh(random: Random) -> Floats:
    """Four to seven syllables of "ha", falling in pitch and loudness (five a second: Provine 1991)."""
    count = int(random.integers(4, 8))
    pitch = random.uniform(160, 300)
    pieces = []
    for number in range(count):
        breath = _burst(_band(_noise(random, 0.07), 800, 5000), 0.02, 0.05)
        glide = np.linspace(1.1, 0.9, round(0.11 * SAMPLE_RATE)) * pitch * 0.95**number
        voice = _burst(_shaped(_pulses(random, glide), AH), 0.015, 0.06)
        pieces += [0.3 * _unit(breath) * 0.9**number, _unit(voice) * 0.9**number, _gap(0.03)]
    return np.concatenate(pieces)


def throat(random: Random) -> Floats:
    """A rough growl of a low voice, once or twice: throat-clearing."""
    pieces = []
    for _ in range(random.integers(1, 3)):
        length_s = random.uniform(0.25, 0.4)
        rough = _pulses(random, np.full(round(length_s * SAMPLE_RATE), random.uniform(60, 90)))
        breath = _band(_noise(random, length_s), 500, 3000)[: len(rough)]
        both = _unit(_shaped(rough, AH)) + 0.8 * _unit(breath)
        pieces += [_burst(both, 0.04, 0.2), _gap(random.uniform(0.08, 0.15))]
    return np.concatenate(pieces[:-1])


def mm_hm(random: Random) -> Floats:
    """Two hums, the second one higher: the commonest sign of listening, which has no letters."""
    base = random.uniform(110, 210)
    first = np.linspace(base, base * 0.95, round(random.uniform(0.13, 0.18) * SAMPLE_RATE))
    second = np.linspace(base * 1.15, base * 1.05, round(random.uniform(0.18, 0.26) * SAMPLE_RATE))
    hums = [_burst(_unit(_shaped(_pulses(random, pitch), NASAL)), 0.03, 0.2) for pitch in (first, second)]
    return np.concatenate((hums[0], _gap(0.04), hums[1]))


def door(random: Random) -> Floats:
    """A slammed door: a low thud and a rattle."""
    thud = _burst(_band(_noise(random, 0.35), 40, 250), 0.004, 0.08)
    rattle = _burst(_band(_noise(random, 0.35), 300, 3000), 0.002, 0.03)
    return _unit(thud) + 0.4 * _unit(rattle)


def keyboard(random: Random) -> Floats:
    """Typing: clicks at uneven intervals."""
    pieces = []
    for _ in range(random.integers(10, 18)):
        click = _burst(_band(_noise(random, 0.03), 1500, 6500), 0.001, 0.006)
        pieces += [_unit(click) * random.uniform(0.5, 1), _gap(random.uniform(0.05, 0.2))]
    return np.concatenate(pieces)


def pink(random: Random, seconds: float = 10.0) -> Floats:
    """Noise whose power falls by 3 dB an octave, as that of rooms does."""
    spectrum = np.fft.rfft(_noise(random, seconds))
    hertz = np.fft.rfftfreq(round(seconds * SAMPLE_RATE), 1 / SAMPLE_RATE)
    out: Floats = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 50)), round(seconds * SAMPLE_RATE))
    return out


RECIPES: Mapping[str, Callable[[Random], Floats]] = {
    "cough": cough, "laugh": laugh, "throat": throat, "mm_hm": mm_hm,
    "door": door, "keyboard": keyboard, "pink": pink,
}  # fmt: skip
NAMES = tuple(RECIPES)


def make(name: str, seed: int) -> Floats:
    """A sound by its name, at no particular level. Raises InputError."""
    if name not in RECIPES:
        raise InputError(
            f"sound: expected one of {', '.join(NAMES)}, television, babble or file:PATH, got '{name}'"
        )
    return RECIPES[name](np.random.default_rng([seed, NAMES.index(name)]))


def room_response(seed: int, reverberation_s: float = 0.4) -> Floats:
    """What a room makes of a click some metres away: noise that falls by 60 dB in the reverberation time
    (Sabine), as strong as the direct sound."""
    t = _time(reverberation_s)
    tail = np.random.default_rng([seed, 99]).standard_normal(len(t)) * 10 ** (-3 * t / reverberation_s)
    tail *= 1 / np.sqrt(np.sum(np.square(tail)))
    tail[0] += 1.0
    return tail


def in_room(sound: Floats, response: Floats) -> Floats:
    """Through a room (convolution by FFT)."""
    size = len(sound) + len(response) - 1
    out: Floats = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)
    return out


def levelled(sound: Floats, level_db: float) -> Samples:
    """At an RMS level, taken over the loudest half of its 20 ms so that silence in it does not count."""
    power = np.mean(
        np.square(np.resize(sound, -(-len(sound) // audio.FRAME) * audio.FRAME).reshape(-1, audio.FRAME)), 1
    )
    loud = np.sort(power)[len(power) // 2 :]
    return audio.to_int16(sound * 10 ** (level_db / 20) / np.sqrt(max(float(np.mean(loud)), 1e-20)))
