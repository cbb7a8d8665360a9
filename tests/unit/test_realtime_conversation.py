"""The events of a call: their order, and that the `openai` package's own types take every one of them."""

import json
from typing import Any

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from voice_agent.media.heard_log import HeardLog
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
from voice_agent.realtime.commands import Commands, language_of
from voice_agent.realtime.conversation import Conversation
from voice_agent.realtime.events import Event

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


@pytest.fixture
def conversation() -> Conversation:
    return Conversation("en", "voice-agent")


def feed(conversation: Conversation, *messages: Message) -> list[Event]:
    return [event for message in messages for event in conversation.on_message(message)]


def types(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]


def a_turn(turn: int = 2, text: str = "where is my order") -> list[Message]:
    return [
        SpeechStarted(1.2),
        Transcript("where is", final=False),
        SpeechEnded(2.0),
        Transcript(text, final=True, end_s=2.0),
        TurnEnded(text, ended_s=2.0, turn=turn),
    ]


def test_a_whole_turn_in_the_order_that_the_api_documents(conversation: Conversation) -> None:
    events = conversation.session()
    events += feed(conversation, *a_turn(), Route("fast", "order status", turn=2))
    events += feed(conversation, Clause("It was sent yesterday.", turn=2), Heard(2, ""))
    events += feed(conversation, Clause("It arrives tomorrow.", final=True, turn=2))
    events += conversation.replies.generated(2)
    events += feed(conversation, Heard(2, "It was sent yesterday. It arrives tomorrow.", final=True))
    assert types(events) == [
        "session.created",
        "input_audio_buffer.speech_started",
        "conversation.item.input_audio_transcription.delta",
        "voice_agent.transcript",
        "input_audio_buffer.speech_stopped",
        "conversation.item.input_audio_transcription.delta",
        "voice_agent.transcript",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "voice_agent.route",
        "response.output_audio_transcript.delta",
        "output_audio_buffer.started",
        "voice_agent.heard",
        "response.output_audio_transcript.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
        "output_audio_buffer.stopped",
        "voice_agent.heard",
    ]


def test_openais_own_types_parse_every_event(conversation: Conversation) -> None:
    events = conversation.session() + conversation.session("session.updated")
    events += conversation.replies.begin(1) + feed(conversation, Clause("Hello.", turn=1), Heard(1, ""))
    events += conversation.replies.interrupted(1, 300)
    events += feed(conversation, *a_turn(), Clause("Yes.", final=True, turn=2), Heard(2, ""))
    events += conversation.replies.generated(2) + feed(conversation, Heard(2, "Yes.", final=True))
    events += conversation.typed("and the other one") + conversation.error("no", "bad", "event_9")
    events += feed(conversation, Failed("large", "it is down", turn=2))
    ours = [event for event in events if not event["type"].startswith("voice_agent.")]
    for event in ours:
        parsed = SERVER_EVENT.validate_python(event)
        assert parsed.type == event["type"]
        assert parsed.model_dump(mode="json", exclude_none=True) == event, "nothing is lost, nothing unknown"
    assert len({event["event_id"] for event in events}) == len(events)


def test_all_parts_of_a_reply_carry_the_same_ids(conversation: Conversation) -> None:
    events = feed(conversation, *a_turn(), Clause("Yes.", turn=2), Heard(2, ""))
    events += conversation.replies.generated(2)
    response_id = next(e["response"]["id"] for e in events if e["type"] == "response.created")
    item_id = next(e["item"]["id"] for e in events if e["type"] == "response.output_item.added")
    for event in events:
        assert event.get("response_id", response_id) == response_id
        if event["type"].startswith("response.content_part"):
            assert event["item_id"] == item_id


