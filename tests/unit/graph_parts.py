"""Small extensions to make graphs of, each with something that a graph file can get wrong."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import Field

from voice_agent.errors import ModelError
from voice_agent.extension import Extension
from voice_agent.message import AudioFrame, Failed, Text, Typed

ADDONS = {
    f"test.{name.lower()}": f"{__name__}:{name}"
    for name in ("Source", "Sink", "Choosy", "Unready", "Crashing")
} | {"test.nowhere": f"{__name__}:Nowhere", "test.function": f"{__name__}:not_an_extension"}


@dataclass
class Source(Extension):
    count: int = 3
    gain_db: Annotated[float, Field(le=0)] = 0.0
    api_key: str = ""
    tags: tuple[str, ...] = ()
    limits: dict[str, int] = field(default_factory=dict)
    loud: bool = False

    outputs = {"pcm_frame": AudioFrame, "typed": Typed}


@dataclass
class Sink(Extension):
    extra: dict[str, Any] = field(default_factory=dict)

    inputs = (AudioFrame, Failed)


@dataclass
class Choosy(Extension):
    """Takes text, insists on a name, and on its fields going together."""

    voice: str
    low: int = 0
    high: int = 1
    shared: ClassVar[int] = 0

    inputs = (Text,)
    outputs = {"text": Text}

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


@dataclass
class Unready(Extension):
    def prepare(self) -> None:
        raise ModelError("no model at /models/x: download it")


@dataclass
class Crashing(Extension):
    def prepare(self) -> None:
        raise RuntimeError("unsupported model binary version")


def not_an_extension() -> None:
    """Registered by mistake."""
