"""What a denoiser takes away, what it costs, and whether a recogniser understands more behind it."""

from collections.abc import Sequence

import numpy as np

from voice_agent import graph
from voice_agent.audio import FRAME_S, SAMPLE_RATE
from voice_agent.bench import echo, stt
from voice_agent.bench.figures import Figure, Subject, own_cpu_s, percent, play
from voice_agent.bench.material import SYNTHETIC, Material, sentences
from voice_agent.bench.metrics import delay_samples, seconds, si_sdr_db
from voice_agent.errors import VoiceAgentError
from voice_agent.message import AudioFrame, Samples
from voice_agent.stress.sounds import mixed, pink_noise
from voice_agent.testing import silence
from voice_agent.trial.cues import of_sound

SNRS_DB = (10.0, 5.0, 0.0)
LEAD_S = 3.0
"""Noise alone, from which it is learned, before anybody speaks."""
MOST_DELAY = SAMPLE_RATE // 10
"""Samples: nothing in a call may be 100 ms late."""
RECOGNISER = "stt.pocketsphinx"
WORDS_DB = 5.0
EVERY = 5
"""Of the synthetic sentences every fifth is recognised: other words of each voice."""


def measure(subject: Subject, material: Material) -> list[Figure]:
    """SI-SDR gained, delay, cost, words wrong with and without it; the echo, if it is told what is played."""
    if echo.reference(type(subject.build())):
        return echo.measure(subject, material)
    speech, origin = material.speech
    noises, noise_origin = material.noises
    figures = []
    for noise in noises:
        of = noise_origin if noise.name == "babble" else SYNTHETIC
        on = f"{origin}, {of} {noise.name} noise"
        for snr_db in SNRS_DB:
            gain = _gain_db(subject, speech, noise.samples, snr_db)
            figures.append(Figure(f"SI-SDR gain, {noise.name} noise at {snr_db:g} dB", gain, "dB", on))
    delay_ms = 1000 * _delay(subject, speech) / SAMPLE_RATE
    figures.append(Figure("sound is late by", delay_ms, "ms", origin))
    return [*figures, *cost(subject, speech, noises[0].samples), *_words(subject)]


def clean(subject: Subject, samples: Samples) -> Samples:
    """What comes out for a sound, and for a little silence after it."""
    node = subject.build()
    cues = of_sound(type(node), samples, 2 * MOST_DELAY / SAMPLE_RATE)
    frames = [o.message.samples for o in play(node, cues).outputs if isinstance(o.message, AudioFrame)]
    return np.concatenate(frames)


def _gain_db(subject: Subject, speech: Samples, noise: Samples, snr_db: float) -> float:
    lead = round(LEAD_S * SAMPLE_RATE)
    wanted = np.concatenate((silence(LEAD_S), speech))
    noisy = mixed(wanted, noise, snr_db)
    cleaned = clean(subject, noisy)
    late = delay_samples(wanted, cleaned, MOST_DELAY)
    after = cleaned[lead + late : lead + late + len(speech)]
    return si_sdr_db(speech, after) - si_sdr_db(speech, noisy[lead:])


def _delay(subject: Subject, speech: Samples) -> int:
    return delay_samples(speech, clean(subject, speech), MOST_DELAY)


def cost(subject: Subject, speech: Samples, noise: Samples) -> list[Figure]:
    """Processor time for a frame, once the noise is known."""
    node = subject.build()
    cues = of_sound(type(node), mixed(speech, noise, 5.0), 0.0)
    used_s = own_cpu_s(play(node, cues, tail_s=0), node, cues)
    return [
        Figure("processor time for a frame", 1000 * used_s / len(cues), "ms", f"{len(cues)} frames"),
        Figure("real-time factor", used_s / (len(cues) * FRAME_S), "x", f"{seconds(speech):.0f} s"),
    ]


def _words(subject: Subject) -> list[Figure]:
    """With the recogniser that is always there, on sentences it can know; nothing where it is missing."""
    try:
        found = graph.single(RECOGNISER, {})
        found.prepare()
    except VoiceAgentError:
        return []
    recogniser = Subject(RECOGNISER, found.nodes[0].build)
    said = sentences("en")[::EVERY]
    noise = pink_noise(1)

    def noisy(samples: Samples) -> Samples:
        return mixed(samples, noise, WORDS_DB)

    def through(samples: Samples) -> Samples:
        return clean(subject, samples)[: len(samples)]

    cases: Sequence[tuple[str, float]] = (
        ("words wrong with noise, before it", stt.word_errors(recogniser, said, noisy)),
        ("words wrong with noise, behind it", stt.word_errors(recogniser, said, lambda s: through(noisy(s)))),
        ("words wrong without noise, before it", stt.word_errors(recogniser, said, lambda s: s)),
        ("words wrong without noise, behind it", stt.word_errors(recogniser, said, through)),
    )
    on = f"{SYNTHETIC}, {len(said)} sentences, {RECOGNISER}, pink noise at {WORDS_DB:g} dB"
    return [percent(name, rate, on) for name, rate in cases]