def test_an_interrupted_reply_is_cancelled_cleared_and_truncated(conversation: Conversation) -> None:
    feed(conversation, *a_turn(), Clause("It was sent yesterday.", turn=2), Heard(2, ""))
    assert conversation.replies.open_turns() == [2]
    events = conversation.replies.interrupted(2, 640)
    assert types(events)[-3:] == [
        "response.done",
        "output_audio_buffer.cleared",
        "conversation.item.truncated",
    ]
    done = next(e for e in events if e["type"] == "response.done")["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert events[-1]["audio_end_ms"] == 640
    assert conversation.replies.open_turns() == []


def test_a_reply_cut_while_it_only_plays_is_not_done_twice(conversation: Conversation) -> None:
    feed(conversation, *a_turn(), Clause("Yes.", final=True, turn=2), Heard(2, ""))
    assert types(conversation.replies.generated(2)).count("response.done") == 1
    assert "response.done" not in types(conversation.replies.interrupted(2, 100))


def test_interim_text_that_was_revised_is_told_whole(conversation: Conversation) -> None:
    events = feed(
        conversation,
        SpeechStarted(0.0),
        Transcript("wear", final=False),
        Transcript("where is", final=False),
    )
    assert [e["delta"] for e in events if e["type"].endswith(".delta")] == ["wear"]
    assert [e["text"] for e in events if e["type"] == "voice_agent.transcript"] == ["wear", "where is"]


def test_the_settled_part_of_a_text_is_told_with_what_was_said_before_it(conversation: Conversation) -> None:
    events = feed(
        conversation,
        SpeechStarted(0.0),
        Transcript("where was", final=False, stable=5),
        Transcript("where is", final=True),
        Transcript("my or", final=False),
        Transcript("my order was", final=False, stable=8),
    )
    told = [e["text"][: e["stable"]] for e in events if e["type"] == "voice_agent.transcript"]
    assert told == ["where", "where is", "where is", "where is my order"]


def test_a_turn_of_two_stretches_is_one_item(conversation: Conversation) -> None:
    events = feed(
        conversation,
        SpeechStarted(0.0),
        SpeechEnded(1.0),
        Transcript("my order", final=True, end_s=1.0),
        SpeechStarted(1.3),
        SpeechEnded(2.0),
        Transcript("is late", final=True, end_s=2.0),
        TurnEnded("my order is late", turn=2),
    )
    ids = {e["item_id"] for e in events if "audio_buffer" in e["type"] or "transcription" in e["type"]}
    assert len(ids) == 1
    deltas = [e["delta"] for e in events if e["type"].endswith("transcription.delta")]
    assert "".join(deltas) == "my order is late"


def test_a_typed_line_has_no_audio_events(conversation: Conversation) -> None:
    events = conversation.typed("hello") + feed(conversation, TurnEnded("hello", turn=2))
    assert not [t for t in types(events) if "audio_buffer" in t or "transcription" in t]
    assert types(events)[:3] == ["conversation.item.added", "conversation.item.done", "response.created"]


def test_holding_is_told(conversation: Conversation) -> None:
    assert feed(conversation, Hold(True))[0]["on"] is True


def test_the_way_the_voice_is_played_is_told(conversation: Conversation) -> None:
    told = conversation.playback("ducked")[0]
    assert (told["type"], told["mode"]) == ("voice_agent.playback", "ducked")


def truncate(item_id: object, end_ms: object) -> str:
    """A client's event."""
    event = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0}
    return json.dumps({**event, "audio_end_ms": end_ms})


