"""What to answer: an intent's answer, the next step of a flow, or "I don't know this".

Pure, as flow.py is: queries are yielded, and the state is a value.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace

from voice_agent.dialogue import slots
from voice_agent.dialogue.database import Row
from voice_agent.dialogue.flow import CONFIRM, FlowEngine, FlowState, Outcome, Query, Step
from voice_agent.dialogue.intents import IntentModel
from voice_agent.dialogue.schema import CALLBACK, Intent, Variants
from voice_agent.dialogue.vertical import Vertical
from voice_agent.message import Expecting
from voice_agent.spoken import join


@dataclass(frozen=True)
class DialogueState:
    """One caller's conversation with the small model."""

    flow: FlowState | None = None
    said: str = ""
    """The last reply; "" when another node gave it."""
    replies: int = 0


@dataclass(frozen=True)
class Reply:
    """What is said, or why nothing is."""

    text: str
    state: DialogueState
    declined: str = ""


Work = Generator[Query, list[Row], Reply]


class Dialogue:
    """The fast path of a vertical in one language."""

    def __init__(
        self, vertical: Vertical, language: str, model: IntentModel, min_probability: float | None = None
    ) -> None:
        self.vertical = vertical
        self.language = language
        self.model = model
        self.min_probability = model.threshold if min_probability is None else min_probability
        self.phrases = vertical.phrases[language]
        self.engine = FlowEngine(vertical, language)

    def reply(self, state: DialogueState, text: str, last_heard: str = "") -> Work:
        """Answer what the caller said; `last_heard` is the last line of the agent in the history."""
        guess = self.model.classify(text)
        intent = self.vertical.intent(guess.intent) if guess.probability >= self.min_probability else None
        if state.flow is not None:
            return (yield from self._in_flow(state, state.flow, text, intent))
        if intent is None:
            reason = f"not sure enough: {guess.intent} {guess.probability:.2f} < {self.min_probability:.2f}"
            return Reply("", replace(state, said=""), declined=reason)
        if intent.flow:
            return (yield from self.begin(state, intent.flow, text))
        if intent.control == "repeat":
            return self._say(state, state.said or last_heard or self.phrases.nothing_to_repeat)
        if intent.control:
            return self._say(
                state, self.phrases.cancelled if intent.control == "cancel" else self.phrases.wait
            )
        return self._say(state, self._variant(state, intent.answers))

    def expects(self, state: DialogueState) -> Expecting:
        """What the caller has been asked for."""
        if state.flow and state.flow.asking == CONFIRM:
            return Expecting("yes_no")
        slot = self.vertical.slots.get(state.flow.asking) if state.flow else None
        if not state.flow or not slot or slot.type == "choice":
            return Expecting("free")
        if slot.type == "email":
            return Expecting("email")
        known = len(state.flow.part)
        return Expecting(slot.type, slot.min_length - known, slot.max_length - known)

    def begin(self, state: DialogueState, flow: str, text: str) -> Work:
        """Start a flow, with what an interrupted one has already learned."""
        known = state.flow.values if state.flow else {}
        outcome = yield from self.engine.begin(flow, text, known)
        return (yield from self._after(state, flow, outcome))

    def _in_flow(self, state: DialogueState, flow: FlowState, text: str, intent: Intent | None) -> Work:
        """An answer to the flow's question comes first, then what else it may be."""
        step: Step | None = None
        if filled := self.engine.fill(flow, text):
            step = self.engine.go_on(filled)
        elif (intent and intent.control == "cancel") or _unwanted_callback(flow, text):
            return self._say(replace(state, flow=None), self.phrases.cancelled)
        elif flow.asking == CONFIRM and (yes := slots.yes_no(text)) is not None:
            step = self.engine.answer(flow, yes)
        elif intent and intent.control == "repeat":
            return self._say(state, state.said or flow.question)
        elif intent and intent.flow and intent.flow != flow.flow:
            return (yield from self.begin(state, intent.flow, text))
        elif intent and intent.answers and not intent.alone:
            return self._say(state, join(self._variant(state, intent.answers), flow.question))
        outcome = (yield from step) if step else self.engine.missed(flow)
        return (yield from self._after(state, flow.flow, outcome))

    def _after(self, state: DialogueState, flow: str, outcome: Outcome) -> Work:
        """Say what the flow says; one that gave up hands over to the callback, which can only give up."""
        if not outcome.gave_up:
            return self._say(replace(state, flow=outcome.state), outcome.say)
        state = replace(state, flow=None)
        if flow == CALLBACK:
            return self._say(state, self.phrases.give_up)
        handed_over = yield from self.begin(state, CALLBACK, "")
        return self._say(handed_over.state, join(self.phrases.hand_over, handed_over.text))

    def _variant(self, state: DialogueState, variants: Variants) -> str:
        lines = variants[self.language]
        return lines[state.replies % len(lines)]

    def _say(self, state: DialogueState, text: str) -> Reply:
        return Reply(text, replace(state, said=text, replies=state.replies + 1))


def _unwanted_callback(flow: FlowState, text: str) -> bool:
    """Whether the caller says no to a callback, which is offered by asking for the number at once."""
    return flow.flow == CALLBACK and flow.asking != CONFIRM and slots.yes_no(text) is False
