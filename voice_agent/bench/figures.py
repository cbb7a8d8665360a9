"""What measuring a node yields: figures, each with what it was measured on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from voice_agent.bench.metrics import percentile
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message
from voice_agent.trial.cues import Cue
from voice_agent.trial.play import Output, Trial

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Figure:
    """One number."""

    name: str
    value: float
    unit: str = ""
    """"ms", "dB", "x" of real time, "%" or "" of a count."""
    on: str = ""
    """What it was measured on."""


@dataclass(frozen=True)
class Subject:
    """A node to measure."""

    addon: str
    build: Callable[[], Extension]
    """A new one for each call."""

    def by_language(self) -> Iterator[tuple[str, Extension]]:
        """A new node for each of LANGUAGES that it can deal with."""
        for language in LANGUAGES:
            node = self.build()
            if not node.languages or language in node.languages:
                yield language, node


@dataclass
class Run:
    """A trial that was made, and what came out."""

    outputs: list[Output] = field(default_factory=list)
    cpu_s: float = 0.0


@dataclass
class Idle(Extension):
    """Does nothing with what it takes, but passes frames on where the node it stands for would: what it
    costs is what the session around a node costs."""

    echoes: bool = False

    inputs = (Message,)
    outputs = {"pcm_frame": AudioFrame}

    async def handle(self, message: Message, emit: Emit) -> None:
        if self.echoes and isinstance(message, AudioFrame):
            await emit("pcm_frame", message)


def play(
    node: Extension,
    cues: Sequence[Cue],
    *,
    name: str = "node",
    vad: Extension | None = None,
    language: str = "en",
    tail_s: float = 0.5,
) -> Run:
    """Hand a node its cues."""
    run = Run()
    trial = Trial(
        name, node, cues, vad=vad, language=language, tail_s=tail_s, on_output=run.outputs.append
    )  # fmt: skip
    trial.run()
    run.cpu_s = trial.cpu_s
    return run


def own_cpu_s(run: Run, node: Extension, cues: Sequence[Cue]) -> float:
    """Processor time of the node alone: of its run, less that of the same run with an idle node."""
    idle = play(Idle(AudioFrame in node.outputs.values()), cues, tail_s=0)
    return max(0.0, run.cpu_s - idle.cpu_s)


def delays(name: str, ms: Sequence[float], on: str = "") -> list[Figure]:
    """P50 and P95 of times in milliseconds; nothing of nothing."""
    if not ms:
        return []
    count = f"{on}, {len(ms)} times" if on else f"{len(ms)} times"
    return [Figure(f"{name}, P{rank}", percentile(ms, rank), "ms", count) for rank in (50, 95)]


def percent(name: str, share: float, on: str) -> Figure:
    """A share of a whole."""
    return Figure(name, 100 * share, "%", on)
