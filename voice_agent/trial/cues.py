"""What a node is handed, from a recording or from lines of text: whichever of them its `inputs` take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from voice_agent import spoken
from voice_agent.audio import FRAME, FRAME_S
from voice_agent.errors import InputError
from voice_agent.extension import Extension
from voice_agent.message import (
    AudioFrame,
    Clause,
    Message,
    Prompt,
    Samples,
    Speech,
    SpeechEnded,
    SpeechStarted,
    Text,
    Transcript,
    TurnEnded,
    Typed,
)
from voice_agent.testing import frames_of, silence

TEXTS: Mapping[str, type[Message]] = {
    "transcript": Transcript,
    "turn": TurnEnded,
    "prompt": Prompt,
    "text": Text,
    "clause": Clause,
    "typed": Typed,
}
"""What a line of text can be handed over as; the first that a node takes is chosen."""
LEAD_S = 0.5
"""Silence before a line that is heard."""
BETWEEN_LINES_S = 1.0
"""Between lines that no reply is awaited for."""
AS_REPLIES = (TurnEnded, Prompt, Text, Clause)
"""Each line of these opens a turn of its own."""


@dataclass(frozen=True)
class Cue:
    """A message, and when it is handed over."""

    message: Message
    at_s: float | None = None
    """Audio time; None for as soon as the answer to the message before is complete."""
    opens_turn: bool = False


def takes(node: type[Extension] | Extension, message: type[Message]) -> bool:
    """Whether a node's `inputs` name a class of messages."""
    return issubclass(message, tuple(node.inputs))


def played_message(node: type[Extension] | Extension) -> type[Message] | None:
    """The class by which a node is told what the caller's loudspeaker plays: frames beside those of the
    caller's voice, made of `samples` and `time_s`. None for a node that does not ask for it.
    """
    frames = (AudioFrame, Speech)
    return next((one for one in node.inputs if one.kind == "audio_frame" and one not in frames), None)


def of_sound(
    node: type[Extension], samples: Samples, tail_s: float, played: Samples | None = None
) -> list[Cue]:
    """A recording and silence after it, each frame when its last sample has been heard, and with `played`
    what the caller's loudspeaker has been given meanwhile, before the frame that it may echo in.

    Raises InputError when the node does not take sound.
    """
    if not takes(node, AudioFrame):
        raise InputError(f"the node takes no sound of the caller; {_what(node)}")
    heard = _frames(samples, tail_s)
    if played is None:
        return heard
    message = played_message(node)
    if message is None:
        raise InputError(f"the node takes nothing that was played; {_what(node)}")
    ending = silence(len(heard) * FRAME_S)
    make: Callable[..., Message] = message
    told = [
        Cue(make(frame.samples, frame.time_s), frame.time_s + FRAME_S)
        for frame in frames_of(np.concatenate((played, ending))[: len(heard) * FRAME])
    ]
    return [cue for pair in zip(told, heard, strict=True) for cue in pair]


def _frames(samples: Samples, tail_s: float, start_s: float = 0.0) -> list[Cue]:
    whole = [*frames_of(samples, start_s)]
    whole += frames_of(silence(tail_s), start_s + len(whole) * FRAME_S)
    return [Cue(frame, frame.time_s + FRAME_S) for frame in whole]


def of_lines(
    node: type[Extension], lines: Sequence[str], language: str, tail_s: float, kind: str = ""
) -> list[Cue]:
    """A message for each line, of the kind named in TEXTS, or else the first that the node takes.

    Raises InputError when the node takes no text, or not this one.
    """
    fitting = [name for name, message in TEXTS.items() if takes(node, message)]
    if not fitting:
        raise InputError(f"the node takes no text; {_what(node)}")
    if kind and kind not in fitting:
        raise InputError(f"the node takes no {TEXTS[kind].__name__}; its text can be: {', '.join(fitting)}")
    message = TEXTS[kind or fitting[0]]
    if message is Transcript:
        return list(_heard(node, lines, language, tail_s))
    made = [_MAKE[message](line, language) for line in lines]
    if message in AS_REPLIES:
        return [Cue(one, opens_turn=True) for one in made]
    return [Cue(one, index * BETWEEN_LINES_S) for index, one in enumerate(made)]


_MAKE: Mapping[type[Message], Callable[[str, str], Message]] = {
    TurnEnded: lambda text, language: TurnEnded(text, language),
    Prompt: lambda text, language: Prompt(text, language),
    Text: lambda text, language: Text(text, language, final=True),
    Clause: lambda text, language: Clause(text, language, final=True),
    Typed: lambda text, language: Typed(text),
}


def _heard(node: type[Extension], lines: Sequence[str], language: str, tail_s: float) -> Iterator[Cue]:
    """Lines as a VAD and a recogniser tell of them: each spoken at a usual rate, then `tail_s` of silence.

    The sound itself is digital silence: for nodes that count its time, not for those that listen to it.
    """
    at_s = 0.0
    for line in lines:
        words = spoken.spread_words(line)
        start_s = at_s + LEAD_S
        end_s = start_s + (round(words[-1].end_s / FRAME_S) * FRAME_S if words else 0.0)
        events = [
            Cue(SpeechStarted(start_s), start_s),
            Cue(SpeechEnded(end_s), end_s),
            Cue(Transcript(line, True, language, end_s=end_s), end_s),
        ]
        frames = _frames(silence(end_s - at_s), tail_s, at_s)
        told = [cue for cue in [*frames, *events] if takes(node, type(cue.message))]
        yield from sorted(told, key=lambda cue: cue.at_s or 0.0)
        at_s += len(frames) * FRAME_S


def _what(node: type[Extension]) -> str:
    return f"it takes {', '.join(message.__name__ for message in node.inputs) or 'nothing'}"
