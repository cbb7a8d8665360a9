"""From what a script says to what is heard: sound, and where in it the caller's voice is.

For a trial of real nodes words are synthetic voices; where the nodes are stand-ins, a burst of noise for each
word is enough, and costs nothing.
"""

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from voice_agent import audio, spoken
from voice_agent.audio import SAMPLE_RATE
from voice_agent.bench.material import VARIABLE
from voice_agent.calls.ear import voiced
from voice_agent.errors import InputError
from voice_agent.message import Samples, Word
from voice_agent.stress.sounds import VOICES
from voice_agent.testing import silence
from voice_agent.turn_eval import sounds, speech
from voice_agent.turn_eval.scenario import FILE, Conversation, Event

DATA = "data:"
"""Before the path of a recording in the folder VOICE_AGENT_DATA."""
TALKERS = {
    "en": (
        "and the weather for the weekend looks dry with some sunny spells in the north",
        "the second half began well for the visitors who scored after only four minutes",
        "she said that the whole house would have to be painted again before the summer",
    ),
    "zh": (
        "今天晚上北方有小到中雨气温下降",
        "下半场开始以后客队很快就进了一个球",
        "专家表示今年的收成比去年好得多",
    ),
}  # fmt: skip
"""What a television says, and several people at once."""
TALKER_VOICES = {"en": ("en+m7", "en+f4", "en-us+m3"), "zh": ("cmn+m7", "cmn+f4", "cmn+m3")}


@dataclass(frozen=True)
class Span:
    """From one time to another, in seconds."""

    start_s: float
    end_s: float

    def later(self, by_s: float) -> "Span":
        return Span(self.start_s + by_s, self.end_s + by_s)


