"""Flows: ask for slots, look up, confirm, act. A state machine driven by the vertical's data.

Pure: what must be looked up or done is yielded as a Query, and the rows are sent back. The state is a
value, so a reply that the caller never heard can be taken back.
"""

import string
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from voice_agent.dialogue import slots, values
from voice_agent.dialogue.database import Row, Value
from voice_agent.dialogue.schema import Flow, Question, Variants
from voice_agent.dialogue.vertical import Vertical
from voice_agent.errors import TurnError

CONFIRM = "?"
"""What is being asked, in place of a slot's name, while yes or no is awaited."""
MAX_MISSES = 2
"""A question is asked again so often; then the flow gives up."""


@dataclass(frozen=True)
class Query:
    """What the flow wants from the database."""

    tool: str
    arguments: Mapping[str, Value]
    topic: str


Step = Generator[Query, list[Row], "Outcome"]


@dataclass(frozen=True)
class FlowState:
    """Where a caller is in a flow."""

    flow: str
    topic: str = ""
    """The caller's words that led here."""
    values: Mapping[str, str] = field(default_factory=dict)
    """The slots that are known."""
    row: Mapping[str, Value] = field(default_factory=dict)
    """What was looked up for them."""
    asking: str = ""
    """A slot, or CONFIRM."""
    part: str = ""
    """The digits or letters of the asked slot so far."""
    misses: int = 0
    """How often in a row an answer was not understood."""
    unknown: int = 0
    """How often what was given could not be found."""
    question: str = ""
    """What was asked last."""


@dataclass(frozen=True)
class Outcome:
    """What the flow says, and where it is now."""

    say: str
    state: FlowState | None
    """None when the flow has ended."""
    gave_up: bool = False
    """It ended without having done what it is for."""


