"""What a sound of the caller over the agent's voice means: the second stage of a barge-in.

The first stage is done when this is asked: the agent's voice was turned down at the sound's onset. What is
left to find out, in a few hundred milliseconds, is whether the caller wants the floor.
"""

from dataclasses import dataclass
from typing import Literal

from voice_agent.dialogue.floor import Phrases

Verdict = Literal["wait", "pause", "go_on", "ignore", "yield"]
"""Not known yet, and the same with the agent silent, or again audible; nothing; the floor is the caller's."""
UNSURE = 0.35
"""Words with less confidence are as good as none: a cough often becomes some."""
SURELY_A_VOICE = 0.92
"""Silero's mean probability over a sound: sentences have .93 to .98, laughs and coughs .5 to .91 (synthetic
ones, of `turn-eval`)."""


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
    aside: float = 0.0
    """Probability of the words so far that they are meant for somebody else."""


@dataclass(frozen=True)
class OverlapJudge:
    """Durations in seconds of voice since the onset."""

    phrases: Phrases
    pause_s: float = 0.4
    """A sound without known words that lasts so long makes the agent silent; most signs of listening are
    over by then."""
    words_s: float = 0.55
    """Words of a sound so short are believed only when they are final, or plainly want the floor."""
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
        sure = not heard.final or heard.confidence >= UNSURE
        kind = self.phrases.kind(heard.words, heard.final) if sure else ""
        if heard.below_db >= self.far_db:
            return self._of_somebody_else(heard, kind)
        if kind == "stop" or (kind and heard.asked and heard.final):
            return "yield"
        if kind == "backchannel":
            if heard.final or heard.known:
                return "ignore"
            goes_on = heard.unknown_s >= self.pause_s or heard.voiced_s >= self.backchannel_s
            return "pause" if goes_on else "wait"
        if kind == "words" and heard.aside >= min(self.maybe_aside, self.aside):
            return self._of_an_aside(heard)
        if kind == "words" and (heard.final or heard.voiced_s >= self.words_s):
            return "yield"
        if heard.final:
            misheard = heard.words and heard.voiced_s >= self.words_s
            return "yield" if misheard and heard.voice_confidence >= SURELY_A_VOICE else "ignore"
        if heard.silent and heard.voiced_s < self.words_s:
            return "go_on"  # most sounds so short are signs of listening, and a gap is heard more than a dip
        return "pause" if heard.voiced_s >= self.pause_s else "wait"

    def _of_an_aside(self, heard: Overlap) -> Verdict:
        if not (heard.final or heard.known):
            return "wait"
        if heard.aside >= self.aside:
            return "ignore"
        return "yield" if heard.final or heard.voiced_s >= self.words_s else "wait"

    def _of_somebody_else(self, heard: Overlap, kind: str) -> Verdict:
        if kind == "stop" and heard.final:
            return "yield"
        return "ignore" if heard.final or heard.voiced_s >= self.pause_s else "wait"
