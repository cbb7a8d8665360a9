"""From the graph's messages to the OpenAI Realtime API's events, in the order that API documents.

Pure: messages in, events out, so that every transport sends the same. The classes are the `openai`
package's own. What the API lacks goes out as `voice_agent.*` events, which other clients ignore.
"""

import itertools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openai.types import realtime as api
from openai.types.realtime import realtime_server_event as server
from openai.types.realtime.conversation_item_input_audio_transcription_completed_event import (
    UsageTranscriptTextUsageDuration,
)
from openai.types.realtime.realtime_conversation_item_assistant_message import Content as AssistantContent
from openai.types.realtime.realtime_conversation_item_user_message import Content as UserContent
from openai.types.realtime.realtime_response_status import RealtimeResponseStatus
from openai.types.realtime.response_content_part_added_event import Part as PartAdded
from openai.types.realtime.response_content_part_done_event import Part as PartDone
from pydantic import BaseModel

from voice_agent.message import (
    Clause,
    Failed,
    Heard,
    Hold,
    Message,
    Route,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    TurnEnded,
)
from voice_agent.spoken import join

Event = dict[str, Any]


def new_id(prefix: str) -> str:
    """An identifier such as `item_3f2a...`, in the API's style."""
    return f"{prefix}_{uuid.uuid4().hex[:20]}"


@dataclass
class Reply:
    """The response to one turn."""

    turn: int
    response_id: str = field(default_factory=lambda: new_id("resp"))
    item_id: str = field(default_factory=lambda: new_id("item"))
    text: str = ""
    """The clauses made so far, joined."""
    generated: bool = False
    """`response.done` has been sent."""
    playing: bool = False


