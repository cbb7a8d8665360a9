"""Whole dialogues as text: a caller, the router, the small model and, in some, a large one."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest

from extensions.llm.fast import FastLlm
from extensions.router.fast import FastRouter
from voice_agent.errors import TurnError
from voice_agent.extension import Emit, Extension
from voice_agent.message import (
    CallStarted,
    Declined,
    Failed,
    Heard,
    Message,
    Nudge,
    Prompt,
    Route,
    Text,
    TurnEnded,
    Utterance,
)
from voice_agent.session import Session
from voice_agent.testing import Wiring, collect, run


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_AGENT_STATE", str(tmp_path))


@dataclass
class Say:
    """What the caller says, and how much of the answer it lets pass."""

    text: str
    language: str = ""
    confidence: float = 1.0
    hears: int | None = None
    """Characters of the answer until the caller speaks again; None for all of it."""
    hold: bool = False
    """It asks the agent to wait."""
    cut_short: bool = False
    """It had more to say."""
    given_up: bool = False
    """The caller had not ended: the turn stays tentative, and is given up."""


@dataclass
class Caller(Extension):
    """Says its lines one after the other, each when the answer to the last has come; then hangs up."""

    lines: list[Say | Nudge]
    call_language: str = "en"
    replies: list[str] = field(default_factory=list)
    """The answers, the greeting first."""
    events: list[Message] = field(default_factory=list)

    inputs = (Text, Route)
    outputs = {"call_started": CallStarted, "turn_ended": TurnEnded, "nudge": Nudge, "heard": Heard}

    async def start(self) -> None:
        self._text = ""
        self._answered = asyncio.Event()

    async def run(self, emit: Emit) -> None:
        turn = self.session.begin_turn()
        await emit("call_started", CallStarted(self.call_language, turn=turn))
        await self._listen(turn, None, emit)
        for line in self.lines:
            if isinstance(line, Nudge):
                turn = self.session.begin_turn()
                await emit("nudge", replace(line, turn=turn))
                await self._listen(turn, None, emit)
                continue
            turn = self.session.begin_turn(tentative=line.given_up)
            ended = TurnEnded(
                line.text, line.language, line.confidence, hold=line.hold, cut_short=line.cut_short, turn=turn
            )
            await emit("turn_ended", ended)
            if line.given_up:
                await self._give_up()
            else:
                await self._listen(turn, line.hears, emit)
        self.session.close("done")

    async def _give_up(self) -> None:
        await asyncio.sleep(0.2)
        self.session.interrupt()
        self.replies.append(self._text.strip())
        self._text = ""
        self._answered.clear()

    async def _listen(self, turn: int, hears: int | None, emit: Emit) -> None:
        async with asyncio.timeout(60):
            await self._answered.wait()
        self._answered.clear()
        self.replies.append(self._text.strip())
        if hears is None:
            await emit("heard", Heard(turn, ""))
            await emit("heard", Heard(turn, self._text, final=True))
        else:
            self.session.interrupt()
            await emit("heard", Heard(turn, self._text[:hears], final=True, interrupted=True))
        self._text = ""
        await asyncio.sleep(0.4)  # of virtual time: the caller's next words, until the turn ends

    async def handle(self, message: Message, emit: Emit) -> None:
        self.events.append(message)
        if isinstance(message, Text):
            self._text += message.text
            if message.final:
                self._answered.set()

    def of(self, kind: type[Message]) -> list[Message]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def routes(self) -> list[str]:
        return [event.to for event in self.events if isinstance(event, Route)]


@dataclass
class LargeLlm(Extension):
    """Answers anything; fails where told."""

    fails: bool = False
    fails_midway: bool = False
    asked: list[Prompt] = field(default_factory=list)

    inputs = (Prompt,)
    outputs = {"text": Text}

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Prompt)
        self.asked.append(message)
        if self.fails:
            raise TurnError("the service refuses")
        await emit("text", Text("Paris, ", message.language))
        if self.fails_midway:
            raise TurnError("the stream broke")
        await emit("text", Text("of course.", message.language, final=True))


FAST_LINES = [
    ("caller", "call_started", "router"),
    ("caller", "turn_ended", "router"),
    ("caller", "nudge", "router"),
    ("caller", "heard", "router"),
    ("router", "fast", "fast"),
    ("router", "text", "caller"),
    ("router", "route", "caller"),
    ("fast", "text", "caller"),
    ("fast", "declined", "router"),
    ("fast", "failed", "router"),
]
LARGE_LINES = [("router", "large", "large"), ("large", "text", "caller"), ("large", "failed", "router")]


def call(
    *lines: str | Say | Nudge,
    language: str = "en",
    large: LargeLlm | None = None,
    router: FastRouter | None = None,
) -> Caller:
    """A whole call; gives the caller, who knows all that was answered."""
    caller = Caller([Say(line) if isinstance(line, str) else line for line in lines], language)
    nodes: dict[str, Extension] = {"caller": caller, "router": router or FastRouter(), "fast": FastLlm()}
    if large:
        nodes["large"] = large

    async def main() -> None:
        for node in nodes.values():
            node.prepare()
        session = Session(Wiring(nodes, FAST_LINES + (LARGE_LINES if large else [])), language=language)
        await session.start()
        await session.run()

    run(main())
    return caller


def test_order_status_in_one_sentence() -> None:
    caller = call("Where is my order? My order number is one two three four.")
    assert caller.replies[0].startswith("Hello, this is Mia")
    assert "1 2 3 4" in caller.replies[1] and "shipped" in caller.replies[1]
    assert caller.routes == ["router", "fast"]


def test_order_status_asks_for_the_number() -> None:
    caller = call("where's my order", "one two", "three four")
    assert "order number" in caller.replies[1]
    assert caller.replies[2].startswith("1 2.")
    assert "1 2 3 4" in caller.replies[3] and "2 days" in caller.replies[3]


def test_order_status_in_chinese() -> None:
    caller = call("我的订单到哪儿了", "一二三四", language="zh")
    assert "杜松里" in caller.replies[0]
    assert "订单号" in caller.replies[1]
    assert "1 2 3 4" in caller.replies[2] and "已经发货" in caller.replies[2]


def test_language_follows_the_caller() -> None:
    caller = call("我想退货", "two three four five", "坏了")
    assert "退货" in caller.replies[1]
    assert caller.replies[2].startswith("Is it damaged")
    assert "阅读灯" in caller.replies[3]
    assert {text.language for text in caller.events if isinstance(text, Text)} == {"en", "zh"}


@pytest.mark.parametrize(
    ("language", "lines", "done"),
    [
        (
            "en",
            ["i want to return something", "it's order two three four five", "it is broken", "yes"],
            "7 0 0 1",
        ),
        ("zh", ["我想退货", "订单号是二三四五", "坏了", "是的"], "7 0 0 1"),
    ],
)
def test_start_a_return(language: str, lines: list[str], done: str) -> None:
    assert done in call(*lines, language=language).replies[-1]


def test_a_digression_is_answered_and_the_question_asked_again() -> None:
    caller = call("start a return for order 2345", "how long does a refund take", "it's the wrong item")
    assert "five working days" in caller.replies[2] and caller.replies[2].endswith("change your mind?")
    assert "reading lamp" in caller.replies[3]


def test_callback_takes_the_number() -> None:
    caller = call("i want to talk to a human", "five five five", "oh one two three", "no 5550124", "yes")
    assert caller.replies[2].startswith("5 5 5.")
    assert "5 5 5 0 1 2 3" in caller.replies[3]
    assert "5 5 5 0 1 2 4" in caller.replies[4]
    assert "colleague call you back" in caller.replies[5]


def test_callback_in_chinese() -> None:
    caller = call("转人工", "幺三八零零一三八零零零", "对", language="zh")
    assert "1 3 8 0 0 1 3 8 0 0 0" in caller.replies[2]
    assert "回电话" in caller.replies[3]


@pytest.mark.parametrize(
    ("language", "unknown", "refusal", "left"),
    [
        ("en", "who won the world cup", "no thanks", "leave that"),
        ("zh", "请解释量子力学", "不用了", "还有别的事"),
    ],
)
def test_an_offered_callback_can_be_refused(language: str, unknown: str, refusal: str, left: str) -> None:
    caller = call(unknown, refusal, language=language)
    assert left in caller.replies[2]


def test_unknown_order_is_asked_once_more_then_called_back() -> None:
    caller = call("where is my order", "9 9 9 9", "8 8 8 8")
    assert "can't find order 9 9 9 9" in caller.replies[2]
    assert "colleague call you back" in caller.replies[3] and caller.replies[3].endswith("callback?")


def test_not_understood_three_times_offers_a_callback() -> None:
    caller = call(Say("", confidence=0.0), Say("mumble", confidence=0.2), Say(""), "555 0123", "yes")
    assert "catch" in caller.replies[1]
    assert caller.replies[2] != caller.replies[1]
    assert "trouble hearing" in caller.replies[3] and "phone number" in caller.replies[3]
    assert "5 5 5 0 1 2 3" in caller.replies[4]
    assert caller.routes == ["router", "router", "router", "fast", "fast", "fast"]


def test_a_good_turn_starts_the_count_again() -> None:
    caller = call(Say(""), Say(""), "hello", Say(""))
    assert "trouble" not in caller.replies[4] and caller.replies[4] == caller.replies[1]


@pytest.mark.parametrize(
    ("language", "wait", "answer"),
    [("en", "hold on a second", "Sure, take your time."), ("zh", "等一下", "好的，您慢慢来。")],
)
def test_wait(language: str, wait: str, answer: str) -> None:
    caller = call(Say(wait, hold=True), "yes", language=language)
    assert caller.replies[1] == answer
    assert caller.routes[1] == "router"


@pytest.mark.parametrize(("why", "phrase"), [("idle", "still there?"), ("hold", "still here")])
def test_a_long_silence_is_broken(why: Literal["idle", "hold"], phrase: str) -> None:
    caller = call(Nudge(why))
    assert phrase in caller.replies[1]


def test_a_turn_that_was_none_leaves_no_trace() -> None:
    large = LargeLlm()
    lines = Say("", given_up=True), Say(""), Say("i want to return something", given_up=True), "order 1234"
    caller = call(*lines, "who won the world cup", large=large)
    assert caller.replies[2] == call(Say("")).replies[1], "it is the first time that nothing was understood"
    assert caller.replies[4] == call("order 1234").replies[1], "the flow had not begun"
    assert "i want to return something" not in [
        line.text for prompt in large.asked for line in prompt.history
    ]


def test_what_changes_anything_waits_until_the_turn_is_sure() -> None:
    """The caller had not ended with "yes": nothing was done about the return."""
    lines = "i want to return order 2345", "it is broken", Say("yes", given_up=True), "no"
    caller = call(*lines)
    assert caller.replies[3] == "", "the tentative yes is not answered before it is sure"
    assert "7 0 0 1" not in "".join(caller.replies)
    again = call(*lines[:2], "yes")
    assert "7 0 0 1" in again.replies[-1], "the number of the first return ever"


def test_wait_in_a_flow_keeps_the_flow() -> None:
    caller = call("where is my order", "one moment please", "one two three four")
    assert "1 2 3 4" in caller.replies[3]


def test_what_the_small_model_does_not_know_goes_to_the_large_one() -> None:
    large = LargeLlm()
    caller = call("thank you", "what is the capital of france", large=large)
    assert caller.replies[-1] == "Paris, of course."
    assert caller.routes == ["router", "fast", "fast", "large"]
    assert [line.role for line in large.asked[0].history] == ["assistant", "user", "assistant"]
    reasons = [event.reason for event in caller.events if isinstance(event, Route)]
    assert "not sure enough" in reasons[-1]


def test_without_a_large_model_a_callback_is_offered() -> None:
    caller = call("what is the capital of france")
    assert caller.replies[-1].startswith("I don't know that myself") and caller.replies[-1].endswith(
        "callback?"
    )


def test_the_large_model_fails_before_a_word() -> None:
    caller = call("what is the capital of france", "555 0123", large=LargeLlm(fails=True))
    assert caller.replies[1].startswith("I'm sorry, something went wrong")
    assert caller.replies[1].endswith("callback?")
    assert "5 5 5 0 1 2 3" in caller.replies[2]


def test_the_large_model_fails_midway() -> None:
    caller = call("what is the capital of france", large=LargeLlm(fails_midway=True))
    assert caller.replies[1] == "Paris, \nI'm sorry, something went wrong on my side."


def test_the_large_model_fails_after_a_filler_was_heard() -> None:
    messages: list[Message] = [
        TurnEnded("what is the capital of france", turn=2),
        Declined(Prompt("what is the capital of france", turn=2), "not sure", turn=2),
        Heard(2, "Let me look at that."),
        Failed("large", "no token within 8 s", turn=2),
    ]
    emitted = run(collect(FastRouter(), *messages))
    assert [prompt.flow for prompt in emitted.of(Prompt)] == ["", "", "callback"]
    assert emitted.of(Text)[0].text.startswith("I'm sorry")


def test_the_database_fails(tmp_path: Path) -> None:
    class Breaking(FastRouter):
        async def handle(self, message: Message, emit: Emit) -> None:
            if isinstance(message, TurnEnded):
                (tmp_path / "customer_service.sqlite").write_bytes(b"not a database at all " * 100)
            await super().handle(message, emit)

    caller = call("where is order 1234", router=Breaking())
    assert caller.replies[1].startswith("I'm sorry, something went wrong")


def test_history_is_what_was_heard() -> None:
    large = LargeLlm()
    call(
        "how much is shipping",
        Say("how long does delivery take", hears=8),
        Say("do you have a store", hears=0),
        "what is the capital of france",
        large=large,
    )
    *_, cut, unheard = large.asked[0].history
    assert cut == Utterance("assistant", "Standard—") or cut.text.endswith("—")
    assert unheard == Utterance("user", "do you have a store")


def test_words_that_came_again_are_in_the_history_once() -> None:
    large = LargeLlm()
    call(
        Say("what is", hears=0),
        Say("what is the capital", hears=0),
        "what is the capital of france",
        large=large,
    )
    assert [line for line in large.asked[-1].history if line.role == "user"] == []


def test_lines_without_an_answer_between_are_one() -> None:
    large = LargeLlm()
    call(Say("tell me", hears=0), Say("a joke", hears=0), "what is the capital of france", large=large)
    assert large.asked[-1].history[-1] == Utterance("user", "tell me a joke")


def test_a_caller_who_went_on_before_hearing_anything_does_not_confuse_a_flow() -> None:
    caller = call("where is my order", Say("one two", hears=0), "one two three four")
    assert "1 2 3 4" in caller.replies[3] and "shipped" in caller.replies[3]


def test_heard_may_come_after_the_next_turn() -> None:
    messages: list[Message] = [
        CallStarted(turn=1),
        TurnEnded("thank you", turn=2),
        TurnEnded("hello", turn=3),
        Heard(2, "You're", final=True, interrupted=True),
        Heard(1, "Hello, this is Mia.", final=True),
        TurnEnded("bye", turn=4),
    ]
    emitted = run(collect(FastRouter(), *messages))
    assert [(line.role, line.text) for line in emitted.of(Prompt)[-1].history] == [
        ("assistant", "Hello, this is Mia."),
        ("user", "thank you"),
        ("assistant", "You're—"),
        ("user", "hello"),
    ]


def test_history_is_bounded() -> None:
    messages: list[Message] = []
    for turn in range(1, 200):
        messages += [TurnEnded(f"hello {turn}", turn=turn), Heard(turn, "Hi.", final=True)]
    router = FastRouter()
    prompts = run(collect(router, *messages)).of(Prompt)
    assert len(prompts[-1].history) == 20
    assert prompts[-1].history[-1].text == "Hi." and prompts[-1].history[-2].text == "hello 198"
    assert len(router._lines) < 50


def test_greeting_can_be_replaced() -> None:
    emitted = run(collect(FastRouter(greeting="Hi!"), CallStarted(turn=1)))
    assert emitted.of(Text) == [Text("Hi!", final=True, turn=1)]


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("how long does delivery take and", "Thank you, let me stop you there for a moment. Standard"),
        ("配送要多久然后", "好的，我先打断您一下。标准"),
    ],
)
def test_who_is_cut_short_is_told_so_before_the_answer(text: str, phrase: str) -> None:
    caller = call(Say(text, cut_short=True), text)
    assert caller.replies[1].startswith(phrase)
    assert not caller.replies[2].startswith(phrase[:5])


def test_who_was_not_understood_is_not_stopped_politely() -> None:
    caller = call(Say("mumble", confidence=0.1, cut_short=True))
    assert caller.replies[1] == "Sorry, I didn't catch that."


def test_a_notice_in_the_greeting_is_protected() -> None:
    router = FastRouter(greeting="Hello. <protected>This call is recorded.</protected>")
    texts = run(collect(router, CallStarted(turn=1))).of(Text)
    assert [(text.text.strip(), text.protected, text.final) for text in texts] == [
        ("Hello.", False, False),
        ("This call is recorded.", True, True),
    ]
