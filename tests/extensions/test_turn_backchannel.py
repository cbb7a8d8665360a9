"""The agent's "mm-hm": when it is due, that nothing else takes notice of it, and its way to the ear."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from extensions.tts.espeak import EspeakTts
from extensions.turn._actions import Action, Backchannel
from extensions.turn._backchannel import PAUSE_S, ROOM_S, Backchannels
from extensions.turn._machine import State
from extensions.turn.semantic import SemanticTurn
from tests.extensions.test_turn_conversations import LENGTH_S, Conversation
from tests.extensions.test_turn_machine import LEAST_S, MOST_S, Talk
from voice_agent import resources
from voice_agent.audio import FRAME_S, level_db
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import GraphError
from voice_agent.extension import Emit, Extension
from voice_agent.media.playout import Playout
from voice_agent.message import (
    AudioFrame,
    Clause,
    Heard,
    Message,
    Playback,
    Samples,
    Speech,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    TurnEnded,
)
from voice_agent.session import Session
from voice_agent.testing import Wiring, run, silence

STORY = "well it came on monday and"


def a_talk(after_s: float = 3.0, every_s: float = 8.0, **limits: float) -> Talk:
    talk = Talk(**limits)
    talk.machine.backchannels = Backchannels(after_s, every_s)
    return talk


# --- when it is due ---


def test_in_a_pause_of_a_long_story() -> None:
    talk = a_talk()
    talk.say(STORY, seconds=4)
    talk.wait(PAUSE_S - 0.04)
    assert talk.of(Backchannel) == []
    talk.wait(0.1)
    assert talk.of(Backchannel) == [Backchannel("en")]
    assert talk.state() == State.MAYBE_ENDED, "the floor is still the caller's"
    talk.wait(MOST_S - PAUSE_S)
    assert talk.ends == [STORY] and len(talk.of(Backchannel)) == 1, "and the turn ends when it would have"


def test_never_unless_a_vertical_wants_it() -> None:
    talk = Talk()
    talk.say(STORY, seconds=30)
    talk.wait(1.0)
    assert talk.of(Backchannel) == []


def test_not_before_the_caller_has_spoken_for_long() -> None:
    talk = a_talk()
    talk.say("my name is and", seconds=1.4)
    talk.wait(0.8)
    talk.say(STORY, seconds=1.4)
    talk.wait(0.8)
    assert talk.of(Backchannel) == [], "his pauses do not count"
    talk.say(STORY, seconds=1.4)
    talk.wait(0.8)
    assert len(talk.of(Backchannel)) == 1


def test_not_too_often() -> None:
    talk = a_talk(after_s=2.0, every_s=6.0)
    for _ in range(8):  # 17 s
        talk.say(STORY, seconds=1.5)
        talk.wait(0.6)
    assert len(talk.of(Backchannel)) == 3


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("where is my order", "he is done, and is answered"),
        ("hold on a second", "he asks to wait"),
        ("", "nothing was understood"),
    ],
)
def test_not_where_it_is_no_thinking_pause(text: str, why: str) -> None:
    talk = a_talk()
    talk.say(text, seconds=4)
    talk.wait(MOST_S)
    assert talk.of(Backchannel) == [], why


def test_not_before_the_words_are_known() -> None:
    talk = a_talk()
    talk.onset()
    talk.wait(4)
    talk.offset()
    talk.wait(0.6)
    assert talk.of(Backchannel) == []
    talk.understood(STORY, final=True)
    talk.wait(0.04)
    assert len(talk.of(Backchannel)) == 1


def test_not_so_late_that_it_could_meet_the_answer() -> None:
    talk = a_talk()
    talk.onset()
    talk.wait(4)
    talk.offset()
    talk.wait(MOST_S - ROOM_S + 0.06)
    talk.understood(STORY, final=True)
    talk.wait(MOST_S)
    assert talk.ends == [STORY] and talk.of(Backchannel) == []


def test_not_on_hold_and_it_ends_none() -> None:
    talk = a_talk()
    talk.say("hold on", seconds=1)
    talk.wait(LEAST_S + 0.1)
    talk.heard("Sure.")
    talk.heard("Sure.", final=True)
    assert talk.state() == State.ON_HOLD
    talk.say("and then i told her and", seconds=5)
    talk.wait(1.0)
    assert talk.of(Backchannel) == []


def test_who_goes_on_after_it_is_not_told_to_have_been_interrupted() -> None:
    talk = a_talk()
    talk.say(STORY, seconds=4)
    talk.wait(PAUSE_S + 0.06)
    talk.done.clear()
    talk.say("it was broken", seconds=1)
    talk.wait(LEAST_S + 0.1)
    assert talk.modes == [] and talk.ends == [f"{STORY} it was broken"]
    assert talk.machine.patience.pace == 1.0


# --- a conversation with it is the same without ---


class Storytelling(Conversation):
    """Its caller is waited for longer than usual, so that there is room."""

    def __init__(self, seed: int, backchannels: Backchannels) -> None:
        super().__init__(seed)
        self.machine.patience.most_s = 5.0
        self.machine.backchannels = backchannels
        self.told_s: list[float] = []
        self.deeds: list[tuple[float, Action]] = []

    def do(self, action: Action) -> None:
        if not isinstance(action, Backchannel):
            self.deeds.append((self.now_s, action))
            super().do(action)
            return
        self.told_s.append(self.now_s)
        assert self.machine.state == State.MAYBE_ENDED and not self.machine.on_hold
        assert self.playout.playing is None and not self.tentative and self.making is None

    def through(self) -> "Storytelling":
        while self.now_s < LENGTH_S:
            self.tick()
        return self


def test_two_hundred_conversations_take_no_notice_of_it() -> None:
    count = 0
    for seed in range(200):
        silent = Storytelling(seed, Backchannels()).through()
        polite = Storytelling(seed, Backchannels(after_s=0.5, every_s=2.0)).through()
        assert polite.deeds == silent.deeds, f"conversation {seed}"
        assert polite.order_heard == silent.order_heard
        assert not silent.told_s
        if not polite.lossy:  # in lost sound its clock stands still
            assert min(np.diff(polite.told_s), default=2.0) > 2.0 - 1.5 * FRAME_S
        count += len(polite.told_s)
    assert count > 30, "too few to tell anything"


# --- its way to the ear ---


@pytest.fixture
def vertical(tmp_path: Path) -> str:
    folder = tmp_path / "stories"
    shutil.copytree(resources.folder("verticals") / "customer_service", folder)
    content = json.loads((folder / "vertical.json").read_text("utf-8"))
    content["manners"] = {"backchannel_after_s": 3, "backchannel_every_s": 5}
    (folder / "vertical.json").write_text(json.dumps(content), "utf-8")
    return str(folder)


@dataclass
class Storyteller(Extension):
    """Speaks for 4 s, pauses in the midst of a sentence, and listens."""

    words: str
    language: str
    ear: list[Samples] = field(default_factory=list)
    told: list[Message] = field(default_factory=list)

    inputs = (Message,)
    outputs = {
        "pcm_frame": AudioFrame, "speech_started": SpeechStarted, "speech_ended": SpeechEnded,
        "asr_result": Transcript, "heard": Heard,
    }  # fmt: skip

    async def run(self, emit: Emit) -> None:
        self.playout = Playout()
        for port, message in self._script():
            await emit(port, message)
            if isinstance(message, AudioFrame):
                await asyncio.sleep(FRAME_S)
                self.ear.append(self.playout.pull())
                self.told += self.playout.progress()
        self.session.close("over")

    def _script(self) -> Iterator[tuple[str, Message]]:
        said = Transcript(self.words, True, self.language, 0.9, end_s=4.0)
        events = {0.0: ("speech_started", SpeechStarted(0.0)), 4.0: ("speech_ended", SpeechEnded(4.0))}
        for number in range(round(5.5 / FRAME_S)):
            time_s = round(number * FRAME_S, 2)
            if time_s in events:
                yield events[time_s]
            if time_s == 4.1:
                yield "asr_result", said
            yield "pcm_frame", AudioFrame(silence(FRAME_S), time_s=time_s)

    async def handle(self, message: Message, emit: Emit) -> None:
        self.told.append(message)
        if isinstance(message, Speech) and message.turn is None:
            self.playout.aside(message.samples)


@pytest.mark.parametrize(
    ("words", "language", "phrase"),
    [("i bought it last week and then i", "en", "Uh-huh."), ("我上个星期买的然后我就", "zh", "嗯。")],
)
def test_it_is_spoken_softly_in_the_voice_of_the_agent(
    vertical: str, words: str, language: str, phrase: str
) -> None:
    caller = Storyteller(words, language)
    ports = ("pcm_frame", "speech_started", "speech_ended", "asr_result", "heard")
    lines = [("caller", port, "turn") for port in ports]
    lines += [
        ("turn", "backchannel", "tts"),
        ("turn", "backchannel", "caller"),
        ("tts", "pcm_frame", "caller"),
    ]
    lines += [("turn", "turn_ended", "caller"), ("turn", "playback", "caller")]

    async def main() -> None:
        nodes: dict[str, Extension] = {
            "caller": caller, "turn": SemanticTurn(vertical=vertical), "tts": EspeakTts(),
        }  # fmt: skip
        session = Session(Wiring(nodes, lines), language=language)
        await session.start()
        await session.run()

    run(main())
    assert [m for m in caller.told if isinstance(m, Clause)] == [Clause(phrase, language, final=True)]
    assert not any(isinstance(message, Heard | Playback | TurnEnded) for message in caller.told)
    loud = [number * FRAME_S for number, frame in enumerate(caller.ear) if np.abs(frame).max() > 50]
    assert 4.0 + PAUSE_S <= loud[0] <= 4.0 + PAUSE_S + 0.1 and loud[-1] < 5.2
    sound = np.concatenate(caller.ear)[round(loud[0] * 16_000) : round((loud[-1] + FRAME_S) * 16_000)]
    assert -29 < level_db(sound) < -24, "6 dB below -20, but for its edges"


def test_a_vertical_may_not_say_it_all_the_time(vertical: str) -> None:
    file = Path(vertical) / "vertical.json"
    content = json.loads(file.read_text("utf-8"))
    content["manners"]["backchannel_every_s"] = 0
    file.write_text(json.dumps(content), "utf-8")
    with pytest.raises(GraphError, match="backchannel_every_s"):
        load_vertical(vertical)