class Conversation:
    """The protocol state of one call. Each method returns the events to send, in order."""

    def __init__(self, session_id: str, language: str, model: str) -> None:
        self.session_id = session_id
        self.language = language
        self.model = model
        self._ids = itertools.count(1)
        self._last_item: str | None = None
        self._user_item: str | None = None
        """The caller's item under way, from its first sound to the end of the turn."""
        self._interim = ""
        self._understood = ""
        self._replies: dict[int, Reply] = {}

    # --- session ---

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
        return [self._event(cls, type=type_, session=session)]

    def error(self, message: str, code: str, cause: str | None = None) -> list[Event]:
        """Tell the client what it did wrong, or what went wrong here; the call goes on."""
        error = api.RealtimeError(type="invalid_request_error", message=message, code=code, event_id=cause)
        return [self._event(api.RealtimeErrorEvent, type="error", error=error)]

    # --- the caller ---

    def on_message(self, message: Message) -> list[Event]:
        """The events that tell of a message; none for those that have no meaning on the wire."""
        match message:
            case SpeechStarted():
                return self._speech_started(message)
            case SpeechEnded():
                return self._speech_stopped(message)
            case Transcript():
                return self._transcript(message)
            case TurnEnded(turn=int(turn)):
                return [*self._user_turn(message), *self.begin_reply(turn)]
            case Clause():
                return self._clause(message)
            case Heard():
                return self._heard(message)
            case Route():
                return self._extra("route", message.turn, to=message.to, reason=message.reason)
            case Hold():
                return [self._custom("hold", on=message.on)]
            case Failed():
                return self._failed(message)
        return []

    def typed(self, text: str, item_id: str | None = None) -> list[Event]:
        """The caller's typed line becomes an item of the conversation."""
        content = UserContent(type="input_text", text=text)
        return self._user_item_events(item_id or new_id("item"), content)

    def _speech_started(self, message: SpeechStarted) -> list[Event]:
        self._user_item = self._user_item or new_id("item")
        start_ms = round(message.time_s * 1000)
        return [
            self._event(
                api.InputAudioBufferSpeechStartedEvent,
                type="input_audio_buffer.speech_started",
                item_id=self._user_item,
                audio_start_ms=start_ms,
            )
        ]

    def _speech_stopped(self, message: SpeechEnded) -> list[Event]:
        if self._user_item is None:
            return []
        return [
            self._event(
                api.InputAudioBufferSpeechStoppedEvent,
                type="input_audio_buffer.speech_stopped",
                item_id=self._user_item,
                audio_end_ms=round(message.time_s * 1000),
            )
        ]

    def _transcript(self, message: Transcript) -> list[Event]:
        """Interim text is appended as a delta while it only grows; `voice_agent.transcript` has all of it,
        also where the recogniser changed its mind."""
        if self._user_item is None:
            return []
        whole = join(self._understood, message.text)
        if message.final:
            self._understood = whole
        events = []
        if whole.startswith(self._interim) and whole != self._interim:
            events.append(
                self._event(
                    api.ConversationItemInputAudioTranscriptionDeltaEvent,
                    type="conversation.item.input_audio_transcription.delta",
                    item_id=self._user_item,
                    content_index=0,
                    delta=whole[len(self._interim) :],
                )
            )
            self._interim = whole
        events.append(self._custom("transcript", item_id=self._user_item, text=whole, final=message.final))
        return events

    def _user_turn(self, message: TurnEnded) -> list[Event]:
        item_id, self._user_item = self._user_item, None
        self._interim = self._understood = ""
        if item_id is None:  # it was typed
            return []
        committed = self._event(
            api.InputAudioBufferCommittedEvent,
            type="input_audio_buffer.committed",
            item_id=item_id,
            previous_item_id=self._last_item,
        )
        completed = self._event(
            api.ConversationItemInputAudioTranscriptionCompletedEvent,
            type="conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=message.text,
            usage=UsageTranscriptTextUsageDuration(type="duration", seconds=message.ended_s),
        )
        content = UserContent(type="input_audio", transcript=message.text)
        return [committed, *self._user_item_events(item_id, content), completed]

    def _user_item_events(self, item_id: str, content: UserContent) -> list[Event]:
        item = api.RealtimeConversationItemUserMessage(
            type="message",
            role="user",
            id=item_id,
            object="realtime.item",
            status="completed",
            content=[content],
        )
        previous, self._last_item = self._last_item, item_id
        return [
            self._event(cls, type=f"conversation.item.{end}", item=item, previous_item_id=previous)
            for cls, end in ((api.ConversationItemAdded, "added"), (api.ConversationItemDone, "done"))
        ]

    # --- the reply ---

    def begin_reply(self, turn: int) -> list[Event]:
        """A response to this turn is under way."""
        reply = self._replies[turn] = Reply(turn)
        self._replies = {number: kept for number, kept in self._replies.items() if number > turn - 10}
        previous, self._last_item = self._last_item, reply.item_id
        item = self._assistant_item(reply, "in_progress", with_content=False)
        return [
            self._event(
                api.ResponseCreatedEvent,
                type="response.created",
                response=self._response(reply, "in_progress"),
            ),
            self._event(
                api.ResponseOutputItemAddedEvent,
                type="response.output_item.added",
                response_id=reply.response_id,
                output_index=0,
                item=item,
            ),
            self._event(
                api.ConversationItemAdded,
                type="conversation.item.added",
                item=item,
                previous_item_id=previous,
            ),
            self._content(
                reply,
                api.ResponseContentPartAddedEvent,
                "response.content_part.added",
                part=PartAdded(type="audio", transcript=""),
            ),
        ]

    def _clause(self, message: Clause) -> list[Event]:
        reply = self._replies.get(message.turn or 0)
        if reply is None or not message.text:
            return []
        whole = join(reply.text, message.text)
        delta, reply.text = whole[len(reply.text) :], whole
        type_ = "response.output_audio_transcript.delta"
        return [self._content(reply, api.ResponseAudioTranscriptDeltaEvent, type_, delta=delta)]

    def generated(self, turn: int) -> list[Event]:
        """All of the reply's sound has been made."""
        reply = self._replies.get(turn)
        return [] if reply is None or reply.generated else self._finish(reply, "completed")

    def _finish(self, reply: Reply, status: str, reason: str | None = None) -> list[Event]:
        reply.generated = True
        item = self._assistant_item(reply, "completed" if status == "completed" else "incomplete")
        part = PartDone(type="audio", transcript=reply.text)
        done = "response.output_audio_transcript.done"
        return [
            self._content(reply, api.ResponseAudioDoneEvent, "response.output_audio.done"),
            self._content(reply, api.ResponseAudioTranscriptDoneEvent, done, transcript=reply.text),
            self._content(reply, api.ResponseContentPartDoneEvent, "response.content_part.done", part=part),
            self._event(
                api.ResponseOutputItemDoneEvent,
                type="response.output_item.done",
                response_id=reply.response_id,
                output_index=0,
                item=item,
            ),
            self._event(
                api.ConversationItemDone,
                type="conversation.item.done",
                item=item,
                previous_item_id=None,
            ),
            self._event(
                api.ResponseDoneEvent,
                type="response.done",
                response=self._response(reply, status, reason),
            ),
        ]

    def _heard(self, message: Heard) -> list[Event]:
        """Playout begins, goes on, ends by itself, or is cut by the caller."""
        reply = self._replies.get(message.reply)
        if reply is None:
            return []
        events = []
        if not reply.playing and not message.final:
            reply.playing = True
            events.append(self._output_audio(reply, server.OutputAudioBufferStarted, "started"))
        if message.final and not message.interrupted and reply.playing:
            events.append(self._output_audio(reply, server.OutputAudioBufferStopped, "stopped"))
            reply.playing = False
        heard = self._custom(
            "heard",
            response_id=reply.response_id,
            item_id=reply.item_id,
            text=message.text,
            final=message.final,
            interrupted=message.interrupted,
        )
        return [*events, heard]

    def open_turns(self) -> list[int]:
        """The turns whose reply is being made or played."""
        return [turn for turn, reply in self._replies.items() if reply.playing or not reply.generated]

    def interrupted(self, turn: int, heard_ms: int) -> list[Event]:
        """The caller cut the reply to this turn after `heard_ms` of it."""
        reply = self._replies.get(turn)
        if reply is None:
            return []
        events = [] if reply.generated else self._finish(reply, "cancelled", "turn_detected")
        if reply.playing:
            reply.playing = False
            events.append(self._output_audio(reply, server.OutputAudioBufferCleared, "cleared"))
            events.append(
                self._event(
                    api.ConversationItemTruncatedEvent,
                    type="conversation.item.truncated",
                    item_id=reply.item_id,
                    content_index=0,
                    audio_end_ms=heard_ms,
                )
            )
        return events

    def latency(
        self,
        turn: int,
        voice_to_voice_ms: float,
        stages: Mapping[str, float],
        overlapped: Mapping[str, float],
    ) -> list[Event]:
        """Where the time went, in milliseconds, from the caller's last sound to the first of the reply."""
        return self._extra(
            "latency",
            turn,
            voice_to_voice_ms=round(voice_to_voice_ms, 1),
            stages=[{"name": name, "ms": round(ms, 1)} for name, ms in stages.items()],
            overlapped=[{"name": name, "ms": round(ms, 1)} for name, ms in overlapped.items()],
        )

    def _failed(self, message: Failed) -> list[Event]:
        error = api.RealtimeError(
            type="server_error", message=f"node '{message.node}': {message.reason}", code="reply_failed"
        )
        return [self._event(api.RealtimeErrorEvent, type="error", error=error)]

    # --- building blocks ---

    def _response(self, reply: Reply, status: Any, reason: Any = None) -> api.RealtimeResponse:
        output: list[Any] = [] if status == "in_progress" else [self._assistant_item(reply, "completed")]
        details = RealtimeResponseStatus(type=status, reason=reason) if reason else None
        return api.RealtimeResponse(
            id=reply.response_id,
            object="realtime.response",
            status=status,
            status_details=details,
            output=output,
            output_modalities=["audio"],
            conversation_id=self.session_id,
        )

    def _assistant_item(
        self, reply: Reply, status: Any, with_content: bool = True
    ) -> api.RealtimeConversationItemAssistantMessage:
        content = [AssistantContent(type="output_audio", transcript=reply.text)] if with_content else []
        return api.RealtimeConversationItemAssistantMessage(
            type="message",
            role="assistant",
            id=reply.item_id,
            object="realtime.item",
            status=status,
            content=content,
        )

    def _content(self, reply: Reply, cls: type[BaseModel], type_: str, **fields: Any) -> Event:
        place = {"item_id": reply.item_id, "output_index": 0, "content_index": 0}
        return self._event(cls, type=type_, response_id=reply.response_id, **place, **fields)

    def _output_audio(self, reply: Reply, cls: type[BaseModel], what: str) -> Event:
        return self._event(cls, type=f"output_audio_buffer.{what}", response_id=reply.response_id)

    def _extra(self, name: str, turn: int | None, **fields: Any) -> list[Event]:
        reply = self._replies.get(turn or 0)
        return [self._custom(name, response_id=reply.response_id, **fields)] if reply else []

    def _custom(self, name: str, **fields: Any) -> Event:
        return {"type": f"voice_agent.{name}", "event_id": f"event_{next(self._ids)}", **fields}

    def _event(self, cls: type[BaseModel], **fields: Any) -> Event:
        event = cls(event_id=f"event_{next(self._ids)}", **fields)
        return event.model_dump(mode="json", exclude_none=True)
