"""The agent's replies as events: made, played, heard, or cut."""

from dataclasses import dataclass, field
from typing import Any

from openai.types import realtime as api
from openai.types.realtime import realtime_server_event as server
from openai.types.realtime.realtime_conversation_item_assistant_message import Content
from openai.types.realtime.realtime_response_status import RealtimeResponseStatus
from openai.types.realtime.response_content_part_added_event import Part as PartAdded
from openai.types.realtime.response_content_part_done_event import Part as PartDone
from pydantic import BaseModel

from voice_agent.message import Clause, Heard
from voice_agent.realtime.events import Event, Events, new_id
from voice_agent.spoken import join

KEPT_REPLIES = 10
"""Events of a reply may come this many turns after it."""


@dataclass
class Reply:
    """The response to one turn."""

    response_id: str = field(default_factory=lambda: new_id("resp"))
    item_id: str = field(default_factory=lambda: new_id("item"))
    text: str = ""
    """The clauses made so far, joined."""
    generated: bool = False
    """`response.done` has been sent."""
    playing: bool = False

    def item(self, status: Any) -> api.RealtimeConversationItemAssistantMessage:
        """The item of the conversation that this reply is."""
        begun = status == "in_progress"
        return api.RealtimeConversationItemAssistantMessage(
            type="message",
            role="assistant",
            id=self.item_id,
            object="realtime.item",
            status=status,
            content=[] if begun else [Content(type="output_audio", transcript=self.text)],
        )

    def response(self, status: Any, reason: Any = None) -> api.RealtimeResponse:
        """The response as a whole; `reason` says why it was cancelled."""
        complete = "completed" if status == "completed" else "incomplete"
        return api.RealtimeResponse(
            id=self.response_id,
            object="realtime.response",
            status=status,
            status_details=RealtimeResponseStatus(type=status, reason=reason) if reason else None,
            output=[] if status == "in_progress" else [self.item(complete)],
            output_modalities=["audio"],
        )


class ReplySide:
    """The replies of one call, by turn."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._replies: dict[int, Reply] = {}

    def response_id(self, turn: int) -> str | None:
        """The id of the response to a turn."""
        return reply.response_id if (reply := self._replies.get(turn)) else None

    def turn_of(self, item_id: str) -> int | None:
        """The turn whose reply is this item of the conversation."""
        return next((turn for turn, reply in self._replies.items() if reply.item_id == item_id), None)

    def open_turns(self) -> list[int]:
        """The turns whose reply is being made or played."""
        return [turn for turn, reply in self._replies.items() if reply.playing or not reply.generated]

    def begin(self, turn: int) -> list[Event]:
        """A response to this turn is under way."""
        reply = self._replies[turn] = Reply()
        self._replies.pop(turn - KEPT_REPLIES, None)
        item = reply.item("in_progress")
        previous = self._events.add_item(reply.item_id)
        make = self._events.make
        return [
            make(api.ResponseCreatedEvent, "response.created", response=reply.response("in_progress")),
            make(
                api.ResponseOutputItemAddedEvent,
                "response.output_item.added",
                response_id=reply.response_id,
                output_index=0,
                item=item,
            ),
            make(api.ConversationItemAdded, "conversation.item.added", item=item, previous_item_id=previous),
            self._content(
                reply,
                api.ResponseContentPartAddedEvent,
                "response.content_part.added",
                part=PartAdded(type="audio", transcript=""),
            ),
        ]

    def clause(self, message: Clause) -> list[Event]:
        """More of the reply's text is known."""
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

    def heard(self, message: Heard) -> list[Event]:
        """Playout begins, goes on, ends by itself, or has been cut by the caller."""
        reply = self._replies.get(message.reply)
        if reply is None:
            return []
        events = []
        if not reply.playing and not message.final:
            reply.playing = True
            events.append(self._output_audio(reply, server.OutputAudioBufferStarted, "started"))
        if message.final and not message.interrupted and reply.playing:
            reply.playing = False
            events.append(self._output_audio(reply, server.OutputAudioBufferStopped, "stopped"))
        heard = self._events.extra(
            "heard",
            response_id=reply.response_id,
            item_id=reply.item_id,
            text=message.text,
            final=message.final,
            interrupted=message.interrupted,
        )
        return [*events, heard]

    def interrupted(self, turn: int, heard_ms: int) -> list[Event]:
        """The caller has cut the reply to this turn after `heard_ms` of it."""
        reply = self._replies.get(turn)
        if reply is None:
            return []
        events = [] if reply.generated else self._finish(reply, "cancelled", "turn_detected")
        if reply.playing:
            reply.playing = False
            events += [
                self._output_audio(reply, server.OutputAudioBufferCleared, "cleared"),
                *self.truncated(turn, heard_ms),
            ]
        return events

    def truncated(self, turn: int, heard_ms: int) -> list[Event]:
        """No more than `heard_ms` of the reply to this turn was heard."""
        item_id = self._replies[turn].item_id
        type_ = "conversation.item.truncated"
        cls = api.ConversationItemTruncatedEvent
        return [self._events.make(cls, type_, item_id=item_id, content_index=0, audio_end_ms=heard_ms)]

    def _finish(self, reply: Reply, status: str, reason: str | None = None) -> list[Event]:
        reply.generated = True
        item = reply.item("completed" if status == "completed" else "incomplete")
        part = PartDone(type="audio", transcript=reply.text)
        transcript_done = "response.output_audio_transcript.done"
        make = self._events.make
        return [
            self._content(reply, api.ResponseAudioDoneEvent, "response.output_audio.done"),
            self._content(
                reply, api.ResponseAudioTranscriptDoneEvent, transcript_done, transcript=reply.text
            ),
            self._content(reply, api.ResponseContentPartDoneEvent, "response.content_part.done", part=part),
            make(
                api.ResponseOutputItemDoneEvent,
                "response.output_item.done",
                response_id=reply.response_id,
                output_index=0,
                item=item,
            ),
            make(api.ConversationItemDone, "conversation.item.done", item=item),
            make(api.ResponseDoneEvent, "response.done", response=reply.response(status, reason)),
        ]

    def _content(self, reply: Reply, cls: type[BaseModel], type_: str, **fields: Any) -> Event:
        place = {"response_id": reply.response_id, "item_id": reply.item_id}
        return self._events.make(cls, type_, **place, output_index=0, content_index=0, **fields)

    def _output_audio(self, reply: Reply, cls: type[BaseModel], what: str) -> Event:
        return self._events.make(cls, f"output_audio_buffer.{what}", response_id=reply.response_id)
