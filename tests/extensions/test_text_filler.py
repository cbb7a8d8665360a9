"""text.filler: what is said while a large model takes its time, and when it is not.

Whole replies on the virtual clock: a router's prompt, a model that takes its time, and an ear at the end.
"""

import asyncio
import json
import math
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from extensions.text._opening import Opening
from extensions.text.clause import ClauseCutter
from extensions.text.filler import Filler
from voice_agent import resources
from voice_agent.errors import TurnError
from voice_agent.extension import Emit, Extension
from voice_agent.message import Clause, Failed, Message, Prompt, Text
from voice_agent.session import Session
from voice_agent.testing import Wiring, run

PHRASES = {
    "en": ["Let me look at that.", "One moment, I'm looking.", "Let me see."],
    "zh": ["我看一下。", "稍等，我查一下。", "我来看看。"],
}
FIRST = {language: phrases[0] for language, phrases in PHRASES.items()}
ANSWER = "It was sent on Monday."


@dataclass
class Model(Extension):
    """Gives its answer in pieces; a number is a wait in seconds."""

    pieces: Sequence[str | float]
    fails: bool = False

    inputs = (Prompt,)
    outputs = {"text": Text}

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Prompt)
        for piece in self.pieces:
            if isinstance(piece, str):
                await emit("text", Text(piece, message.language))
            else:
                await asyncio.sleep(piece)
        if self.fails:
            raise TurnError("no token within 8 s")
        await emit("text", Text("", message.language, final=True))


@dataclass
class Desk(Extension):
    """Asks the model, apologises when it fails, and writes down what would be spoken, and when."""

    script: str = "ask"
    language: str = "en"
    heard: list[tuple[float, int, str]] = field(default_factory=list)
    """Time since the first prompt, turn, clause."""
    seed: int = 0
    sure_s: dict[int, float] = field(default_factory=dict)
    """When each turn was sure,"""
    cut_s: dict[int, float] = field(default_factory=dict)
    """and when it was interrupted."""

    inputs = (Clause, Failed)
    outputs = {"large": Prompt, "text": Text}

    async def run(self, emit: Emit) -> None:
        self._began = asyncio.get_running_loop().time()
        await getattr(self, f"_{self.script}")(emit)
        self.session.close("over")

    async def _ask(self, emit: Emit) -> None:
        await self._prompt(emit)
        await asyncio.sleep(20)

    async def _ask_twice(self, emit: Emit) -> None:
        for _ in range(2):
            await self._prompt(emit)
            await asyncio.sleep(10)

    async def _ask_after_a_word(self, emit: Emit) -> None:
        """The router says something before it asks."""
        turn = self.session.begin_turn()
        await emit("text", Text("Thank you.\n", self.language, turn=turn))
        await emit("large", Prompt("what", self.language, turn=turn))
        await asyncio.sleep(20)

    async def _interrupt(self, emit: Emit) -> None:
        await self._prompt(emit)
        await asyncio.sleep(0.6)
        self.session.interrupt()
        await asyncio.sleep(20)

    async def _confirm_late(self, emit: Emit) -> None:
        turn = self.session.begin_turn(tentative=True)
        await emit("large", Prompt("what", self.language, turn=turn))
        await asyncio.sleep(1.5)
        self.session.confirm(turn)
        await asyncio.sleep(20)

    async def _give_up(self, emit: Emit) -> None:
        turn = self.session.begin_turn(tentative=True)
        await emit("large", Prompt("what", self.language, turn=turn))
        await asyncio.sleep(1.5)
        self.session.interrupt()
        await asyncio.sleep(20)

    async def _at_random(self, emit: Emit) -> None:
        """Turns that are sure at once, later or never, and are interrupted sooner or later."""
        chance = random.Random(self.seed)
        for _ in range(8):
            tentative = chance.random() < 0.5
            turn = self.session.begin_turn(tentative)
            self.sure_s[turn] = self._now_s
            await emit("large", Prompt("what", self.language, turn=turn))
            if tentative:
                await asyncio.sleep(chance.uniform(0, 1.5))
                self.sure_s[turn] = self._now_s if chance.random() < 0.8 else math.inf
            if self.sure_s[turn] < math.inf:
                self.session.confirm(turn)
                await asyncio.sleep(chance.choice([0.0, 0.5, 0.9, 1.0, 1.5, 6.0]))
            self.session.interrupt()
            self.cut_s[turn] = self._now_s
            await asyncio.sleep(chance.choice([0.0, 0.3]))

    @property
    def _now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    async def _prompt(self, emit: Emit) -> None:
        turn = self.session.begin_turn()
        await emit("large", Prompt("what", self.language, turn=turn))

    async def handle(self, message: Message, emit: Emit) -> None:
        if isinstance(message, Failed):
            await emit("text", Text("\nSorry.", self.language, final=True))
            return
        assert isinstance(message, Clause) and message.turn is not None
        await self.session.confirmed(message.turn)
        if message.text:
            self.heard.append((round(self._now_s, 3), message.turn, message.text))

    @property
    def said(self) -> list[str]:
        return [text for _, _, text in self.heard]


LINES = [
    ("desk", "large", "model"), ("desk", "large", "filler"), ("desk", "text", "filler"),
    ("model", "text", "filler"), ("model", "failed", "desk"),
    ("filler", "text", "clause"), ("clause", "clause", "desk"),
]  # fmt: skip


def talk(*pieces: str | float, fails: bool = False, filler: Filler | None = None, **desk: Any) -> Desk:
    caller = Desk(**desk)
    nodes: dict[str, Extension] = {
        "desk": caller, "model": Model(pieces, fails), "filler": filler or Filler(), "clause": ClauseCutter(),
    }  # fmt: skip

    async def main() -> None:
        session = Session(Wiring(nodes, LINES))
        await session.start()
        await session.run()

    run(main())
    return caller


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_slow_answer_comes_after_a_phrase(language: str) -> None:
    answer = {"en": ANSWER, "zh": "周一已经发货。"}[language]
    caller = talk(2.0, answer, language=language)
    assert caller.heard == [(0.9, 1, FIRST[language]), (2.0, 1, answer)]