@dataclass(frozen=True, eq=False)
class Sounded:
    """An event as sound."""

    samples: Samples
    spans: tuple[Span, ...] = ()
    """Where it is voiced: one for each stretch between the pauses of the script."""
    words: tuple[Word, ...] = ()
    """What a recogniser is to understand of it."""

    @property
    def lasts_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class Material:
    """Where sounds come from."""

    seed: int = 1
    voices: bool = True
    """Synthetic voices; else a burst of noise for each word."""

    @cached_property
    def data(self) -> Path | None:
        """The folder of recordings. Raises InputError when the environment names none."""
        named = os.environ.get(VARIABLE)
        if named and not Path(named).is_dir():
            raise InputError(f"{VARIABLE}: expected a folder, got {named!r}")
        return Path(named) if named else None

    def has_all(self, conversation: Conversation) -> bool:
        """Whether nothing of it needs recordings that are not there."""
        used = [event.sound for event in conversation.events]
        used += [conversation.background.sound] if conversation.background else []
        return self.data is not None or not any(name.startswith(DATA) for name in used)

    def prepare(self, conversations: Sequence[Conversation]) -> None:
        """Have every voice ready. Raises InputError."""
        if self.voices:
            speech.prepare(line for one in conversations for line in self._lines(one))

    def events(self, conversation: Conversation) -> list[Sounded]:
        """Its events as sounds. Raises InputError."""
        return [self._event(conversation, place, event) for place, event in enumerate(conversation.events)]

    def background(self, conversation: Conversation) -> Samples:
        """What sounds behind the call, to be repeated; empty for nothing."""
        behind = conversation.background
        if behind is None:
            return silence(0)
        number = self._number(conversation, 1000)
        return sounds.levelled(self._raw(behind.sound, conversation, number, 12.0), behind.level_db)

    # --- inside ---

    def _number(self, conversation: Conversation, place: int) -> int:
        """A seed of its own for each place of each conversation; a probe sounds like what it was made of."""
        name = conversation.name.partition("-pause")[0]
        return zlib.crc32(f"{self.seed}/{name}/{place}".encode())

    def _voice(self, conversation: Conversation, event: Event) -> str:
        voices = conversation.voices or VOICES[conversation.language]
        return event.voice or voices[self._number(conversation, 0) % len(voices)]

    def _line(self, conversation: Conversation, event: Event, text: str) -> speech.Line:
        voice = self._voice(conversation, event)
        return speech.Line(text, conversation.language, voice, conversation.rate_wpm)

    def _lines(self, conversation: Conversation) -> Iterator[speech.Line]:
        """Every sentence that somebody says in it."""
        for event in conversation.events:
            yield from (self._line(conversation, event, text) for text in event.texts)
        used = [event.sound for event in conversation.events]
        used += [conversation.background.sound] if conversation.background else []
        if {"television", "babble"} & set(used):
            yield from self._talkers(conversation.language)

    @staticmethod
    def _talkers(language: str) -> list[speech.Line]:
        pairs = zip(TALKERS[language], TALKER_VOICES[language], strict=True)
        return [speech.Line(text, language, voice, 165) for text, voice in pairs]

    def _event(self, conversation: Conversation, place: int, event: Event) -> Sounded:
        if event.label == "silence":
            return Sounded(silence(event.lasts_ms / 1000))
        number = self._number(conversation, place)
        if event.say:
            pieces = [self._said(conversation, event, text, number) for text in event.texts]
        else:
            pieces = [self._sound(conversation, event, number)]
        samples, spans, words = silence(0), [], []
        for piece, pause_s in zip(pieces, (*event.pauses_s, 0.0), strict=True):
            at_s = len(samples) / SAMPLE_RATE
            spans += [span.later(at_s) for span in piece.spans]
            words += [Word(word.text, word.start_s + at_s, word.end_s + at_s) for word in piece.words]
            # A pause lasts as long as the script says from voice to voice: the edges of sounds do not count.
            end = round((piece.spans[-1].end_s if piece.spans else piece.lasts_s) * SAMPLE_RATE)
            kept = piece.samples[:end] if pause_s else piece.samples
            samples = np.concatenate((samples, kept, silence(pause_s)))
        return Sounded(samples, tuple(spans), tuple(words))

    def _said(self, conversation: Conversation, event: Event, text: str, number: int) -> Sounded:
        if self.voices:
            found = speech.spoken(self._line(conversation, event, text))
            raw, words = audio.to_float(found.samples).astype(np.float64), found.words
        else:
            words = spoken.spread_words(text)
            raw = _bursts(words, number)
        return self._placed(raw, words, event)

    def _sound(self, conversation: Conversation, event: Event, number: int) -> Sounded:
        raw = self._raw(event.sound, conversation, number, max(0.5, event.lasts_ms / 1000))
        if event.lasts_ms:
            raw = np.resize(raw, round(event.lasts_ms / 1000 * SAMPLE_RATE))
        words = spoken.spread_words(event.heard, len(raw) / SAMPLE_RATE) if event.heard else ()
        return self._placed(raw, words, event)

    @staticmethod
    def _placed(raw: sounds.Floats, words: Sequence[Word], event: Event) -> Sounded:
        """At its level and its distance, from its first voiced sample on."""
        clean = sounds.levelled(raw, event.level_db)
        heard = sounds.in_room(raw, sounds.room_response(1)) if event.room else raw
        span = voiced(clean)
        if span is None:
            return Sounded(clean)
        first = span.first
        end_s = (span.last + 1 - first) / SAMPLE_RATE
        moved = tuple(
            Word(w.text, max(0.0, w.start_s - first / SAMPLE_RATE), max(0.0, w.end_s - first / SAMPLE_RATE))
            for w in words
        )
        samples = sounds.levelled(heard, event.level_db) if event.room else clean
        return Sounded(samples[first:], (Span(0.0, end_s),), moved)

    def _raw(self, name: str, conversation: Conversation, number: int, seconds: float) -> sounds.Floats:
        if name.startswith((FILE, DATA)):
            return audio.to_float(audio.read(self._recording(name))).astype(np.float64)
        if name == "pink":
            return sounds.pink(np.random.default_rng(number), max(seconds, 1.0))
        if name not in ("television", "babble"):
            return sounds.make(name, number)
        if self.voices:
            lines = [
                audio.to_float(speech.spoken(line).samples) for line in self._talkers(conversation.language)
            ]
        else:
            texts = TALKERS[conversation.language]
            lines = [
                _bursts(spoken.spread_words(text), number + at).astype(np.float32)
                for at, text in enumerate(texts)
            ]
        if name == "television":
            return np.concatenate(lines).astype(np.float64)
        length = max(map(len, lines))
        together: sounds.Floats = np.stack([np.resize(line, length) for line in lines]).sum(
            axis=0, dtype=float
        )
        return together

    def _recording(self, name: str) -> Path:
        if name.startswith(FILE):
            return Path(name.removeprefix(FILE))
        if self.data is None:
            raise InputError(f"sound '{name}': expected the folder of recordings in {VARIABLE}")
        return self.data / name.removeprefix(DATA)


def _bursts(words: Sequence[Word], number: int) -> sounds.Floats:
    """Noise for each word, a short gap after it."""
    total = np.zeros(round((words[-1].end_s if words else 0.0) * SAMPLE_RATE) + 1)
    random = np.random.default_rng(number)
    for word in words:
        first, last = round(word.start_s * SAMPLE_RATE), round((word.end_s - 0.02) * SAMPLE_RATE)
        total[first:last] = random.uniform(-1, 1, max(0, last - first))
    return total
