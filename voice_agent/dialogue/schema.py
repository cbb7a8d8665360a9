"""The parts of a vertical as its files hold them; pydantic checks each. docs/verticals.md explains them."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from voice_agent.dialogue import protected

PLACEHOLDER = re.compile(r"{(\w+)}")
CALLBACK = "callback"
"""The flow for what nobody can answer; every vertical has it."""
NonEmpty = Annotated[str, Field(min_length=1), AfterValidator(protected.checked)]
Localised = dict[str, NonEmpty]
"""Language ("en", "zh") to text."""
Variants = dict[str, Annotated[list[NonEmpty], Field(min_length=1)]]
"""Language to texts that mean the same; they take turns."""


class Part(BaseModel):
    """Unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Phrases(Part):
    """What the agent says in one language when no intent and no flow has the word."""

    did_not_catch: Annotated[list[NonEmpty], Field(min_length=1)]
    wait: str
    """Before it falls silent, because the caller asked it to wait; "" falls silent at once."""
    still_there: NonEmpty
    """The caller has said nothing for a long time."""
    still_waiting: NonEmpty
    """The caller has kept the agent waiting for a long time."""
    apology: NonEmpty
    """A model or a service failed."""
    callback_offer: NonEmpty
    """Before the flow "callback", when the agent cannot answer."""
    trouble_hearing: NonEmpty
    """Before the flow "callback", when the agent has not understood several times in a row."""
    hand_over: NonEmpty
    """Before the flow "callback", when another flow could not be finished."""
    cancelled: NonEmpty
    nothing_to_repeat: NonEmpty
    give_up: NonEmpty
    """The flow "callback" itself could not be finished."""
    filler: list[NonEmpty] = []
    """While a large model takes its time: a whole sentence that promises nothing; none for silence."""
    backchannels: list[NonEmpty] = []
    """Softly, in a pause of a caller who has long been speaking: "uh-huh"; none for silence."""
    too_long: str = ""
    """Before the answer to a caller who had more to say after `monologue_s`; "" answers at once."""


class Manners(Part):
    """How patient the agent is with callers of this trade, and how it takes what they say over its voice."""

    finished_ms: Annotated[int, Field(ge=50, le=5000)] = 160
    """Silence that ends the turn of a caller who has surely said all."""
    unfinished_ms: Annotated[int, Field(ge=50, le=30_000)] = 1800
    """Silence that ends the turn of one who surely has not; interviews want more."""
    monologue_s: Annotated[float, Field(ge=0)] = 60.0
    """Who has spoken for so long is answered at the first pause; 0 for never."""
    idle_s: Annotated[float, Field(ge=0)] = 15.0
    """After so much silence of both the agent asks whether the caller is there; 0 for never."""
    remind_s: Annotated[float, Field(ge=0)] = 30.0
    """On hold, the agent says so often that it is still there; 0 for never."""
    filler_ms: Annotated[int, Field(ge=0, le=30_000)] = 900
    """When a large model has given nothing for so long after the caller's turn, a phrase `filler` is said."""
    backchannel_after_s: Annotated[float, Field(ge=0)] = 0.0
    """Who has spoken for so long in one turn hears a phrase `backchannels` in a pause; 0 for never,"""
    backchannel_every_s: Annotated[float, Field(ge=1)] = 8.0
    """and no more often than this."""
    answers_asides: bool = False
    """What is surely said to somebody else ("mum, i'm on the phone") is taken as said to the agent."""
    never_interrupts: dict[str, list[NonEmpty]] = {}
    """Language to phrases that are signs of listening here, besides the usual ones."""
    always_interrupts: dict[str, list[NonEmpty]] = {}
    """Language to phrases that stop the agent at once, besides the usual ones."""

    @model_validator(mode="after")
    def _is_more_patient_with_the_unfinished(self) -> "Manners":
        if self.unfinished_ms < self.finished_ms:
            raise ValueError("'unfinished_ms' must not be less than 'finished_ms'")
        return self


class Slot(Part):
    """Something a flow needs to know, and how a caller says it."""

    type: Literal["digits", "letters", "email", "choice"]
    """`letters` may have digits among them: a code, or a name that is spelled."""
    min_length: Annotated[int, Field(ge=1)] = 1
    max_length: Annotated[int, Field(ge=1)] = 15
    """Digits and letters only: a value has so many of them."""
    choices: dict[str, Variants] = {}
    """Choices only: value to the words for it; the first is its name, `{slot_name}` in an answer."""
    said: Variants
    """Whole answers, with the value as {value}: "my number is {value}"."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> "Slot":
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("'choices' is needed by a slot of type 'choice', and by no other")
        if self.min_length > self.max_length:
            raise ValueError("'min_length' must not exceed 'max_length'")
        return self


class Intent(Part):
    """Something callers want; exactly one of `answers`, `flow`, `control` says what happens then."""

    name: NonEmpty
    examples: dict[str, Annotated[list[NonEmpty], Field(min_length=3)]]
    """Language to sentences as a recogniser writes them; {slot} stands for a value of that slot."""
    answers: Variants = {}
    flow: str = ""
    control: Literal["", "cancel", "repeat", "wait"] = ""
    alone: bool = False
    """Its answer makes no sense in the middle of a flow: "yes", "goodbye"."""

    @model_validator(mode="after")
    def _does_one_thing(self) -> "Intent":
        if [bool(self.answers), bool(self.flow), bool(self.control)].count(True) != 1:
            raise ValueError("exactly one of 'answers', 'flow' and 'control' must be given")
        return self


class Question(Part):
    """A step of a flow: asks for one slot."""

    slot: str
    ask: Variants
    again: Variants
    """After an answer without a value in it."""
    more: Variants = {}
    """After only some of the digits; `again` when not given."""
    lookup: str = ""
    """A tool that must find a row for the value; the row's columns can be used in all later texts."""
    unknown: Variants = {}
    """When it finds none; asks for the slot once more."""


class Stop(Part):
    """Ends a flow early, by what was looked up."""

    column: str
    say: dict[str, Variants]
    """The column's value to what is said; with any other value the flow goes on."""


class Flow(Part):
    """A task: its questions, what is confirmed, what is done, and what is said in the end."""

    name: NonEmpty
    questions: Annotated[list[Question], Field(min_length=1)]
    stop: Stop | None = None
    confirm: Variants = {}
    """A question to be answered with yes or no before the action."""
    refused: Variants = {}
    """After the answer "no"."""
    action: str = ""
    """A tool that does it."""
    done: dict[str, Variants]
    """What is said at the end, by the value of `done_by`; the key "" is for every other value."""
    done_by: str = ""
    """A column."""


class Tool(Part):
    """A query, for flows and for the large model."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z_]\w{0,63}$")]
    description: NonEmpty
    parameters: dict[str, Any]
    """JSON Schema of an object."""
    sql: NonEmpty
    """One statement; takes the parameters as :name, and :session, :language and :topic."""

    @property
    def changes(self) -> bool:
        """Whether it does more than look something up, and must wait until the caller's turn is sure."""
        return not self.sql.lstrip().upper().startswith("SELECT")
