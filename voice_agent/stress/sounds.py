"""What callers sound like: utterances, synthetic or recorded, and the noises behind them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from voice_agent import audio
from voice_agent.audio import SAMPLE_RATE
from voice_agent.calls.ear import voiced
from voice_agent.calls.script import Line, recorded, say
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import InputError
from voice_agent.message import Samples
from voice_agent.stress.plan import Turn

VOICES = {"en": ("en-us+f2", "en-us+f4", "en-us+m3", "en-us+m7"), "zh": ("cmn+f2", "cmn+m7")}
"""espeak-ng's for the languages that callers speak; others have the voice of that name."""
SOUND_FILES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a")
MOST_FILES = 200
SPEECH_S = (0.3, 15.0)
"""Recordings outside are not lines of a dialogue."""
NOISE_S = 30.0
"""Of a longer recording the beginning is taken."""
LEAD_S = 0.4
TAIL_S = 1.2
"""Noise goes on after the last word: the end of a turn has to be found in it."""
FADE_S = 0.05
Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Sounds:
    """All that can be said and heard behind it."""

    speech: Sequence[Line]
    pools: Sequence[Sequence[int]]
    """The utterances of each voice, as numbers into `speech`."""
    noises: Sequence[Samples]

    def line(self, turn: Turn) -> Line:
        """A planned turn as sound."""
        spoken = self.speech[turn.speech]
        lead_s, tail_s = turn.silence_s, 0.0
        if turn.snr_db is not None:
            lead_s, tail_s = max(lead_s, LEAD_S), TAIL_S
            if turn.barge_in_s is not None:
                lead_s = 0.0  # the voice interrupts, not the noise before it
        clean = np.concatenate((_nothing(lead_s), spoken.samples, _nothing(tail_s)))
        if turn.snr_db is None:
            return Line(spoken.said, clean, turn.barge_in_s)
        noisy = mixed(clean, self.noises[turn.noise], turn.snr_db)
        return Line(spoken.said, noisy, turn.barge_in_s, clean)


def _nothing(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def mixed(speech: Samples, noise: Samples, snr_db: float) -> Samples:
    """Noise behind all of `speech`, so far below the level of its voiced part; repeated where it is short."""
    span = voiced(speech)
    level_db = audio.level_db(speech[span.first : span.last + 1]) if span else audio.SILENCE_DB
    behind = np.resize(noise, len(speech)).astype(np.float64)
    behind *= 10 ** ((level_db - snr_db - audio.level_db(noise)) / 20)
    fade = np.clip(np.arange(len(behind)) / (FADE_S * SAMPLE_RATE), 0, 1)
    total = speech + behind * fade * fade[::-1]
    return np.clip(np.rint(total), -32768, 32767).astype(np.int16)


async def synthetic(texts: Sequence[str], language: str, voices: Sequence[str] = ()) -> Sounds:
    """Each text in each voice. Raises InputError for a voice that does not exist."""
    base = language.split("-")[0]
    speech: list[Line] = []
    pools: list[list[int]] = []
    for voice in voices or VOICES.get(base, ("",)):
        pools.append(list(range(len(speech), len(speech) + len(texts))))
        speech += [await say(text, base, voice) for text in texts]
    return Sounds(speech, pools, [])


def questions(vertical: str, language: str) -> list[str]:
    """What callers of a vertical can try, without what makes the agent wait in silence. Raises GraphError."""
    loaded = load_vertical(vertical)
    waits = {s.casefold() for i in loaded.intents if i.control for s in i.examples[loaded.speaks(language)]}
    suggested = loaded.suggestions[loaded.speaks(language)]
    return [text for text in suggested if text.strip("。.!?！？ ").casefold() not in waits]


def recorded_speech(folder: Path) -> Sounds:
    """The recordings of a folder and its subfolders that are as long as a line of a dialogue."""

    def line(path: Path) -> Line | None:
        found = recorded(path)
        seconds = len(found.samples) / SAMPLE_RATE
        return found if SPEECH_S[0] <= seconds <= SPEECH_S[1] and voiced(found.samples) else None

    speech = _read(folder, line, f"a recording of {SPEECH_S[0]:g} to {SPEECH_S[1]:g} s")
    return Sounds(speech, [list(range(len(speech)))], [])


def recorded_noises(folder: Path) -> list[Samples]:
    """The recordings of a folder and its subfolders, each as far as it is needed."""

    def noise(path: Path) -> Samples | None:
        samples = audio.read(path)[: round(NOISE_S * SAMPLE_RATE)]
        return samples if audio.level_db(samples) > audio.SILENCE_DB else None

    return _read(folder, noise, "a recording with some sound in it")


def _read(folder: Path, read: Callable[[Path], Found | None], expected: str) -> list[Found]:
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder with sound files")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUND_FILES)
    found = [item for path in paths[:MOST_FILES] if (item := read(path)) is not None]
    if not found:
        raise InputError(f"{folder}: expected {expected} in it, found none in {len(paths)} sound files")
    return found


def pink_noise(seed: int, seconds: float = 10.0) -> Samples:
    """Noise of -30 dB whose power falls by 3 dB an octave from 50 Hz on, as that of rooms does."""
    count = round(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    shaped = np.fft.irfft(spectrum * np.where(hertz < 50, 0, 1 / np.sqrt(np.maximum(hertz, 50))), count)
    return audio.to_int16(shaped / np.sqrt(np.mean(np.square(shaped))) * 10 ** (-30 / 20))
