"""Have a Piper voice tell how long each phoneme lasts.

Its model computes that and keeps it to itself, in the tensor that rounds lengths up to whole frames. A model
file is a protobuf message, and two messages one after the other are one with the fields of both: a few bytes
added at the end make that tensor an output. (piper-tts does so too, with the package onnx, if installed.)
Field numbers are those of onnx.proto3: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
"""

from collections.abc import Iterator, Sequence

from voice_agent import spoken
from voice_agent.speakable import Spoken

GRAPH, NODE, OUTPUTS = 7, 1, 12
NODE_OUTPUT, OP_TYPE = 2, 4
PUNCTUATION = frozenset(".,!?;:，。！？；：")
BEGIN, END, SPACE = "^", "$", " "


def with_durations(model: bytes) -> bytes:
    """The model with one more output, if it has just one tensor of that kind; else as it is."""
    graphs = [value for number, value in _fields(memoryview(model)) if number == GRAPH]
    names = {name for graph in graphs for name in _rounded_up(graph)}
    if len(names) != 1:
        return model
    described = _field(1, names.pop())  # ValueInfoProto.name
    return model + _field(GRAPH, _field(OUTPUTS, described))


def _rounded_up(graph: memoryview) -> Iterator[bytes]:
    for number, node in _fields(graph):
        if number == NODE:
            parts = [(part, bytes(value)) for part, value in _fields(node) if part in (NODE_OUTPUT, OP_TYPE)]
            if (OP_TYPE, b"Ceil") in parts:
                yield from (value for part, value in parts if part == NODE_OUTPUT)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message that have a length. Raises ValueError when it is none."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 2:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("not an ONNX model: it ends too early")
            yield key >> 3, message[at : at + length]
            at += length
        elif kind == 0:
            _, at = _varint(message, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError("not an ONNX model")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    number = shift = 0
    while at < len(message):
        number |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 0x80:
            return number, at
    raise ValueError("not an ONNX model: it ends too early")


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _length(len(value)) + value


def _length(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + _length(number >> 7) if number > 0x7F else bytes([number])


def word_starts(said: Spoken, phonemes: Sequence[tuple[str, float]]) -> list[tuple[int, float]]:
    """Where written words begin and when, of a text and the phonemes with the second at which each begins.

    Phonemes are grouped as the text is, by spaces and punctuation. Where there are as many groups between two
    marks as words, each word has its own; else ("of the" is one group) only the first is sure.
    """
    spoken_phrases, heard_phrases = _phrases(said), _groups(phonemes)
    if len(spoken_phrases) != len(heard_phrases):
        spoken_phrases, heard_phrases = spoken_phrases[:1], heard_phrases[:1]
    known = []
    for places, starts in zip(spoken_phrases, heard_phrases, strict=False):
        sure = len(places) if len(places) == len(starts) else 1
        known += list(zip(places[:sure], starts[:sure], strict=True))
    return known


def _phrases(said: Spoken) -> list[list[int]]:
    """For each stretch between marks the written places of its words."""
    phrases: list[list[int]] = [[]]
    for start, end in spoken.word_spans(said.text):
        phrases[-1].append(said.origin[start])
        if PUNCTUATION & set(said.text[end - 1 : end + 1]):
            phrases.append([])
    return [phrase for phrase in phrases if phrase]


def _groups(phonemes: Sequence[tuple[str, float]]) -> list[list[float]]:
    """For each stretch between marks the starts of its groups."""
    phrases: list[list[float]] = [[]]
    between = True
    for phoneme, start_s in phonemes:
        if phoneme in PUNCTUATION:
            phrases.append([])
            between = True
        elif phoneme == SPACE:
            between = True
        elif between and phoneme not in (BEGIN, END):
            phrases[-1].append(start_s)
            between = False
    return [phrase for phrase in phrases if phrase]
