"""Hums, laughs, coughs and clicks to learn from: recipes with a generator of random numbers.

They are not those of `voice_agent/turn_eval/sounds.py`, on which the result is tried: other glottis, other
vowels, other rhythms and kinds, with much more of a spread, so that what is learned is the kind and not the
recipe.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from voice_agent.audio import SAMPLE_RATE

Floats = npt.NDArray[np.float64]
Random = np.random.Generator
VOWELS = {
    "a": (800, 1250, 2500), "e": (550, 1850, 2500), "o": (500, 900, 2400), "i": (320, 2250, 2950),
    "u": (350, 750, 2300), "@": (560, 1450, 2450),
}  # fmt: skip
"""Formants in Hz, between those of men and of women (Peterson and Barney 1952)."""


def _count(seconds: float) -> int:
    return max(1, round(seconds * SAMPLE_RATE))


def _unit(sound: Floats) -> Floats:
    return sound / max(float(np.sqrt(np.mean(np.square(sound)))), 1e-12)


def _noise(random: Random, seconds: float, low: float, high: float) -> Floats:
    """Between two frequencies in Hz, with soft edges."""
    white = random.standard_normal(_count(seconds))
    hertz = np.maximum(np.fft.rfftfreq(len(white), 1 / SAMPLE_RATE), 1.0)
    order = random.uniform(2, 6)
    gain = 1 / np.sqrt((1 + (low / hertz) ** order) * (1 + (hertz / high) ** order))
    return _unit(np.fft.irfft(np.fft.rfft(white) * gain, len(white)))


def _voice(random: Random, pitch_hz: Floats, tilt: float, jitter: float) -> Floats:
    """A sum of harmonics of a pitch that may glide; each octave weaker by `tilt` dB."""
    walk = np.cumsum(random.standard_normal(len(pitch_hz))) / np.sqrt(len(pitch_hz))
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + jitter * walk)) / SAMPLE_RATE + random.uniform(0, 6)
    highest = int(7000 / pitch_hz.max())
    total = np.zeros(len(pitch_hz))
    for number in range(1, max(2, highest)):
        total += 10 ** (-tilt * np.log2(number) / 20) * np.cos(number * phase)
    return total


def _formed(random: Random, sound: Floats, formants: tuple[float, ...], width: float = 90.0) -> Floats:
    """Through resonances, each weaker than the one before."""
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    size = random.uniform(0.9, 1.18)
    gain = np.full(len(hertz), 0.003)
    for place, centre in enumerate(formants):
        gain += (
            random.uniform(0.3, 1.0)
            * 0.6**place
            / (1 + np.square((hertz - centre * size) / (width * (1 + place))))
        )
    return _unit(np.fft.irfft(np.fft.rfft(sound) * gain, len(sound)))


def _shape(random: Random, sound: Floats, rise_s: float, fall_s: float) -> Floats:
    """Rising as a sine does, then even, then falling so."""
    rise, fall = min(_count(rise_s), len(sound) // 2), min(_count(fall_s), len(sound) // 2)
    out = sound.copy()
    out[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise))
    out[-fall:] *= np.sin(np.linspace(np.pi / 2, 0, fall))
    return out * np.linspace(1, random.uniform(0.5, 1.2), len(sound))


def _quiet(seconds: float) -> Floats:
    return np.zeros(_count(seconds))


def hum(random: Random) -> Floats:
    """One to three, in one breath or with a catch between them: "hm", "mm-hm", "mm mm"."""
    base = random.uniform(85, 260)
    tilt, nose = (
        random.uniform(4, 12),
        (random.uniform(200, 330), random.uniform(900, 1400), random.uniform(2000, 2700)),
    )
    pieces = []
    for _ in range(random.choice((1, 2, 2, 2, 3))):
        length = _count(random.uniform(0.1, 0.35))
        start = base * random.uniform(0.85, 1.3)
        pitch = np.linspace(start, start * random.uniform(0.8, 1.25), length)
        voice = _voice(random, pitch, tilt, random.uniform(0.002, 0.02))
        both = (
            _formed(random, voice, nose, random.uniform(50, 110))
            + random.uniform(0, 0.06) * _noise(random, length / SAMPLE_RATE, 300, 4000)[:length]
        )
        pieces.append(
            _shape(random, both, random.uniform(0.01, 0.06), random.uniform(0.02, 0.15))
            * random.uniform(0.6, 1.0)
        )
        pieces.append(_quiet(random.choice((0.0, random.uniform(0.0, 0.09)))))
        if random.random() < 0.2:  # breath through the nose between the two
            pieces.append(0.15 * _noise(random, random.uniform(0.03, 0.08), 500, 3000))
    return np.concatenate(pieces)


def laugh(random: Random) -> Floats:
    """Three to nine syllables of one vowel, 3.5 to 7 a second, voiced or mostly breath."""
    count = int(random.integers(2, 10))
    vowel = VOWELS[str(random.choice(list(VOWELS)))]
    pitch = random.uniform(110, 420)
    step_s, share = 1 / random.uniform(3.5, 7), random.uniform(0.35, 0.75)
    breathy, falls = random.uniform(0.05, 1.2), random.uniform(0.86, 1.02)
    tilt = random.uniform(4, 10)
    pieces = [0.4 * _noise(random, random.uniform(0.05, 0.25), 400, 4000)] if random.random() < 0.3 else []
    for number in range(count):
        length_s = step_s * random.uniform(0.85, 1.15)
        voiced = _count(length_s * share)
        glide = np.linspace(random.uniform(1, 1.2), random.uniform(0.8, 1.0), voiced) * pitch * falls**number
        voice = _formed(random, _voice(random, glide, tilt, random.uniform(0.005, 0.03)), vowel)
        voice = _shape(
            random,
            voice + breathy * _formed(random, random.standard_normal(voiced), vowel, 200),
            0.015,
            random.uniform(0.02, 0.08),
        )
        breath = _shape(random, _noise(random, length_s * (1 - share), 500, 5500), 0.01, 0.02)
        level = random.uniform(0.93, 1.0) ** number
        order = (
            (random.uniform(0.05, 0.5) * breath, voice)
            if random.random() < 0.8
            else (voice, random.uniform(0.0, 0.1) * breath)
        )
        pieces += [level * piece for piece in order]
    return np.concatenate(pieces)


def cough(random: Random) -> Floats:
    """One to four explosions of breath, some with a voiced end."""
    pieces = []
    for _ in range(random.integers(1, 5)):
        length_s = random.uniform(0.08, 0.3)
        blast = _noise(random, length_s, random.uniform(150, 700), random.uniform(2000, 6500))
        blast *= np.exp(-np.arange(len(blast)) / SAMPLE_RATE / random.uniform(0.03, 0.12))
        pieces.append(_shape(random, blast, random.uniform(0.002, 0.02), 0.02))
        if random.random() < 0.7:
            length = _count(random.uniform(0.05, 0.22))
            pitch = np.linspace(random.uniform(130, 350), random.uniform(80, 160), length)
            voice = _voice(random, pitch, random.uniform(3, 8), random.uniform(0.02, 0.1))
            voice = _formed(random, voice, VOWELS[str(random.choice(("a", "@", "o")))], 140)
            noisy = (
                voice + random.uniform(0.3, 1.5) * _noise(random, length / SAMPLE_RATE, 300, 4000)[:length]
            )
            pieces.append(random.uniform(0.2, 0.9) * _shape(random, noisy, 0.005, random.uniform(0.03, 0.1)))
        pieces.append(_quiet(random.uniform(0.03, 0.35)))
    return np.concatenate(pieces[:-1])


def throat(random: Random) -> Floats:
    """A growl, once to three times: pulses of a very low pitch, and breath."""
    pieces = []
    for _ in range(random.integers(1, 4)):
        length = _count(random.uniform(0.12, 0.5))
        low = random.uniform(45, 120)
        voice = _voice(
            random,
            np.linspace(low, low * random.uniform(0.7, 1.3), length),
            random.uniform(1, 5),
            random.uniform(0.05, 0.3),
        )
        voice = _formed(random, voice, VOWELS[str(random.choice(("a", "@", "e", "o")))], 150)
        rough = (
            voice
            + random.uniform(0.3, 1.6)
            * _noise(random, length / SAMPLE_RATE, random.uniform(200, 700), random.uniform(1800, 5000))[
                :length
            ]
        )
        pieces += [
            _shape(random, rough, random.uniform(0.01, 0.08), random.uniform(0.05, 0.2)),
            _quiet(random.uniform(0.03, 0.2)),
        ]
    return np.concatenate(pieces[:-1])


def breath(random: Random) -> Floats:
    """A sigh, a sniff, a sneeze: noise that swells and fades."""
    low = random.uniform(200, 1500)
    sound = _noise(random, random.uniform(0.15, 0.8), low, low * random.uniform(2, 8))
    return _shape(random, sound, random.uniform(0.01, 0.3), random.uniform(0.03, 0.3))


def knocks(random: Random) -> Floats:
    """Things: one to eight thuds or clicks."""
    pieces = []
    for _ in range(random.integers(1, 9)):
        low = random.choice((50.0, 150.0, 400.0, 1500.0)) * random.uniform(0.7, 1.4)
        thud = _noise(random, random.uniform(0.03, 0.25), low, low * random.uniform(2, 10))
        thud *= np.exp(-np.arange(len(thud)) / SAMPLE_RATE / random.uniform(0.005, 0.08))
        pieces += [
            _shape(random, thud, 0.001, 0.01) * random.uniform(0.3, 1),
            _quiet(random.uniform(0.03, 0.25)),
        ]
    return np.concatenate(pieces[:-1])


Recipe = Callable[[Random], Floats]
RECIPES: Mapping[str, Recipe] = {
    "hum": hum, "laugh": laugh, "cough": cough, "throat": throat, "breath": breath, "knocks": knocks,
}  # fmt: skip
