"""What a sound of the caller over the agent's voice means: the second stage of a barge-in.

The first stage is done when this is asked: the agent's voice was turned down at the sound's onset. What is
left to find out, in a few hundred milliseconds, is whether the caller wants the floor.
"""

from dataclasses import dataclass
from typing import Literal

from extensions.turn._said import Said
from extensions.turn._sounds import UNKNOWN, Kinds
from voice_agent.dialogue.floor import Kind, Phrases

Verdict = Literal["wait", "pause", "go_on", "ignore", "yield"]
"""Not known yet, and the same with the agent silent, or again audible; nothing; the floor is the caller's."""
UNSURE = 0.35
"""Words with less confidence are as good as none: a cough often becomes some."""
SURELY_A_VOICE = 0.92
"""Silero's mean probability over a sound: sentences have .93 to .98, laughs and coughs .5 to .91 (synthetic
ones, of `turn-eval`)."""
LIKELY = 0.6
"""Probability from which the kind of a sound is believed before its words are known,"""
SURELY = 0.85
"""and from which it is believed against words: who laughs is answered late, who is not let speak is lost."""


@dataclass(frozen=True)
class Overlap:
    """What is known of the sound by now."""

    voiced_s: float
    """How long it has lasted, or lasted."""
    unknown_s: float
    """How much of its end no word is known of yet."""
    words: str
    final: bool
    """The recogniser has no more to say."""
    confidence: float = 1.0
    """Of final words."""
    voice_confidence: float = 1.0
    """How sure the VAD is that it was a voice, once it has ended."""
    silent: bool = False
    """It has ceased, if not for long."""
    known: bool = False
    """The same, and the words hold all of it."""
    below_db: float = 0.0
    """How much quieter it is than this caller's voice usually is."""
    asked: bool = False
    """The agent has just asked something, so that "yes" is an answer."""
    kinds: Kinds = UNKNOWN
    """What it sounds like."""
    aside: float = 0.0
    """Probability of the words so far that they are meant for somebody else."""

    @classmethod
    def of(
        cls, said: Said, now_s: float, below_db: float, asked: bool, kinds: Kinds, aside: float
    ) -> "Overlap":
        """Of what the caller has said by a moment."""
        return cls(
            voiced_s=said.voiced_until(now_s),
            unknown_s=said.unknown_until(now_s),
            words=said.words,
            final=said.is_complete,
            confidence=said.confidence,
            voice_confidence=said.voice_confidence,
            silent=said.silent_since_s is not None,
            known=said.is_up_to_date,
            below_db=below_db,
            asked=asked,
            kinds=kinds,
            aside=aside,
        )


@dataclass(frozen=True)
class OverlapJudge:
    """Durations in seconds of voice since the onset as the VAD tells it, some 0.06 s before what is heard."""

    phrases: Phrases
    pause_s: float = 0.4
    """A sound without known words that lasts so long makes the agent silent; most signs of listening are
    over by then."""
    floor_s: float = 0.28
    """The same of one that sounds like "no" or "wait","""
    listening_s: float = 0.72
    """of one that sounds like "okay","""
    wordless_s: float = 1.6
    """and of a hum, a laugh or a cough, as long as it sounds so."""
    words_s: float = 0.55
    """Words of a sound so short are believed only when they are final, or plainly want the floor."""
    short_s: float = 0.75
    """A sound that ceases earlier may well have been a sign of listening, whatever has been understood; one
    that sounds like other words is that only for `words_s`."""
    far_db: float = 9.0
    """A sound so much quieter than the caller is somebody else's: it must plainly want the floor."""
    aside: float = 0.9
    """Probability from which words are not meant for the agent."""
    maybe_aside: float = 0.5
    """From here on the agent, turned down, hears the end of a sentence before it falls silent."""
    backchannel_s: float = 1.6
    """Signs of listening that go on for so long are the beginning of a turn."""

    def judge(self, heard: Overlap) -> Verdict:
        """What to do now."""
        kind = self._kind(heard)
        if heard.below_db >= self.far_db:
            return self._of_somebody_else(heard, kind)
        if kind == "stop" or (kind and heard.asked and heard.final):
            return "yield"
        if kind == "backchannel":
            if heard.final or heard.known:
                return "ignore"
            goes_on = heard.unknown_s >= self._patience_s(heard) or heard.voiced_s >= self.backchannel_s
            return "pause" if goes_on else "wait"
        if kind == "words" and heard.aside >= self.maybe_aside:
            return self._of_an_aside(heard)
        if kind == "words" and (heard.final or heard.voiced_s >= self.words_s):
            return "yield"
        if heard.final:
            return "yield" if self._was_misheard(heard) else "ignore"
        if heard.silent and heard.voiced_s < self._short_s(heard.kinds):
            # A gap is heard more than a dip, and most sounds so short are signs of listening.
            return "go_on"
        return "pause" if heard.voiced_s >= self._patience_s(heard) else "wait"

    def is_wordless(self, voiced_s: float, kinds: Kinds) -> bool:
        """Whether a sound is a hum, a laugh or a cough, whatever a recogniser makes of it."""
        return voiced_s < self.wordless_s and kinds.hum + kinds.tic >= SURELY

    def _kind(self, heard: Overlap) -> Kind:
        """Of the words, as far as they are believed."""
        if heard.final:
            return self.phrases.kind(heard.words) if heard.confidence >= UNSURE else ""
        kind = self.phrases.kind(heard.words, final=False)
        kinds = heard.kinds
        may_be_nothing = heard.voiced_s < self.short_s and kinds.hum + kinds.tic + kinds.listening >= LIKELY
        may_be_nothing |= self.is_wordless(heard.voiced_s, kinds)
        ceased = heard.silent and heard.voiced_s < self._short_s(kinds) and kind == "words"
        return "" if kind != "backchannel" and (may_be_nothing or ceased) else kind

    def _was_misheard(self, heard: Overlap) -> bool:
        """Whether words that the recogniser is not sure of were some that want the floor."""
        if not heard.words or self.is_wordless(heard.voiced_s, heard.kinds):
            return False
        if heard.kinds.floor >= LIKELY:
            return True
        return heard.voiced_s >= self._short_s(heard.kinds) and heard.voice_confidence >= SURELY_A_VOICE

    def _short_s(self, kinds: Kinds) -> float:
        return self.words_s if kinds.floor + kinds.words >= LIKELY else self.short_s

    def _patience_s(self, heard: Overlap) -> float:
        """How long such a sound may last until the agent falls silent."""
        if self.is_wordless(heard.voiced_s, heard.kinds):
            return self.wordless_s
        if heard.kinds.listening >= LIKELY:
            return self.listening_s
        return self.floor_s if heard.kinds.floor >= LIKELY else self.pause_s

    def _of_an_aside(self, heard: Overlap) -> Verdict:
        if not (heard.final or heard.known):
            return "wait"
        if heard.aside >= self.aside:
            return "ignore"
        return "yield" if heard.final or heard.voiced_s >= self.words_s else "wait"

    def _of_somebody_else(self, heard: Overlap, kind: Kind) -> Verdict:
        if kind == "stop" and heard.final:
            return "yield"
        return "ignore" if heard.final or heard.voiced_s >= self.pause_s else "wait"
