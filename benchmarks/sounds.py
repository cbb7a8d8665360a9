"""Sounds to measure hearing with: synthetic voices, rooms, mixtures, and recordings if there are any."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voice_agent import audio, registry
from voice_agent.message import Clause, Samples, Speech
from voice_agent.testing import collect

Response = npt.NDArray[np.float32]
"""A room's answer to a click at 16 kHz, shape (n,)."""
AGENT_LINES = (
    "Your order was sent on Monday and will be with you on Thursday.",
    "You can return anything within thirty days. Print the label, and bring it to any post office.",
    "I have noted that. Is there anything else that I can do for you today?",
    "Our shops are open from nine in the morning until six in the evening, every day but Sunday.",
    "The payment of forty three dollars was received on the second of March.",
    "I am sorry to hear that. A colleague will call you back before noon.",
)
PAUSE_S = 0.6
"""Between two lines."""


def data_folder() -> Path | None:
    """The folder with recordings, if there is one."""
    folder = os.environ.get("VOICE_AGENT_DATA", "")
    return Path(folder) if folder else None


async def say(text: str, voice: str = "en-us") -> Samples:
    """A line in one of espeak's voices, shape (n,)."""
    tts = registry.find("tts.espeak")(voices={"en": voice})  # type: ignore[call-arg]
    spoken = await collect(tts, Clause(text, turn=1))
    return np.concatenate([speech.samples for speech in spoken.of(Speech)])


async def agent_voice(seconds: float) -> Samples:
    """An agent that talks on and on, with pauses between its lines, shape (n,)."""
    pause = np.zeros(round(PAUSE_S * audio.SAMPLE_RATE), np.int16)
    lines = [np.concatenate((await say(line), pause)) for line in AGENT_LINES]
    once = np.concatenate(lines)
    times = -(-round(seconds * audio.SAMPLE_RATE) // len(once))
    talk: Samples = np.tile(once, times)[: round(seconds * audio.SAMPLE_RATE)]
    return talk


def synthetic_room(decay_s: float = 0.3, seed: int = 7) -> Response:
    """A direct sound and a tail of noise that has lost 60 dB after `decay_s` (Polack's model)."""
    n = round(decay_s * audio.SAMPLE_RATE)
    noise = np.random.default_rng(seed).standard_normal(n)
    tail = noise * 10 ** (-3 * np.arange(n) / n) * 0.05
    tail[0] = 1.0
    return tail.astype(np.float32)


def recorded_rooms() -> dict[str, Response]:
    """The room responses among the recordings, from their direct sound on, at most 0.5 s."""
    folder = data_folder()
    if folder is None:
        return {}
    rooms = {}
    for path in sorted((folder / "rir").rglob("*.wav")):
        response = audio.to_float(audio.read(path))
        rooms[path.stem] = response[int(np.argmax(np.abs(response))) :][: audio.SAMPLE_RATE // 2]
    return rooms


def in_room(sound: Samples, room: Response, delay_ms: float, level_db: float) -> Samples:
    """What of a loudspeaker's sound comes to a microphone: so much later and quieter than it was played."""
    size = 1 << (len(sound) + len(room)).bit_length()
    spectrum = np.fft.rfft(sound, size) * np.fft.rfft(room, size)
    heard = np.fft.irfft(spectrum, size)[: len(sound)]
    delay = round(delay_ms * audio.SAMPLE_RATE / 1000)
    heard = np.concatenate((np.zeros(delay), heard))[: len(sound)]
    heard *= 10 ** (level_db / 20) * rms(sound) / max(rms(heard), 1e-9)
    return clip(heard)


def white(n: int, level_db: float, seed: int = 0) -> Samples:
    """White noise of a level in dB of full scale, shape (n,)."""
    return clip(np.random.default_rng(seed).standard_normal(n) * 10 ** (level_db / 20) * audio.FULL_SCALE)


def mix(*sounds: Samples) -> Samples:
    """All at once, as long as the first, clipped; shorter ones are repeated."""
    n = len(sounds[0])
    return clip(np.sum([np.resize(sound, n).astype(np.int32) for sound in sounds], axis=0))


def rms(sound: npt.NDArray[np.generic]) -> float:
    return float(np.sqrt(np.mean(np.square(sound.astype(np.float64)))))


def clip(sound: npt.NDArray[np.generic]) -> Samples:
    clipped: Samples = np.clip(np.rint(sound.astype(np.float64)), -32768, 32767).astype(np.int16)
    return clipped
