"""What is left of the agent's voice behind an echo canceller, and of a caller's who speaks over it."""

import numpy as np

from voice_agent import graph
from voice_agent.audio import SAMPLE_RATE, SILENCE_DB, level_db, to_float, to_int16
from voice_agent.bench.figures import Figure, Subject, own_cpu_s, percent, play
from voice_agent.bench.material import Material, sentences
from voice_agent.bench.metrics import STEP_S, erle_db, mask, seconds
from voice_agent.bench.vad import speech_found
from voice_agent.extension import Extension
from voice_agent.message import AudioFrame, Samples, SpeechStarted
from voice_agent.testing import silence
from voice_agent.trial.cues import of_sound, played_message

DELAY_S = 0.12
LOSS_DB = 12.0
"""By which the echo is quieter than what is played."""
SETTLING_S = 2.0
"""Before this the canceller may still learn the room."""
AGENT_S = 60.0
VAD = "vad.silero"
reference = played_message


def measure(subject: Subject, material: Material) -> list[Figure]:
    """Echo return loss, self-interruptions, and how much of a caller is heard who speaks meanwhile."""
    played = np.resize(np.concatenate([one.samples for one in sentences("en")]), round(AGENT_S * SAMPLE_RATE))
    room, origin = material.room
    echoed = echo(played, room)
    after = cancel(subject, echoed, played)
    settled = slice(round(SETTLING_S * SAMPLE_RATE), None)
    on = f"synthetic voice, {origin} room, {DELAY_S * 1000:.0f} ms, -{LOSS_DB:g} dB"
    figures = [
        Figure(
            "echo return loss, first 2 s", erle_db(echoed[: settled.start], after[: settled.start]), "dB", on
        ),
        Figure("echo return loss after 2 s", erle_db(echoed[settled], after[settled]), "dB", on),
        Figure("false starts of speech, before it", _starts(echoed), "a minute", f"{on}, {VAD}"),
        Figure("false starts of speech, behind it", _starts(after), "a minute", f"{on}, {VAD}"),
    ]
    caller, caller_origin = material.speech
    caller = _at_level(np.concatenate((silence(5.0), caller))[: len(played)], level_db(played) - 10)
    caller = np.concatenate((caller, np.zeros(len(played) - len(caller), np.int16)))
    both = np.clip(echoed.astype(np.int32) + caller, -32768, 32767).astype(np.int16)
    kept = _heard_of(cancel(subject, both, played), caller)
    figures.append(percent("of a caller who speaks meanwhile heard", kept, f"{on}, {caller_origin} caller"))
    return [*figures, *_cost(subject, echoed, played)]


def echo(played: Samples, room: Samples) -> Samples:
    """What a microphone hears of a loudspeaker in a room, late and quieter."""
    size = 1 << (len(played) + len(room)).bit_length()
    heard = np.fft.irfft(np.fft.rfft(played, size) * np.fft.rfft(room, size), size)[: len(played)]
    heard *= 10 ** (-LOSS_DB / 20) * np.sqrt(
        np.mean(np.square(played.astype(np.float64))) / np.mean(heard**2)
    )
    late = np.concatenate((np.zeros(round(DELAY_S * SAMPLE_RATE)), heard))[: len(played)]
    return np.clip(np.rint(late), -32768, 32767).astype(np.int16)


def cancel(subject: Subject, heard: Samples, played: Samples) -> Samples:
    """What comes out, as long as what went in."""
    node = subject.build()
    outputs = play(node, of_sound(type(node), heard, 0.1, played)).outputs
    frames = [o.message.samples for o in outputs if isinstance(o.message, AudioFrame)]
    return np.concatenate([*frames, np.zeros(len(heard), np.int16)])[: len(heard)]


def _vad() -> Extension:
    found = graph.single(VAD, {})
    found.prepare()
    return found.nodes[0].build()


def _starts(samples: Samples) -> float:
    vad = _vad()
    outputs = play(vad, of_sound(type(vad), samples, 0.5)).outputs
    return sum(isinstance(o.message, SpeechStarted) for o in outputs) / seconds(samples) * 60


def _heard_of(samples: Samples, caller: Samples) -> float:
    """The share of what a VAD hears of a caller alone that it also hears of this."""
    steps = round(seconds(caller) / STEP_S)
    heard = []
    for sound in (caller, samples):
        vad = _vad()
        told = speech_found(play(vad, of_sound(type(vad), sound, 0.5)), seconds(sound))
        heard.append(mask((one.span for one in told), steps))
    return float((heard[0] & heard[1]).sum() / max(1, heard[0].sum()))


def _at_level(samples: Samples, wanted_db: float) -> Samples:
    is_db = level_db(samples)
    if is_db <= SILENCE_DB:
        return samples
    return to_int16(to_float(samples) * 10 ** ((wanted_db - is_db) / 20))


def _cost(subject: Subject, heard: Samples, played: Samples) -> list[Figure]:
    node = subject.build()
    cues = of_sound(type(node), heard, 0.0, played)
    frames = sum(isinstance(cue.message, AudioFrame) for cue in cues)
    used_s = own_cpu_s(play(node, cues, tail_s=0), node, cues)
    return [Figure("processor time for a frame", 1000 * used_s / frames, "ms", f"{frames} frames")]
