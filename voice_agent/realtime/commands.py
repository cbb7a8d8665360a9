"""What a client may send on the events channel: the part of the Realtime API that has a meaning here."""

from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from voice_agent.media.heard_log import HeardLog
from voice_agent.message import Heard
from voice_agent.realtime.conversation import Conversation
from voice_agent.realtime.events import Event


@dataclass
class Outcome:
    """What a client's event asks for."""

    events: list[Event] = field(default_factory=list)
    """To send back."""
    typed: str = ""
    """A typed line to answer."""
    cancel: bool = False
    """Stop the reply."""
    language: str = ""
    """The caller's new language."""
    truncated: Heard | None = None
    """What was really heard of a reply that is over, where the client has played less than was sent."""


class Commands:
    """Reads the client's events; what is wrong with one is answered by an `error` event."""

    def __init__(self, conversation: Conversation, log: HeardLog) -> None:
        self._conversation = conversation
        self._log = log
        self._typed = ""
        """A typed item that waits for `response.create`."""

    def receive(self, text: str) -> Outcome:
        """Take one event as JSON text."""
        try:
            event = from_json(text)  # unlike `json`, it takes neither half characters nor endless nesting
            type_ = event["type"]
        except (ValueError, TypeError, KeyError):
            return self._error("expected a JSON object with a 'type'", "invalid_json", {})
        match type_:
            case "conversation.item.create":
                return self._item(event)
            case "response.create":
                return self._respond(event)
            case "response.cancel" | "output_audio_buffer.clear":
                return Outcome(cancel=True)
            case "session.update":
                return self._session(event)
            case "conversation.item.truncate":
                return self._truncate(event)
        return self._error(
            f"this server does not take events of type {str(type_)[:60]!r}", "unknown_event", event
        )

    def _item(self, event: dict[str, Any]) -> Outcome:
        item = event.get("item")
        content = item.get("content") if isinstance(item, dict) else None
        parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
        texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
        line = " ".join(texts).strip()[:2000]
        if not line or not isinstance(item, dict) or item.get("role") != "user":
            return self._error("expected an item with role 'user' and some input_text", "invalid_item", event)
        self._typed = line
        item_id = item.get("id")
        return Outcome(self._conversation.typed(line, item_id if isinstance(item_id, str) else None))

    def _respond(self, event: dict[str, Any]) -> Outcome:
        if not self._typed:
            return self._error("there is no new typed item to respond to", "nothing_to_respond_to", event)
        line, self._typed = self._typed, ""
        return Outcome(typed=line)

    def _truncate(self, event: dict[str, Any]) -> Outcome:
        """The client has played no more than so much of a reply; its history will have no more."""
        item_id, end_ms = event.get("item_id"), event.get("audio_end_ms")
        if not isinstance(item_id, str) or type(end_ms) is not int or end_ms < 0:
            expected = "expected an item_id and an audio_end_ms of 0 or more, a whole number"
            return self._error(expected, "invalid_value", event)
        turn = self._conversation.replies.turn_of(item_id)
        if turn is None:
            message = f"there is no item {item_id[:60]!r} of the agent's, or it is too old to be truncated"
            return self._error(message, "item_truncate_invalid_item_id", event)
        length_ms = self._log.length_ms(turn)
        if length_ms is None:
            expected = "expected an item whose playing is over: cancel its response first"
            return self._error(expected, "item_not_over", event)
        if end_ms > length_ms:
            message = f"audio content of {length_ms} ms is already shorter than {end_ms} ms"
            return self._error(message, "invalid_value", event)
        events = self._conversation.replies.truncated(turn, end_ms)
        return Outcome(events, truncated=self._log.truncate(turn, end_ms) if end_ms < length_ms else None)

    def _session(self, event: dict[str, Any]) -> Outcome:
        language = language_of(event.get("session"))
        if language:
            self._conversation.language = language
        return Outcome(self._conversation.session("session.updated"), language=language)

    def _error(self, message: str, code: str, event: Any) -> Outcome:
        cause = event.get("event_id") if isinstance(event, dict) else None
        return Outcome(self._conversation.error(message, code, cause if isinstance(cause, str) else None))


def language_of(session: object) -> str:
    """The language in a session's `audio.input.transcription.language`; "" where there is none."""
    value = session
    for key in ("audio", "input", "transcription", "language"):
        value = value.get(key) if isinstance(value, dict) else None
    return value[:20] if isinstance(value, str) else ""
