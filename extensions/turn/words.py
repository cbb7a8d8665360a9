"""Tells of each transcript whether its words are finished; to watch a call with, or to try lines on."""

from collections.abc import Mapping
from dataclasses import dataclass

from extensions.turn import _words
from voice_agent.extension import Emit, Extension
from voice_agent.message import Message, Transcript


@dataclass(frozen=True, slots=True)
class Judged(Message):
    """What the words of a transcript tell of the turn."""

    text: str
    label: _words.Label
    probability: float
    """That the label is right; 0..1."""


@dataclass
class Words(Extension):
    """Judges interim and final transcripts by their words alone; it ends no turn."""

    inputs = (Transcript,)
    outputs = {"judged": Judged}
    languages = ("en", "zh")

    def prepare(self) -> None:
        """Load the weights."""
        _words.prepare()

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Transcript)
        finish = _words.classify(message.text, message.language)
        await emit("judged", Judged(message.text, finish.label, finish.probability))

    def judge_line(self, text: str, language: str) -> Mapping[str, object]:
        """For `voice-agent node turn.words --lines FILE`."""
        return _words.classify(text, language).as_json()
