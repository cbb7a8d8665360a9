"""What a network does to packets, as data: the files in `profiles/`, one's own files, and recorded traces."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voice_agent.errors import InputError
from voice_agent.network import trace as traces

FOLDER = Path(__file__).parent / "profiles"
TRACE = "trace:"
TRACE_DELAY_MS = 27.0
"""What a trace does not tell: half of a 4G round trip of 53 ms (Ofcom 2014), as in 4g_typical."""
Share = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0, le=60_000)]
Seconds = Annotated[float, Field(ge=0.01, le=86_400)]


class Part(BaseModel):
    """Unknown fields are mistakes, and so are infinities."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Gaps(Part):
    """Times at which nothing is delivered."""

    every_s: Seconds
    """From the start of one to the start of the next, on average."""
    min_ms: Milliseconds
    mean_ms: Milliseconds
    max_ms: Milliseconds
    regular: bool = False
    """Exactly every `every_s`, from a random first one on; else at random moments."""
    first_s: Seconds | None = None
    """When the first one of a regular kind begins, after the start of the call; at random where not told."""
    lost: bool = False
    """What is sent meanwhile is lost; else it is held and arrives at the end of the gap, all at once."""
    both_ways: bool = False
    """At the same times in both directions, as when a phone changes its cell."""

    @model_validator(mode="after")
    def _in_order(self) -> "Gaps":
        if not self.min_ms <= self.mean_ms <= self.max_ms:
            raise ValueError("expected min_ms <= mean_ms <= max_ms")
        if self.every_s * 1000 <= (self.max_ms if self.regular else self.mean_ms):
            raise ValueError("expected every_s to be longer than the gaps")
        if self.first_s is not None and not self.regular:
            raise ValueError("first_s: expected regular gaps")
        return self


class LinkSettings(Part):
    """One direction. The defaults are a perfect link."""

    delay_ms: Milliseconds = 0.0
    """Mean of the delay that does not come from gaps, rate or queue."""
    jitter_ms: Milliseconds = 0.0
    """Its standard deviation; the distribution is log-normal: never negative, with a long tail."""
    jitter_memory_ms: Milliseconds = 0.0
    """Time in which the delay's autocorrelation falls to 1/e; 0 draws each packet's delay afresh."""
    loss: Share = 0.0
    """Share of packets lost at random, over all; gaps and the full queue lose further ones."""
    loss_burst: Annotated[float, Field(ge=1)] | None = None
    """Mean length of a bad stretch in packets (Gilbert-Elliott); None for independent losses."""
    loss_in_burst: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of packets lost within a bad stretch."""
    gaps: Annotated[tuple[Gaps, ...], Field(max_length=8)] = ()
    reorder: Share = 0.0
    """Share of packets that take `reorder_ms` longer and are overtaken; all others keep their order."""
    reorder_ms: Milliseconds = 0.0
    duplicate: Share = 0.0
    """Share of packets that arrive twice."""
    rate_mbit_s: Annotated[float, Field(ge=traces.LEAST_MBIT_S)] | None = None
    """None for no limit."""
    queue_bytes: Annotated[int, Field(ge=1)] = 150_000
    """What waits for its turn or for the end of a gap; a packet that finds no room is lost (drop-tail)."""

    @model_validator(mode="after")
    def _possible(self) -> "LinkSettings":
        if self.jitter_ms and not self.delay_ms:
            raise ValueError("jitter_ms: expected a delay_ms above 0 for it to vary")
        bad = self.loss / self.loss_in_burst
        if self.loss_burst is not None and bad > self.loss_burst / (self.loss_burst + 1):
            raise ValueError("loss: more than bursts of this length can make up")
        if self.reorder and not self.reorder_ms:
            raise ValueError("reorder_ms: expected more than 0 where packets are reordered")
        return self


class Handover(Part):
    """The caller changes to another network: silence, then another address."""

    at_s: Seconds
    """After the start of the call."""
    hole_ms: Milliseconds
    """In which everything is lost in both directions."""
    to: str
    """The profile from then on."""


@dataclass(frozen=True)
class Profile:
    """A network; `down` goes to the caller, `up` comes from the caller."""

    name: str
    description: str
    source: tuple[str, ...]
    """What the figures rest on."""
    down: LinkSettings
    up: LinkSettings
    handover: Handover | None = None
    after: "Profile | None" = None
    """What `handover.to` names."""
    trace: traces.Trace | None = None
    """Replaces the rate, in both directions."""


class _File(Part):
    """A profile's file; `both` holds what the two directions share and has been merged into them."""

    description: Annotated[str, Field(min_length=1)]
    source: Annotated[tuple[str, ...], Field(min_length=1)]
    down: LinkSettings
    up: LinkSettings
    handover: Handover | None = None


def shipped() -> list[str]:
    """The profiles that come along, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> Profile:
    """A profile by its name, as `FILE.json`, or as `trace:FILE`. Raises InputError."""
    if name.startswith(TRACE):
        return _of_trace(Path(name.removeprefix(TRACE)))
    path = Path(name) if name.endswith(".json") else FOLDER / f"{name}.json"
    if not name.endswith(".json") and name not in shipped():
        known = ", ".join([*shipped(), "FILE.json", "trace:FILE"])
        raise InputError(f"there is no network profile '{name[:60]}'; expected one of {known}")
    profile = _read(path)
    if profile.handover is None:
        return profile
    if profile.handover.to not in shipped():
        said = f"expected one of {', '.join(shipped())}, got '{profile.handover.to[:60]}'"
        raise InputError(f"{path}: handover.to: {said}")
    after = _read(FOLDER / f"{profile.handover.to}.json")
    if after.handover is not None:
        raise InputError(f"{path}: handover.to: expected a profile without a handover of its own")
    return replace(profile, after=after)


def _of_trace(path: Path) -> Profile:
    trace = traces.load(path)
    link = LinkSettings(delay_ms=TRACE_DELAY_MS)
    description = f"recorded: {trace.mean_mbit_s:.2f} Mbit/s on average, repeats after {trace.period_s:.0f} s"
    return Profile(f"{TRACE}{path}", description, (str(path),), link, link, trace=trace)


def _read(path: Path) -> Profile:
    try:
        content: Any = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path}: expected JSON: {error}") from error
    parts = {key: content.get(key, {}) for key in ("both", "down", "up")} if isinstance(content, dict) else {}
    if not parts or not all(isinstance(part, dict) for part in parts.values()):
        raise InputError(f"{path}: expected a JSON object whose fields both, down and up are objects")
    merged = {key: parts["both"] | parts[key] for key in ("down", "up")}
    try:
        file = _File.model_validate({k: v for k, v in content.items() if k != "both"} | merged)
    except ValidationError as error:
        problems = dict.fromkeys(_told(path, parts, item) for item in error.errors())
        raise InputError("; ".join(problems)) from error
    return Profile(path.stem, file.description, file.source, file.down, file.up, file.handover)


def _told(path: Path, parts: dict[str, dict[str, Any]], item: Any) -> str:
    """A mistake found by pydantic, as one line that names the field where the file has it."""
    place = [str(part) for part in item["loc"]]
    if len(place) > 1 and place[0] in parts and place[1] not in parts[place[0]]:
        place[0] = "both"
    came = "" if item["type"] in ("missing", "value_error") else f", got {item['input']!r:.60}"
    return f"{path}: {'.'.join(place)}: {item['msg']}{came}"
