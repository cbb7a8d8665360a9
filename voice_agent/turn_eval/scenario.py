"""What callers do, when, and what that means: the files of `scenarios/`, checked (docs/turn-eval.md)."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voice_agent.errors import InputError

FOLDER = Path(__file__).parent / "scenarios"
Label = Literal[
    "turn", "interruption", "correction", "wait", "return",
    "backchannel", "vocal_tic", "non_directed", "bystander", "noise", "silence",
]  # fmt: skip
DIRECTED = ("turn", "interruption", "correction", "return")
"""Said to the agent, which shall answer."""
FLOOR = ("interruption", "correction", "wait")
"""Over the agent's voice, which shall stop."""
UNDIRECTED = ("backchannel", "vocal_tic", "non_directed", "bystander", "noise")
"""The agent shall neither stop nor answer."""
Anchor = Literal["agent_silent", "agent_begins", "agent_word", "after_previous"]
FILE = "file:"
EACH = "{}"
Milliseconds = Annotated[int, Field(ge=0, le=60_000)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class Part(BaseModel):
    """Unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Event(Part):
    """Something that is heard at the caller's end."""

    label: Label
    """What it means: the ground truth."""
    when: Anchor = "agent_silent"
    """What it waits for: the agent's silence, after an answer where one is due; the agent's next beginning to
    speak; its `word`-th word; the end of the event before."""
    ms: Milliseconds = 600
    """How long after that; of "agent_silent" how long the silence has lasted."""
    word: Annotated[int, Field(ge=1, le=200)] = 1
    say: tuple[str | Annotated[int, Field(ge=100, le=10_000)], ...] = ()
    """Words, or in turn words and pauses in ms, beginning and ending with words."""
    sound: str = ""
    """In place of words: a name of `sounds.NAMES`, or "file:PATH" of a recording."""
    heard: str = ""
    """What a recogniser shall make of `sound`."""
    voice: str = ""
    """Of espeak; "" for the conversation's."""
    level_db: Annotated[float, Field(ge=-70, le=-6)] = -23.0
    """RMS of what is voiced of it, in dB of full scale."""
    room: bool = False
    """Heard through the room, from farther away than the caller's mouth."""
    lasts_ms: Milliseconds = 0
    """Of "silence", and of a noise or a television that shall last so long."""

    @model_validator(mode="before")
    @classmethod
    def _one_text(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("say"), str):
            return given | {"say": (given["say"],)}
        return given

    @model_validator(mode="after")
    def _makes_sense(self) -> "Event":
        if self.label == "silence":
            if self.say or self.sound or not self.lasts_ms:
                raise ValueError("expected a silence to have lasts_ms, and neither say nor sound")
        elif bool(self.say) == bool(self.sound):
            raise ValueError("expected either say or sound")
        for place, piece in enumerate(self.say):
            if isinstance(piece, str) != (place % 2 == 0) or (isinstance(piece, str) and not piece.strip()):
                raise ValueError("say: expected words and pauses in turn, such as ['it is', 800, 'one two']")
        if self.say and len(self.say) % 2 == 0:
            raise ValueError("say: expected words after the last pause")
        if self.heard and not self.sound:
            raise ValueError("heard: expected a sound that it is understood of")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """The words before, between and after the pauses."""
        return tuple(piece for piece in self.say if isinstance(piece, str))

    @property
    def pauses_s(self) -> tuple[float, ...]:
        """The pauses between them."""
        return tuple(piece / 1000 for piece in self.say if isinstance(piece, int))


class Background(Part):
    """What sounds behind the whole call."""

    sound: str
    """"pink", "babble", "television", or "file:PATH"."""
    level_db: Annotated[float, Field(ge=-80, le=-10)] = -45.0


class Echo(Part):
    """The agent's own voice, from the loudspeaker into the microphone."""

    level_db: Annotated[float, Field(ge=-60, le=0)] = -30.0
    """Against what the loudspeaker plays."""
    delay_ms: Annotated[int, Field(ge=0, le=1000)] = 120


class Conversation(Part):
    """One call."""

    name: Name
    language: str = "en"
    about: str = ""
    voices: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    """Of espeak, one of them in each variant; () for the usual ones of the language."""
    rate_wpm: Annotated[int, Field(ge=80, le=450)] = 165
    each: tuple[str, ...] = ()
    """A variant for each of these texts, which stands for {} in `say`, `sound` and `heard`."""
    background: Background | None = None
    echo: Echo | None = None
    events: Annotated[tuple[Event, ...], Field(min_length=1, max_length=50)]
    pause_s: Annotated[float, Field(ge=0)] = 0.0
    """Of a probe, the pause in which it ends, to learn how long the agent would wait; else 0."""

    @property
    def probe(self) -> bool:
        """Made of another one."""
        return self.pause_s > 0

    @model_validator(mode="after")
    def _uses_each(self) -> "Conversation":
        used = EACH in "".join(_texts(self.events))
        if used != bool(self.each):
            raise ValueError(f"each: expected texts if and only if an event has {EACH} in it")
        if self.events[0].when == "after_previous":
            raise ValueError("events.0.when: expected something else than after_previous for the first one")
        return self


class _File(Part):
    language: Literal["en", "zh"]
    about: str = ""
    conversations: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)]


