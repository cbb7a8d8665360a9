"""How many words a recogniser gets wrong, and how soon its text is there."""

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from voice_agent import graph, spoken
from voice_agent.bench.figures import LANGUAGES, Figure, Run, Subject, delays, own_cpu_s, percent, play
from voice_agent.bench.material import RECORDED, SYNTHETIC, Material, Utterance, sentences
from voice_agent.bench.metrics import ErrorRate, characters, seconds, words
from voice_agent.extension import Extension
from voice_agent.message import AudioFrame, Samples, SpeechEnded, SpeechPaused, SpeechStarted, Transcript
from voice_agent.testing import silence
from voice_agent.trial.cues import Cue, of_sound

VAD = "vad.silero"
LEAD_S = 0.5
TAIL_S = 1.0
MIXED = "of the vertical"


def measure(subject: Subject, material: Material) -> list[Figure]:
    """For each language and origin the errors and the times; the cost over all of them."""
    speaks = type(subject.build()).languages or LANGUAGES
    figures: list[Figure] = []
    used_s = heard_s = 0.0
    for language, origin, utterances in _sets(material, speaks):
        score = ErrorRate()
        unit = characters if language == "zh" else words
        runs = [_recognise(subject, utterance) for utterance in utterances]
        for utterance, (run, cpu_s) in zip(utterances, runs, strict=True):
            score.add(unit(utterance.text), unit(text_of(run)))
            used_s += cpu_s
            heard_s += seconds(utterance.samples) + LEAD_S + TAIL_S
        name = f"{'characters' if language == 'zh' else 'words'} wrong, {language}"
        figures.append(percent(name, score.rate, f"{origin}, {len(utterances)} sentences"))
        figures += _times([run for run, _ in runs], f"{language}, {origin}")
    return [*figures, Figure("real-time factor", used_s / max(heard_s, 1e-9), "x", f"{heard_s:.0f} s")]


def _times(runs: Sequence[Run], on: str) -> list[Figure]:
    finals = [o.took_ms for run in runs for o in run.outputs if _is(o.message, final=True)]
    interims = [[o.audio_s for o in run.outputs if _is(o.message, final=False)] for run in runs]
    firsts = [1000 * (at_s[0] - LEAD_S) for at_s in interims if at_s]
    return [
        *delays("final text, after the end is known", finals, on),
        *delays("first interim text, after the sentence begins", firsts, on),
    ]


def _sets(material: Material, speaks: Sequence[str]) -> list[tuple[str, str, list[Utterance]]]:
    sets = []
    for language in LANGUAGES:
        if language in speaks:
            recorded = [utterance for utterance in material.utterances if utterance.language == language]
            sets += [(language, RECORDED, recorded), (language, f"{SYNTHETIC}, {MIXED}", sentences(language))]
    return [one for one in sets if one[2]]


def _recognise(subject: Subject, utterance: Utterance) -> tuple[Run, float]:
    """What comes of it, heard through a VAD, and the node's own processor time."""
    node = subject.build()
    sound = in_silence(utterance.samples)
    heard = speech_cues(sound)
    run = play(node, heard, language=utterance.language)
    return run, own_cpu_s(run, node, heard)


def in_silence(samples: Samples) -> Samples:
    """With silence before and after it, as in a call."""
    return np.concatenate((silence(LEAD_S), samples, silence(TAIL_S)))


def speech_cues(sound: Samples) -> list[Cue]:
    """Frames, and what the VAD tells of them, each right after the frame at which it does so."""
    vad = _vad()
    frames = of_sound(type(vad), sound, 0.0)
    cues: list[Cue] = []
    told = iter(play(vad, frames).outputs)
    output = next(told, None)
    for cue in frames:
        cues.append(cue)
        assert isinstance(cue.message, AudioFrame) and cue.at_s is not None
        while output and output.audio_s <= cue.at_s + 1e-6:
            if isinstance(output.message, (SpeechStarted, SpeechPaused, SpeechEnded)):
                cues.append(Cue(output.message, cue.at_s))
            output = next(told, None)
    return cues


def _vad() -> Extension:
    found = graph.single(VAD, {})
    found.prepare()
    return found.nodes[0].build()


def _is(message: object, final: bool) -> bool:
    return isinstance(message, Transcript) and message.final == final


def text_of(run: Run) -> str:
    """All that was understood."""
    finals = [o.message.text for o in run.outputs if isinstance(o.message, Transcript) and o.message.final]
    return reduce(spoken.join, finals, "")


def word_errors(
    subject: Subject, utterances: Sequence[Utterance], change: Callable[[Samples], Samples]
) -> float:
    """WER of utterances whose sound is changed before it is recognised."""
    score = ErrorRate()
    for utterance in utterances:
        cues = speech_cues(change(in_silence(utterance.samples)))
        run = play(subject.build(), cues, language=utterance.language)
        score.add(words(utterance.text), words(text_of(run)))
    return score.rate