class FlowEngine:
    """The flows of a vertical in one language."""

    def __init__(self, vertical: Vertical, language: str) -> None:
        self.vertical = vertical
        self.language = language

    def begin(self, name: str, text: str, known: Mapping[str, str] | None = None) -> Step:
        """Start a flow: with what the caller's first sentence and an earlier flow already give."""
        flow = self._flow(name)
        mine = {question.slot for question in flow.questions}
        values = {slot: value for slot, value in (known or {}).items() if slot in mine}
        state = FlowState(name, topic=text, values=values)
        return self.go_on(self._fill_others(state, text) or state)

    def fill(self, state: FlowState, text: str) -> FlowState | None:
        """The state with what an answer gives; None if it gives nothing."""
        filled = self._fill_asked(state, text)
        others = self._fill_others(filled or state, text)
        return replace(others or filled or state, misses=0) if filled or others else None

    def go_on(self, state: FlowState) -> Step:
        """Do whatever comes next: ask, look up, confirm, or act and end."""
        flow = self._flow(state.flow)
        for question in flow.questions:
            if question.slot not in state.values:
                return self._ask(
                    state, question, question.more or question.again if state.part else question.ask
                )
            if question.lookup and not state.row:
                rows = yield self._query(question.lookup, state)
                if not rows:
                    return self._not_found(state, question)
                state = replace(state, row=rows[0])
            if flow.stop and (say := flow.stop.say.get(str(state.row.get(flow.stop.column)))):
                return Outcome(self._say(say, state), None)
        if flow.confirm and state.asking != CONFIRM:
            return self._confirm(state)
        return (yield from self.finish(state))

    def answer(self, state: FlowState, yes: bool) -> Step:
        """The caller's yes or no to the question whether it is all right."""
        if yes:
            return (yield from self.finish(state))
        flow = self._flow(state.flow)
        if flow.refused:
            return Outcome(self._say(flow.refused, state), None)
        return (yield from self.go_on(FlowState(state.flow, topic=state.topic)))  # then what I noted is wrong

    def finish(self, state: FlowState) -> Step:
        """Act, and say how it ended."""
        flow = self._flow(state.flow)
        if flow.action:
            rows = yield self._query(flow.action, state)
            if not rows:
                return Outcome("", None, gave_up=True)
            state = replace(state, row={**state.row, **rows[0]})
        case = str(state.row.get(flow.done_by, ""))
        done = flow.done.get(case) or flow.done.get("")
        if done is None:
            raise TurnError(f"flow '{flow.name}': 'done' says nothing for {flow.done_by} '{case}'")
        return Outcome(self._say(done, state), None)

    def missed(self, state: FlowState) -> Outcome:
        """Ask again, after an answer that made no sense; or give up."""
        if state.misses >= MAX_MISSES:
            return Outcome("", None, gave_up=True)
        state = replace(state, misses=state.misses + 1)
        if state.asking == CONFIRM:
            return Outcome(state.question, state)
        return self._ask(state, self._question(state), self._question(state).again)

    # --- what an answer gives ---

    def _fill_asked(self, state: FlowState, text: str) -> FlowState | None:
        if state.asking == CONFIRM:
            return self._add_digits(state, text)
        slot = self.vertical.slots[state.asking]
        said = values.find(slot, text, self.language) or values.part(slot, text)
        if not said:
            return None
        if slot.type in ("choice", "email"):
            return self._filled(state, state.asking, said)
        digits = state.part + said
        if slots.is_correction(text) or said.startswith(state.part) or len(digits) > slot.max_length:
            digits = said
        if len(digits) < slot.min_length:
            return replace(state, part=digits)
        return self._filled(state, state.asking, digits)

    def _fill_others(self, state: FlowState, text: str) -> FlowState | None:
        """Slots that were not asked for; those already known only when the caller corrects them."""
        correcting = state.asking == CONFIRM or slots.is_correction(text)
        found = None
        for question in self._flow(state.flow).questions:
            name, slot = question.slot, self.vertical.slots[question.slot]
            if name == state.asking or (name in state.values and not correcting):
                continue
            value = values.find(slot, text, self.language)
            if value and value != state.values.get(name):
                found = self._filled(found or state, name, value)
        return found

    def _add_digits(self, state: FlowState, text: str) -> FlowState | None:
        """While a number is read back, the caller says the rest of it."""
        piece = slots.part_of_digits(text, 4)
        for name, value in state.values.items():
            slot = self.vertical.slots[name]
            longer = value + piece
            if (
                piece
                and slot.type == "digits"
                and slot.min_length > len(piece)
                and len(longer) <= slot.max_length
            ):
                return self._filled(state, name, longer)
        return None

    def _filled(self, state: FlowState, name: str, value: str | None) -> FlowState | None:
        """The state with a new value, which makes what was looked up or asked before void."""
        if value is None:
            return None
        return replace(state, values={**state.values, name: value}, row={}, asking="", part="")

    # --- what is said ---

    def _ask(self, state: FlowState, question: Question, variants: Variants) -> Outcome:
        say = self._say(variants, state, value=state.part)
        return Outcome(say, replace(state, asking=question.slot, question=say))

    def _confirm(self, state: FlowState) -> Outcome:
        say = self._say(self._flow(state.flow).confirm, state)
        return Outcome(say, replace(state, asking=CONFIRM, question=say))

    def _not_found(self, state: FlowState, question: Question) -> Outcome:
        if state.unknown >= 1:
            return Outcome("", None, gave_up=True)
        say = self._say(question.unknown, state)
        others = {name: value for name, value in state.values.items() if name != question.slot}
        state = replace(state, values=others, asking=question.slot, unknown=state.unknown + 1, question=say)
        return Outcome(say, state)

    def _say(self, variants: Variants, state: FlowState, **more: Value) -> str:
        lines = variants[self.language]
        template = lines[(state.misses - 1) % len(lines)] if state.misses else lines[0]
        known: dict[str, Value] = {**state.row, **state.values, **more}
        for name, value in state.values.items():
            if choice := self.vertical.slots[name].choices.get(value):
                known[f"{name}_name"] = choice[self.language][0]
        return render(template, known)

    def _query(self, tool: str, state: FlowState) -> Query:
        return Query(tool, {**state.row, **state.values}, state.topic)

    def _question(self, state: FlowState) -> Question:
        return next(q for q in self._flow(state.flow).questions if q.slot == state.asking)

    def _flow(self, name: str) -> Flow:
        flow = self.vertical.flow(name)
        if flow is None:
            raise TurnError(f"vertical '{self.vertical.name}' has no flow '{name}'")
        return flow


class _Formatter(string.Formatter):
    """Knows two formats: {x:digits} is read digit by digit, {x:count:day:days} is "1 day" or "2 days"."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "digits":
            return " ".join(str(value))
        if format_spec.startswith("count:"):
            _, one, many = format_spec.split(":")
            return f"{value} {one if value == 1 else many}"
        return str(value)


def render(template: str, values: Mapping[str, Value]) -> str:
    """A text with values in it. Raises TurnError when it names one that is not there."""
    try:
        return _Formatter().vformat(template, (), values)
    except (LookupError, ValueError) as error:
        raise TurnError(f"'{template}': no slot or column gives {error}") from error