def _texts(events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        yield from (*event.texts, event.sound, event.heard)


def load(folder: Path = FOLDER, only: str = "") -> list[Conversation]:
    """The conversations of a folder, in the order of its files, each variant by itself; with `only` those
    whose name has this in it. Raises InputError that names file, conversation and field."""
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder with scenarios (*.json)")
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise InputError(f"{folder}: expected scenarios (*.json) in this folder, found none")
    found: dict[str, Conversation] = {}
    for path in paths:
        for conversation in _read(path):
            for variant in _variants(conversation):
                if variant.name in found:
                    raise InputError(f"{path}: conversation '{variant.name}': there is another of this name")
                found[variant.name] = variant
    chosen = [conversation for name, conversation in found.items() if only in name]
    if not chosen:
        raise InputError(
            f"--only: no conversation has {only!r} in its name; there are {', '.join(found)[:400]}"
        )
    return chosen


def _read(path: Path) -> Iterator[Conversation]:
    try:
        file = _File.model_validate(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise InputError(f"{path}: {_told(error)}") from error
    except ValueError as error:
        raise InputError(f"{path}: expected JSON: {error}") from error
    for place, given in enumerate(file.conversations):
        try:
            yield Conversation.model_validate({"language": file.language} | given)
        except ValidationError as error:
            name = given.get("name", f"number {place + 1}")
            raise InputError(f"{path}: conversation {name!r:.60}: {_told(error)}") from error


def _told(error: ValidationError) -> str:
    """The first mistake, in a line."""
    item = error.errors()[0]
    came = "" if item["type"] in ("missing", "value_error") else f", got {item['input']!r:.60}"
    place = "".join(f"{part}." for part in item["loc"]).removesuffix(".")
    message = f"{item['msg'].removeprefix('Value error, ')}{came}"
    return f"{place}: {message}" if place else message


def _variants(conversation: Conversation) -> Iterator[Conversation]:
    if not conversation.each:
        yield conversation
    for number, text in enumerate(conversation.each, 1):
        events = tuple(_filled(event, text) for event in conversation.events)
        name = f"{conversation.name}-{number}"
        yield conversation.model_copy(update={"name": name, "each": (), "events": events})


def _filled(event: Event, text: str) -> Event:
    say = tuple(piece.replace(EACH, text) if isinstance(piece, str) else piece for piece in event.say)
    return event.model_copy(
        update={
            "say": say,
            "sound": event.sound.replace(EACH, text),
            "heard": event.heard.replace(EACH, text),
        }
    )


def probes(conversation: Conversation) -> Iterator[Conversation]:
    """For each pause within a turn, the conversation as if the caller never went on after it."""
    for place, event in enumerate(conversation.events):
        for number in range(len(event.pauses_s) if event.label in DIRECTED else 0):
            stopped = event.model_copy(update={"say": event.say[: 2 * number + 1]})
            name = f"{conversation.name}-pause{place + 1}.{number + 1}"
            events = (*conversation.events[:place], stopped)
            update = {"name": name, "events": events, "pause_s": event.pauses_s[number]}
            yield conversation.model_copy(update=update)
