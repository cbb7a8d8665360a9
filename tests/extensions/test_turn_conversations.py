"""A thousand made-up conversations, from the caller's voice to the agent's at the caller's ear.

The caller asks, interrupts, says "mm-hm", coughs, goes on after a pause and asks to wait, at random moments;
the recogniser and the model take their random time; sound is lost. Only the session is left out: what it does
at an interrupt is done here in a few lines.
"""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from extensions.turn._actions import Action, Confirm, End, GiveUp, Play, Speak, TakeFloor
from extensions.turn._machine import Limits, Machine, State
from extensions.turn._overlap import OverlapJudge
from extensions.turn._patience import Patience
from extensions.turn._sounds.watch import Watch
from extensions.turn._words import Finish
from voice_agent.audio import FRAME, FRAME_S, SAMPLE_RATE
from voice_agent.dialogue.floor import common_phrases
from voice_agent.media.playout import DUCKED, Playout
from voice_agent.message import (
    AudioFrame,
    Heard,
    Message,
    Samples,
    Speech,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Transcript,
    Word,
)  # fmt: skip

CALLS = 1000
AT_ONCE = 100
LENGTH_S = 14.0
QUIET_S = 8.0
"""At the end, in which everything has to come to rest."""
WORD_S = 0.24
STEP = 400
"""The amplitude of a word of the agent's tells which one it is."""
SOUND = np.zeros(FRAME, np.int16)
ONSET_S, PAUSE_S, END_S = 0.08, 0.06, 0.12
"""What a VAD takes to know."""
LONGEST_S = ONSET_S + 0.4 + 4 * FRAME_S
"""So long after its onset no interruption is talked over any more."""


def finish(text: str, language: str) -> Finish:
    if "hold on" in text:
        return Finish("wait", {"finished": 0.05, "unfinished": 0.0, "wait": 0.95})
    doubt = (len(text) % 5) / 5
    return Finish("finished", {"finished": 1 - doubt, "unfinished": doubt, "wait": 0.0})


@dataclass
class Utterance:
    """What the caller says, and what it is meant to be."""

    kind: str
    words: str
    start_s: float
    end_s: float


@dataclass
class Reply:
    """What was made of a turn, and what of it reached the ear."""

    turn: int
    words: int
    due_s: float
    """When the next piece of it is made."""
    pushed: int = 0
    frames_of_word: dict[int, int] = field(default_factory=dict)
    heard: Heard | None = None


class Deaf(Watch):
    """The sound here is digital silence, and tells nothing."""

    def begin(self, onset_s: float) -> None: ...


