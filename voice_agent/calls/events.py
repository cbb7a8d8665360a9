"""What the server tells on the data channel, kept as facts about the call. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

NETWORK = ("received", "lost", "recovered", "concealed", "late", "gap_ms")
"""What the event `voice_agent.network` counts anew each time, in packets unless said otherwise."""


@dataclass
class Response:
    """One reply of the agent, with the loop times at which its events came."""

    response_id: str
    created_s: float
    started_s: float | None = None
    """The agent's voice began."""
    ended_s: float | None = None
    """It ended by itself or was cut."""
    cut: bool = False
    transcript: str = ""
    """All that was made of it."""
    heard: str | None = None
    """What was played of it, by the server's account; None where it gives none."""
    route: str = ""
    route_reason: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)
    server_voice_to_voice_ms: float | None = None

    @property
    def text(self) -> str:
        """What was played, else what was made."""
        return self.transcript if self.heard is None else self.heard


@dataclass(frozen=True)
class HeardAs:
    """What the agent understood."""

    time_s: float
    transcript: str


class EventLog:
    """Takes the events of one call in their order; skips what it does not know, and tells what is broken."""

    def __init__(self) -> None:
        self.responses: dict[str, Response] = {}
        """By id, in the order in which they were created."""
        self.heard_as: list[HeardAs] = []
        self.connection: list[str] = []
        """What was told of the line: "waiting" when the caller's packets stayed away, "connected" after."""
        self.errors: list[str] = []
        self.copies_wanted = False
        """The server has asked for packets that carry copies."""
        self.network: Counter[str] = Counter()
        """What the server has told of the caller's packets, summed up: received, lost, concealed ..."""
        self.count = 0

    @property
    def playing(self) -> Response | None:
        """The reply whose voice has begun and not ended."""
        running = (r for r in self.responses.values() if r.started_s is not None and r.ended_s is None)
        return next(running, None)

    @property
    def last_begun(self) -> Response | None:
        """The reply whose voice began last."""
        return next(reversed(self.begun_since(0.0)), None)

    def begun_since(self, time_s: float) -> list[Response]:
        """The replies whose voice began after a moment."""
        begun = [r for r in self.responses.values() if r.started_s is not None and r.started_s > time_s]
        return sorted(begun, key=lambda response: response.started_s or 0.0)

    def receive(self, text: str, now: float) -> None:
        """Take an event as JSON text."""
        try:
            event = from_json(text)  # unlike `json`, it takes no endless nesting
            type_ = str(event["type"])
        except (ValueError, TypeError, KeyError):
            self.errors.append(f"the server sent an event that is not JSON with a type: {text[:80]!r}")
            return
        self.count += 1
        if type_ == "error":
            error = event.get("error")
            message = error.get("message") if isinstance(error, dict) else error
            self.errors.append(f"the server told: {message}")
        elif type_ == "voice_agent.redundancy":
            self.copies_wanted = event.get("on") is True
        elif type_ == "conversation.item.input_audio_transcription.completed":
            self.heard_as.append(HeardAs(now, str(event.get("transcript", ""))))
        elif type_ == "voice_agent.connection":
            self.connection.append(str(event.get("state", "")))
        elif type_ == "voice_agent.network":
            self.network.update({name: event[name] for name in NETWORK if isinstance(event.get(name), int)})
        elif response_id := _response_id(event):
            response = self.responses.setdefault(response_id, Response(response_id, now))
            try:
                _tell(response, type_, event, now)
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                self.errors.append(f"the server sent a broken {type_}: {error}")


def _response_id(event: dict[str, Any]) -> str:
    response = event.get("response")
    found = response.get("id") if isinstance(response, dict) else event.get("response_id")
    return found if isinstance(found, str) else ""


def _tell(response: Response, type_: str, event: dict[str, Any], now: float) -> None:
    match type_:
        case "output_audio_buffer.started":
            response.started_s = now
        case "output_audio_buffer.stopped":
            response.ended_s = now
        case "output_audio_buffer.cleared":
            response.ended_s, response.cut = now, True
        case "response.output_audio_transcript.delta":
            response.transcript += str(event.get("delta", ""))
        case "response.output_audio_transcript.done":
            response.transcript = str(event.get("transcript", ""))
        case "voice_agent.heard":
            response.heard = str(event.get("text", ""))
        case "voice_agent.route":
            response.route, response.route_reason = str(event.get("to", "")), str(event.get("reason", ""))
        case "voice_agent.latency":
            response.server_voice_to_voice_ms = float(event["voice_to_voice_ms"])
            stages = [stage for stage in event.get("stages", ()) if isinstance(stage, dict)]
            response.stages_ms = {str(stage.get("name")): float(stage.get("ms", 0)) for stage in stages}
