"""The scripted caller: begins each event when its moment has come, and remembers when that was. Pure.

caller = Caller(conversation, sounds) mouth = caller.speak(now_s)          # every 20 ms: what the microphone
gets from the caller caller.listen(played, words)         # what the loudspeaker plays meanwhile, and how
many words of a reply it was"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voice_agent import audio
from voice_agent.audio import FRAME, FRAME_S, SAMPLE_RATE
from voice_agent.calls.ear import AUDIBLE_DB
from voice_agent.message import Samples, Word
from voice_agent.turn_eval.material import Sounded, Span
from voice_agent.turn_eval.scenario import DIRECTED, UNDIRECTED, Conversation, Event

PATIENCE_S = 6.0
"""The caller waits so long for an answer, then goes on."""
PAUSE_S = 0.3
"""The agent's voice pauses for less between words (`calls/ear.py`)."""
MISSED_S = 12.0
"""An event whose moment has not come by then is left out."""
QUIET_S = 2.5
"""The call ends after so much silence of both; a probe only after PROBE_S."""
PROBE_S = 6.0
LONGEST_S = 90.0


@dataclass(frozen=True)
class Placed:
    """An event that has been heard, on the time axis of the call."""

    place: int
    """Which event of the conversation."""
    event: Event
    start_s: float
    lasts_s: float
    spans: tuple[Span, ...]
    words: tuple[Word, ...]

    @property
    def onset_s(self) -> float:
        """The first voiced sample."""
        return self.spans[0].start_s if self.spans else self.start_s

    @property
    def end_s(self) -> float:
        """Just after the last voiced sample."""
        return self.spans[-1].end_s if self.spans else self.start_s + self.lasts_s


class Caller:
    """One call's caller. Time is audio time from the beginning of the call, in seconds."""

    def __init__(self, conversation: Conversation, sounds: Sequence[Sounded]) -> None:
        self.placed: list[Placed] = []
        self.left_out: list[int] = []
        """Events whose moment never came, such as the fifth word of an answer of four."""
        self._conversation = conversation
        self._sounds = sounds
        self._next = 0
        self._now_s = 0.0
        self._sounding: list[tuple[int, Samples]] = []
        """First sample on the time axis, and what is heard from it on."""
        self._since_s = 0.0
        """End of the event before."""
        self._awaits = True
        """The agent owes an answer, first of all a greeting."""
        self._began_s: float | None = None
        """When the agent began to speak after the event before."""
        self._word_s: dict[int, float] = {}
        """When each number of words was reached, in a reply begun after the event before."""
        self._words = 0
        self._audible_s = -PAUSE_S
        """Just after the agent's latest audible frame."""

    @property
    def over(self) -> bool:
        """The script is done, and both have been silent for long enough."""
        if self._now_s > LONGEST_S:
            return True
        quiet_since_s = max(self._since_s, self._audible_s)
        limit_s = PROBE_S if self._conversation.probe else QUIET_S
        if self._awaits and self._began_s is None:
            limit_s = max(limit_s, PATIENCE_S)
        return self._next == len(self._sounds) and self._now_s - quiet_since_s > limit_s

    def speak(self, now_s: float) -> Samples:
        """The 20 ms from `now_s` on, shape (320,)."""
        self._now_s = now_s
        if self._next < len(self._sounds) and now_s >= self._since_s:
            self._maybe_begin()
        if not self._sounding:
            return np.zeros(FRAME, np.int16)
        frame = np.zeros(FRAME, np.int32)
        first = round(now_s * SAMPLE_RATE)
        for begin, samples in self._sounding:
            piece = samples[max(0, first - begin) : max(0, first - begin + FRAME)]
            offset = max(0, begin - first)
            frame[offset : offset + len(piece)] += piece[: FRAME - offset]
        self._sounding = [
            (begin, samples) for begin, samples in self._sounding if begin + len(samples) > first + FRAME
        ]
        return np.clip(frame, -32768, 32767).astype(np.int16)

    def listen(self, played: Samples, words: int) -> None:
        """What the loudspeaker plays in these 20 ms, and how many words of the reply were heard by now."""
        if audio.level_db(played) > AUDIBLE_DB:
            if self._now_s - self._audible_s >= PAUSE_S and self._now_s >= self._since_s:
                self._began_s = self._began_s if self._began_s is not None else self._now_s
            self._audible_s = self._now_s + FRAME_S
        if words != self._words:
            self._words = words
            if self._began_s is not None:
                self._word_s.setdefault(words, self._now_s)

    def _maybe_begin(self) -> None:
        event = self._conversation.events[self._next]
        due_s = self._due_s(event)
        if due_s is not None and self._now_s >= due_s - 1e-6:
            self._begin(event)
        elif due_s is None and self._now_s - self._since_s > MISSED_S:
            self.left_out.append(self._next)
            self._next += 1

    def _due_s(self, event: Event) -> float | None:
        """When an event begins, as far as that can be told; None as long as it cannot."""
        wait_s = event.ms / 1000
        match event.when:
            case "after_previous":
                return self._since_s + wait_s
            case "agent_begins":
                return None if self._began_s is None else self._began_s + wait_s
            case "agent_word":
                reached = [time_s for words, time_s in self._word_s.items() if words >= event.word]
                return min(reached) + wait_s if reached else None
            case "agent_silent":
                quiet_s = max(self._since_s, self._audible_s)
                if self._awaits and self._began_s is None:
                    return max(quiet_s + wait_s, self._since_s + PATIENCE_S)
                return quiet_s + max(wait_s, PAUSE_S)

    def _begin(self, event: Event) -> None:
        sounded = self._sounds[self._next]
        now_s = self._now_s
        spans = tuple(span.later(now_s) for span in sounded.spans)
        words = tuple(Word(w.text, w.start_s + now_s, w.end_s + now_s) for w in sounded.words)
        placed = Placed(self._next, event, now_s, sounded.lasts_s, spans, words)
        self.placed.append(placed)
        self._sounding.append((round(now_s * SAMPLE_RATE), sounded.samples))
        self._next += 1
        self._since_s = placed.end_s
        self._awaits = event.label in DIRECTED
        if (
            event.label not in UNDIRECTED
        ):  # the answer under way goes on under what is not meant for the agent
            self._began_s, self._word_s = None, {}