class TestCommands:
    def test_a_typed_item_is_answered_when_a_response_is_asked_for(self, conversation: Conversation) -> None:
        commands = Commands(conversation, HeardLog())
        item = '{"role":"user","type":"message","content":[{"type":"input_text","text":"你好"}]}'
        assert not commands.receive(f'{{"type":"conversation.item.create","item":{item}}}').typed
        assert commands.receive('{"type":"response.create"}').typed == "你好"
        again = commands.receive('{"type":"response.create"}')
        assert again.events[0]["error"]["code"] == "nothing_to_respond_to"

    def test_a_typed_turn_is_not_told_as_speech_after_a_cough(self, conversation: Conversation) -> None:
        commands = Commands(conversation, HeardLog())
        feed(conversation, SpeechStarted(1.0), SpeechEnded(1.2), Transcript("", final=True, end_s=1.2))
        item = '{"role":"user","type":"message","content":[{"type":"input_text","text":"hello"}]}'
        commands.receive(f'{{"type":"conversation.item.create","item":{item}}}')
        typed = commands.receive('{"type":"response.create"}').typed
        assert types(feed(conversation, TurnEnded(typed, ended_s=3.0, turn=2)))[0] == "response.created"
        told = types(feed(conversation, *a_turn(3)))
        assert told.count("conversation.item.input_audio_transcription.completed") == 1

    def test_a_client_that_has_played_less_than_it_was_sent_may_say_so(
        self, conversation: Conversation
    ) -> None:
        """Word by word, and once more; the history is told only when it changes."""
        commands, item_id = self.after_a_reply(conversation)
        for end_ms, text in [(2100, None), (2000, "It was sent"), (900, "It was"), (900, None), (0, "")]:
            outcome = commands.receive(truncate(item_id, end_ms))
            told = outcome.events[0]
            assert (told["type"], told["audio_end_ms"]) == ("conversation.item.truncated", end_ms)
            assert told["item_id"] == item_id
            SERVER_EVENT.validate_python(told)
            expected = None if text is None else Heard(2, text, final=True, interrupted=True)
            assert outcome.truncated == expected

    def test_what_cannot_be_truncated_is_an_error_that_says_why(self, conversation: Conversation) -> None:
        commands, item_id = self.after_a_reply(conversation)
        feed(conversation, TurnEnded("and now", turn=3))
        under_way = conversation.replies._replies[3].item_id
        wrong = {
            truncate(item_id, 2101): "invalid_value",
            truncate(item_id, -1): "invalid_value",
            truncate(item_id, True): "invalid_value",
            truncate(7, 100): "invalid_value",
            truncate("item_of_nobody", 100): "item_truncate_invalid_item_id",
            truncate(under_way, 100): "item_not_over",
        }
        for event, code in wrong.items():
            outcome = commands.receive(event)
            assert types(outcome.events) == ["error"] and outcome.truncated is None
            assert outcome.events[0]["error"]["code"] == code

    def test_a_truncated_item_can_only_become_shorter(self, conversation: Conversation) -> None:
        commands, item_id = self.after_a_reply(conversation)
        commands.receive(truncate(item_id, 900))
        error = commands.receive(truncate(item_id, 1000)).events[0]["error"]
        assert error["message"] == "audio content of 900 ms is already shorter than 1000 ms"

    @staticmethod
    def after_a_reply(conversation: Conversation) -> tuple[Commands, str]:
        """A reply to turn 2 that was played for 2.1 s."""
        log = HeardLog()
        feed(conversation, *a_turn())
        for played_ms, text in [(20, ""), (400, "It"), (800, "It was"), (1600, "It was sent")]:
            log.note(Heard(2, text), played_ms)
        log.note(Heard(2, "It was sent yesterday.", final=True), 2100)
        return Commands(conversation, log), conversation.replies._replies[2].item_id

    @pytest.mark.parametrize("kind", ["response.cancel", "output_audio_buffer.clear"])
    def test_a_client_can_stop_the_reply(self, conversation: Conversation, kind: str) -> None:
        assert Commands(conversation, HeardLog()).receive(f'{{"type":"{kind}"}}').cancel

    def test_the_language_can_change(self, conversation: Conversation) -> None:
        update = '{"type":"session.update","session":{"audio":{"input":{"transcription":{"language":"zh"}}}}}'
        outcome = Commands(conversation, HeardLog()).receive(update)
        assert outcome.language == "zh"
        assert outcome.events[0]["session"]["audio"]["input"]["transcription"]["language"] == "zh"

    @pytest.mark.parametrize(
        "text", ["", "[]", "{", "null", '{"type":5}', '{"type":"no.such"}',
                 '{"type":"conversation.item.create"}',
                 '{"type":"conversation.item.create","item":{"role":"user","content":[{"text":5}]}}',
                 "[" * 100_000, '{"type":"conversation.item.create","item":{"role":"user","id":"a\\ud800",'
                 '"content":[{"text":"half of a character"}]}}']
    )  # fmt: skip
    def test_nonsense_is_answered_by_an_error(self, conversation: Conversation, text: str) -> None:
        outcome = Commands(conversation, HeardLog()).receive(text)
        assert types(outcome.events) == ["error"]
        SERVER_EVENT.validate_python(outcome.events[0])

    @pytest.mark.parametrize(
        "session", [None, [], {"audio": 5}, {"audio": {"input": {"transcription": {"language": 3}}}}]
    )
    def test_a_session_without_a_language(self, session: object) -> None:
        assert language_of(session) == ""
