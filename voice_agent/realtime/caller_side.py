"""What the caller does, as events: sound that starts and stops, what was understood, lines typed."""

from openai.types import realtime as api
from openai.types.realtime.conversation_item_input_audio_transcription_completed_event import (
    UsageTranscriptTextUsageDuration,
)
from openai.types.realtime.realtime_conversation_item_user_message import Content

from voice_agent.message import SpeechEnded, SpeechStarted, Transcript, TurnEnded
from voice_agent.realtime.events import Event, Events, new_id
from voice_agent.spoken import join


class CallerSide:
    """One item of the conversation for each of the caller's turns, from its first sound on."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._item: str | None = None
        """The item under way."""
        self._told = ""
        """The item's text as far as deltas have told it."""
        self._understood = ""
        """The final transcripts of the item so far, joined."""
        self._typed = ""
        """The line typed last, until a turn has ended."""

    def speech_started(self, message: SpeechStarted) -> list[Event]:
        """A stretch of speech begins; a turn may have several."""
        self._item = self._item or new_id("item")
        type_ = "input_audio_buffer.speech_started"
        start_ms = round(message.time_s * 1000)
        cls = api.InputAudioBufferSpeechStartedEvent
        return [self._events.make(cls, type_, item_id=self._item, audio_start_ms=start_ms)]

    def speech_stopped(self, message: SpeechEnded) -> list[Event]:
        """A stretch of speech ends."""
        if self._item is None:
            return []
        type_ = "input_audio_buffer.speech_stopped"
        end_ms = round(message.time_s * 1000)
        cls = api.InputAudioBufferSpeechStoppedEvent
        return [self._events.make(cls, type_, item_id=self._item, audio_end_ms=end_ms)]

    def transcript(self, message: Transcript) -> list[Event]:
        """Text is told by deltas while it only grows; `voice_agent.transcript` always has all of it,
        also where the recogniser has changed its mind, and how many of its characters are settled."""
        if self._item is None:
            return []
        before = self._understood
        whole = join(before, message.text)
        if message.final:
            self._understood = whole
        events = []
        if whole.startswith(self._told) and whole != self._told:
            type_ = "conversation.item.input_audio_transcription.delta"
            delta, self._told = whole[len(self._told) :], whole
            cls = api.ConversationItemInputAudioTranscriptionDeltaEvent
            events.append(self._events.make(cls, type_, item_id=self._item, content_index=0, delta=delta))
        told = self._events.extra(
            "transcript",
            item_id=self._item,
            text=whole,
            final=message.final,
            stable=len(join(before, message.stable_text)),
        )
        return [*events, told]

    def turn_ended(self, message: TurnEnded) -> list[Event]:
        """The item is complete. A typed turn was told when it came; a sound that is under way, a cough
        for instance, has no part in it."""
        item_id, self._item = self._item, None
        typed, self._typed = self._typed, ""
        self._told = self._understood = ""
        if item_id is None or (typed and message.text == typed):
            return []
        committed = self._events.make(
            api.InputAudioBufferCommittedEvent,
            "input_audio_buffer.committed",
            item_id=item_id,
            previous_item_id=self._events.last_item,
        )
        completed = self._events.make(
            api.ConversationItemInputAudioTranscriptionCompletedEvent,
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=message.text,
            usage=UsageTranscriptTextUsageDuration(type="duration", seconds=message.ended_s),
        )
        item = self._add_item(item_id, Content(type="input_audio", transcript=message.text))
        return [committed, *item, completed]

    def typed(self, text: str, item_id: str | None) -> list[Event]:
        """A typed line becomes an item."""
        self._typed = text
        return self._add_item(item_id or new_id("item"), Content(type="input_text", text=text))

    def _add_item(self, item_id: str, content: Content) -> list[Event]:
        item = api.RealtimeConversationItemUserMessage(
            type="message",
            role="user",
            id=item_id,
            object="realtime.item",
            status="completed",
            content=[content],
        )
        previous = self._events.add_item(item_id)
        added, done = api.ConversationItemAdded, api.ConversationItemDone
        return [
            self._events.make(added, "conversation.item.added", item=item, previous_item_id=previous),
            self._events.make(done, "conversation.item.done", item=item, previous_item_id=previous),
        ]