def test_nothing_is_put_before_an_answer_in_time() -> None:
    assert talk(0.85, ANSWER).said == [ANSWER]


def test_an_answer_that_has_begun_is_in_time_though_no_clause_of_it_is_whole() -> None:
    assert talk(0.85, "It was ", 1.0, "sent on Monday.").said == [ANSWER]


def test_it_waits_as_long_as_it_is_told_to() -> None:
    assert talk(1.0, ANSWER, filler=Filler(after_ms=300)).heard[0] == (0.3, 1, FIRST["en"])


def test_it_is_said_once_however_long_it_takes() -> None:
    assert talk(9.0, ANSWER).said == [FIRST["en"], ANSWER]


def test_phrases_take_turns() -> None:
    assert talk(2.0, ANSWER, script="ask_twice").said == [PHRASES["en"][0], ANSWER, PHRASES["en"][1], ANSWER]


def test_what_the_router_says_first_is_no_answer() -> None:
    caller = talk(2.0, ANSWER, script="ask_after_a_word")
    assert caller.said == ["Thank you.", FIRST["en"], ANSWER]


def test_an_interrupted_turn_gets_none() -> None:
    assert talk(2.0, ANSWER, script="interrupt").said == []


def test_a_tentative_turn_gets_none_before_it_is_sure() -> None:
    assert talk(3.0, ANSWER, script="confirm_late").heard == [(2.4, 1, FIRST["en"]), (3.0, 1, ANSWER)]
    assert talk(1.0, ANSWER, script="confirm_late").heard == [(1.5, 1, ANSWER)], "the answer was there"


def test_one_that_is_given_up_gets_none() -> None:
    assert talk(9.0, ANSWER, script="give_up").said == []


def test_a_model_that_fails_is_apologised_for_once() -> None:
    assert talk(0.5, fails=True).said == ["Sorry."]
    assert talk(8.0, fails=True).said == [FIRST["en"], "Sorry."]


def test_a_vertical_without_phrases_is_silent(tmp_path: Path) -> None:
    folder = tmp_path / "quiet"
    shutil.copytree(resources.folder("verticals") / "customer_service", folder)
    content = json.loads((folder / "vertical.json").read_text("utf-8"))
    del content["phrases"]["en"]["filler"]
    (folder / "vertical.json").write_text(json.dumps(content), "utf-8")
    caller = talk(2.0, ANSWER, filler=Filler(vertical=str(folder)))
    assert caller.said == [ANSWER]
    assert talk(2.0, ANSWER, filler=Filler(vertical=str(folder)), language="zh").said[0] == FIRST["zh"]


def test_never_two_answers_and_never_a_stale_one() -> None:
    fillers = 0
    for seed in range(300):
        late_s = random.Random(seed).choice([0.2, 0.89, 0.91, 1.4, 2.5])
        caller = talk(late_s, "It was ", 0.4, "sent.", script="at_random", seed=seed)
        turns = [turn for _, turn, _ in caller.heard]
        assert turns == sorted(turns), f"seed {seed}: an older turn after a newer one"
        for turn in set(turns):
            times = [time_s for time_s, of, _ in caller.heard if of == turn]
            texts = [text for _, of, text in caller.heard if of == turn]
            filled = texts[0] in PHRASES["en"]
            assert texts[filled:] in ([], ["It was sent."]), f"seed {seed}: {texts}"
            assert times[-1] <= caller.cut_s[turn] + 0.001, f"seed {seed}: heard of a turn that was cut"
            if filled:
                assert times[0] == pytest.approx(caller.sure_s[turn] + 0.9, abs=0.002)
            fillers += filled
    assert fillers > 100, "too few to tell anything"


# --- the answer does not say it again ---


@pytest.mark.parametrize(
    "pieces",
    [
        ["Let me look at that. It was sent on Monday."],
        ["Let", " me look", " at that.", " It was sent", " on Monday."],
        ["let me look at THAT. ", "It was sent on Monday."],
        ["Let me see. It was sent on Monday."],
    ],
)
def test_a_phrase_of_the_answer_that_was_just_said_is_left_out(pieces: list[str]) -> None:
    assert talk(2.0, *pieces).said == [FIRST["en"], ANSWER]


def test_it_is_not_left_out_where_nothing_was_said() -> None:
    assert talk("Let me look at that. It was sent on Monday.").said == [FIRST["en"], ANSWER]


def test_an_answer_that_only_begins_alike_is_whole() -> None:
    answer = "Let me look at it this way."
    assert talk(2.0, *answer).said == [FIRST["en"], answer]
    assert talk(2.0, "Let me").said == [FIRST["en"], "Let me"], "nor is one that ends before it can be known"


def test_an_answer_that_is_nothing_else_is_heard_once() -> None:
    assert talk(2.0, "Let me look at that.").said == [FIRST["en"]]


def test_the_pieces_of_an_opening_make_no_difference() -> None:
    texts = ["Let me see. Yes.", "Let me see", "Let me say yes.", " \nlet me see. No.", "", "Yes."]
    for text in texts:
        whole = Opening(PHRASES["en"]).rest(text, True)
        for seed in range(20):
            cuts = sorted(random.Random(seed).choices(range(len(text) + 1), k=3))
            opening = Opening(PHRASES["en"])
            pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
            assert "".join(opening.rest(p, i == len(pieces) - 1) for i, p in enumerate(pieces)) == whole
