"""Words that stt.pocketsphinx gets wrong with and without a denoiser before it.

Sentences of the vertical in two synthetic voices, each the first of its call after 2 s of noise.
`python -m benchmarks.denoise` takes minutes.
"""

import asyncio
import json
import random

import numpy as np

from benchmarks import sounds
from extensions.denoise.noisereduce import NoisereduceDenoise
from extensions.denoise.webrtc import WebrtcDenoise
from extensions.stt.pocketsphinx import PocketsphinxStt
from voice_agent import audio
from voice_agent.bench.metrics import edit_distance
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.message import AudioFrame, Message, Samples, SpeechEnded, SpeechStarted, Transcript
from voice_agent.testing import collect, frames_of

LEAD_S, TAIL_S = 2.0, 0.3
VAD_DELAY_S = 0.1
VOICES = ("en-us", "en-gb-x-rp")
SENTENCES = 16
DENOISERS = {"as it came": None, "denoise.webrtc": WebrtcDenoise, "denoise.noisereduce": NoisereduceDenoise}


def noises() -> dict[str, tuple[Samples, float]]:
    """Name to the noise and its distance below the voice in dB."""
    hiss = sounds.white(20 * audio.SAMPLE_RATE, -20)
    found = {"clean": (hiss, 50.0), "white 5 dB": (hiss, 5.0), "white 0 dB": (hiss, 0.0)}
    spectrum = np.fft.rfft(hiss)
    pink = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)))
    found["pink 5 dB"] = (sounds.clip(pink * 3000 / sounds.rms(pink)), 5.0)
    if folder := sounds.data_folder():
        found["babble 5 dB"] = (audio.read(folder / "noise" / "tau2" / "people_talking.wav"), 5.0)
    return found


async def understood(voice: Samples, noise: Samples, snr_db: float, denoiser: str) -> str:
    """The text of one call's first sentence."""
    lead, tail = (np.zeros(round(s * audio.SAMPLE_RATE), np.int16) for s in (LEAD_S, TAIL_S))
    quiet = np.concatenate((lead, voice, tail))
    under = np.resize(noise, len(quiet)) * (sounds.rms(voice) / sounds.rms(noise) * 10 ** (-snr_db / 20))
    frames = frames_of(sounds.clip(quiet + under))
    if make := DENOISERS[denoiser]:
        frames = (await collect(make(), *frames)).of(AudioFrame)
    started = round((LEAD_S + VAD_DELAY_S) / audio.FRAME_S)
    ended = SpeechEnded(LEAD_S + len(voice) / audio.SAMPLE_RATE)
    messages: list[Message] = [*frames[:started], SpeechStarted(LEAD_S), *frames[started:], ended]
    return (await collect(PocketsphinxStt(), *messages)).of(Transcript)[-1].text


async def run() -> dict[str, dict[str, float]]:
    known = load_vertical("customer_service").sentences("en")
    usable = [text for text in known if 4 <= len(text.split()) <= 9 and not any(c.isdigit() for c in text)]
    chosen = random.Random(1).sample(usable, SENTENCES)
    table: dict[str, dict[str, float]] = {}
    for kind, (noise, snr_db) in noises().items():
        table[kind] = {}
        for denoiser in DENOISERS:
            wrong = words = 0
            for text in chosen:
                said = text.lower().replace("?", "").replace(".", "").replace(",", "").split()
                for voice in VOICES:
                    heard = await understood(await sounds.say(text, voice), noise, snr_db, denoiser)
                    wrong += edit_distance(said, heard.lower().split())
                    words += len(said)
            table[kind][denoiser] = round(wrong / words, 3)
    return table


def main() -> None:
    print(json.dumps(asyncio.run(run()), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