class Conversation:
    """Everything that happens in one call, 20 ms at a time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lossy = seed % 2 == 1
        self.machine = Machine(
            Patience(finish, 0.2, 1.2),
            OverlapJudge(common_phrases()),
            Limits(idle_s=0, remind_s=0),
            watch=Deaf(),
        )
        self.playout = Playout()
        self.now_s = 0.0
        self.turn = 0
        self.tentative = 0
        self.replies: dict[int, Reply] = {}
        self.making: Reply | None = None
        self.events: list[tuple[float, Message]] = []
        """What the VAD and the recogniser will tell, and when."""
        self.utterances: list[Utterance] = []
        self.talked_over_s = 0.0
        """The longest that an interruption has been talked over."""
        self.gap_until_s = 0.0
        self.order_heard: list[int] = []
        """The turns whose replies were heard, each time another one was."""

    # --- the caller ---

    def maybe_speak(self) -> None:
        busy_until_s = self.utterances[-1].end_s if self.utterances else 0.0
        if self.now_s < busy_until_s + 0.15 or self.now_s > LENGTH_S - QUIET_S:
            return
        speaking = self.playout.playing is not None
        if self.random.random() > (0.02 if speaking else 0.015):
            return
        kinds = ["interrupt", "listen", "cough"] if speaking else ["ask", "ask", "cough", "wait"]
        kind = self.random.choice(kinds)
        words = {
            "interrupt": "no the other one", "ask": "where is my order " + "now " * self.random.randrange(5),
            "listen": "mm hm", "cough": "", "wait": "hold on a second",
        }[kind].strip()  # fmt: skip
        seconds = (
            self.random.uniform(0.2, 0.38) if kind in ("cough", "listen") else self.random.uniform(0.7, 2.0)
        )
        self.say(Utterance(kind, words, self.now_s, self.now_s + seconds))
        if kind == "ask" and self.random.random() < 0.4:  # that was not all
            start_s = self.now_s + seconds + self.random.uniform(0.2, 0.9)
            self.say(Utterance(kind, "and the lamp too", start_s, start_s + 1.0))

    def say(self, said: Utterance) -> None:
        self.utterances.append(said)
        end_s, late_s = said.end_s, self.random.uniform(0.02, 0.5)
        self.tell(said.start_s + ONSET_S, SpeechStarted(said.start_s))
        words = said.words.split()
        for count in range(1, len(words)):
            at_s = said.start_s + (end_s - said.start_s) * count / len(words)
            self.tell(at_s + 0.15, Transcript(" ".join(words[:count]), False, end_s=at_s))
        self.tell(end_s + PAUSE_S, SpeechPaused(end_s))
        self.tell(end_s + END_S, SpeechEnded(end_s))
        self.tell(end_s + END_S + late_s, Transcript(said.words, True, "en", 0.9, end_s))

    def tell(self, at_s: float, message: Message) -> None:
        self.events.append((at_s, message))
        self.events.sort(key=lambda event: event[0])

    # --- the agent ---

    def do(self, action: Action) -> None:
        match action:
            case TakeFloor(cut=True) | GiveUp():
                self.playout.cut()
                self.making, self.tentative = None, 0
                self.hear_of(self.playout.progress())
            case Play():
                self.playout.set_mode(action.mode)
            case End() | Speak():
                self.turn += 1
                if isinstance(action, End) and action.tentative:
                    self.tentative = self.turn
                else:
                    self.machine.answering(self.turn)
                assert self.making is None, "two replies at once"
                due_s = self.now_s + self.random.uniform(0.05, 0.6)
                self.making = self.replies[self.turn] = Reply(self.turn, self.random.randrange(1, 14), due_s)
            case Confirm():
                assert self.tentative
                self.machine.answering(self.tentative)
                self.tentative = 0

    def make(self) -> None:
        """A clause of one to five words, when it is due; of a tentative turn nothing is played."""
        reply = self.making
        if reply is None or self.tentative or self.now_s < reply.due_s:
            return
        count = min(self.random.randrange(1, 6), reply.words - reply.pushed)
        numbers = range(reply.pushed, reply.pushed + count)
        samples = np.repeat(
            np.array([STEP * (n + 1) for n in numbers], np.int16), round(WORD_S * SAMPLE_RATE)
        )
        words = tuple(Word(f"w{n}", i * WORD_S, (i + 1) * WORD_S) for i, n in enumerate(numbers))
        reply.pushed += count
        final = reply.pushed == reply.words
        text = " ".join(word.text for word in words)
        self.playout.push(Speech(samples, text, words, final, turn=reply.turn))
        reply.due_s = self.now_s + self.random.uniform(0.05, 0.8)
        if final:
            self.making = None

    # --- the ear ---

    def hear_of(self, told: list[Heard]) -> None:
        for heard in told:
            if heard.final:
                self.replies[heard.reply].heard = heard
            self.run(self.machine.heard(heard))

    def listen(self, frame: Samples) -> None:
        level = int(np.abs(frame).max())
        playing = self.playout.playing
        if playing is not None and level:
            gain = DUCKED if self.playout.mode == "ducked" else 1.0
            word = round(float(frame[FRAME // 2]) / gain / STEP) - 1
            reply = self.replies[playing]
            reply.frames_of_word[word] = reply.frames_of_word.get(word, 0) + 1
            if playing not in self.order_heard[-1:]:
                self.order_heard.append(playing)
        said = self.utterances[-1] if self.utterances else None
        if said and said.kind == "interrupt" and said.start_s <= self.now_s < said.end_s and level:
            self.talked_over_s = max(self.talked_over_s, self.now_s - said.start_s)

    # --- time ---

    def run(self, actions: object) -> None:
        for action in list(actions):  # type: ignore[call-overload]
            self.do(action)

    def tick(self) -> None:
        self.maybe_speak()
        if self.lossy and self.random.random() < 0.004:
            self.gap_until_s = self.now_s + self.random.uniform(0.1, 1.0)
        gap = self.now_s < self.gap_until_s
        while not gap and self.events and self.events[0][0] <= self.now_s:
            self.take(self.events.pop(0)[1])
        self.run(self.machine.hear(AudioFrame(SOUND, self.now_s, gap)))
        self.make()
        self.listen(self.playout.pull())
        self.hear_of(self.playout.progress())
        self.now_s += FRAME_S

    def take(self, message: Message) -> None:
        match message:
            case SpeechStarted():
                self.run(self.machine.onset(message))
            case SpeechPaused():
                self.run(self.machine.pause(message.time_s))
            case SpeechEnded():
                self.run(self.machine.offset(message))
            case Transcript():
                self.run(self.machine.understood(message))


def conversation(seed: int) -> Conversation:
    call = Conversation(seed)
    while call.now_s < LENGTH_S:
        call.tick()
    return call


@pytest.mark.parametrize("first", range(0, CALLS, AT_ONCE))
def test_conversations(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        call = conversation(seed)
        where = f"conversation {seed}"
        rest = State.ON_HOLD if call.machine.on_hold else State.LISTENING
        assert call.machine.state == rest, f"{where}: a state without an exit"
        assert call.playout.mode == "full" and call.playout.playing is None, f"{where}: a voice held back"
        assert not call.tentative, f"{where}: a tentative turn is left"
        for reply in call.replies.values():
            said = len(reply.heard.text.split()) if reply.heard else 0
            ear = sum(frames >= WORD_S / FRAME_S / 2 for frames in reply.frames_of_word.values())
            assert abs(said - ear) <= 1, f"{where}: {said} words in the history, {ear} heard"
        heard = [reply.turn for reply in call.replies.values() if reply.frames_of_word]
        assert call.order_heard == heard, f"{where}: replies overlapped or were stale"
        if not call.lossy:  # in lost sound nobody can know of an interruption
            assert call.talked_over_s <= LONGEST_S, f"{where}: an interruption was talked over"
