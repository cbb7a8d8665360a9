"""From the graph's messages to the OpenAI Realtime API's events, in the order that API documents.

Pure: messages in, events out, so that every transport sends the same. What the API lacks goes out as
`voice_agent.*` events.
"""

from typing import Literal

from openai.types import realtime as api

from voice_agent.media.network_watch import NetworkReport
from voice_agent.message import (
    Clause,
    Failed,
    Heard,
    Hold,
    Message,
    Nudge,
    PlaybackMode,
    Route,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    TurnEnded,
)
from voice_agent.realtime.caller_side import CallerSide
from voice_agent.realtime.events import Event, Events
from voice_agent.realtime.latency import Latency
from voice_agent.realtime.reply_side import ReplySide


class Conversation:
    """The protocol state of one call. Each method returns the events to send, in order."""

    def __init__(self, language: str, model: str) -> None:
        self.language = language
        self.model = model
        self._events = Events()
        self._caller = CallerSide(self._events)
        self.replies = ReplySide(self._events)

    def session(self, type_: str = "session.created") -> list[Event]:
        """The session as it is, for `session.created` and `session.updated`."""
        session = api.RealtimeSessionCreateRequest.model_validate(
            {
                "type": "realtime",
                "model": self.model,
                "output_modalities": ["audio"],
                "audio": {"input": {"transcription": {"language": self.language}}},
            }
        )
        cls = api.SessionCreatedEvent if type_ == "session.created" else api.SessionUpdatedEvent
        return [self._events.make(cls, type_, session=session)]

    def error(self, message: str, code: str, cause: str | None = None) -> list[Event]:
        """Tell the client what it did wrong; the call goes on. `cause` is the id of the client's event."""
        return self._error(type="invalid_request_error", message=message, code=code, event_id=cause)

    def typed(self, text: str, item_id: str | None = None) -> list[Event]:
        """The caller's typed line becomes an item of the conversation."""
        return self._caller.typed(text, item_id)

    def on_message(self, message: Message) -> list[Event]:
        """The events that tell of a message; none for one that has no meaning on the wire."""
        match message:
            case SpeechStarted():
                return self._caller.speech_started(message)
            case SpeechEnded():
                return self._caller.speech_stopped(message)
            case Transcript():
                return self._caller.transcript(message)
            case TurnEnded(turn=int(turn)):
                return [*self._caller.turn_ended(message), *self.replies.begin(turn)]
            case Nudge(turn=int(turn)):
                return self.replies.begin(turn)
            case Clause(turn=None):
                return [self._events.extra("backchannel", text=message.text)]
            case Clause():
                return self.replies.clause(message)
            case Heard():
                return self.replies.heard(message)
            case Route(turn=int(turn)):
                return self._about(turn, "route", to=message.to, reason=message.reason)
            case Hold():
                return [self._events.extra("hold", on=message.on)]
            case Failed():
                reason = f"node '{message.node}': {message.reason}"
                return self._error(type="server_error", message=reason, code="reply_failed")
        return []

    def latency(self, turn: int, latency: Latency) -> list[Event]:
        """Where the time of a turn went."""
        return self._about(
            turn,
            "latency",
            voice_to_voice_ms=round(latency.voice_to_voice_ms, 1),
            stages=_rounded(latency.stages_ms),
            overlapped=_rounded(latency.overlapped_ms),
        )

    def network(self, report: NetworkReport) -> list[Event]:
        """How the packets of both sides have come of late; and a word to the caller when its packets should
        begin or cease to carry copies."""
        received, sent = report.received, report.sent
        told = self._events.extra(
            "network",
            received=received.received,
            lost=received.lost,
            recovered=received.recovered,
            concealed=received.concealed,
            late=received.late,
            gap_ms=round(received.gap_s * 1000),
            jitter_ms=round(received.jitter_s * 1000, 1),
            wait_ms=round(received.wait_s * 1000, 1),
            rtt_ms=None if sent.rtt_s is None else round(sent.rtt_s * 1000, 1),
            sent_lost=round(sent.loss, 4),
            bitrate=sent.bitrate,
            copies=report.copies,
        )
        if report.ask_for_copies is None:
            return [told]
        return [told, self._events.extra("redundancy", on=report.ask_for_copies)]

    def connection(self, state: Literal["waiting", "connected"]) -> list[Event]:
        """The line is down and the session waits for the caller, or it is up again."""
        return [self._events.extra("connection", state=state)]

    def playback(self, mode: PlaybackMode) -> list[Event]:
        """How the agent's voice is played from now on."""
        return [self._events.extra("playback", mode=mode)]

    def _about(self, turn: int, name: str, **fields: object) -> list[Event]:
        response_id = self.replies.response_id(turn)
        return [self._events.extra(name, response_id=response_id, **fields)] if response_id else []

    def _error(self, **fields: str | None) -> list[Event]:
        error = api.RealtimeError.model_validate(fields)
        return [self._events.make(api.RealtimeErrorEvent, "error", error=error)]


def _rounded(stages_ms: dict[str, float]) -> list[dict[str, object]]:
    return [{"name": name, "ms": round(ms, 1)} for name, ms in stages_ms.items()]
