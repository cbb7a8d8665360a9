"""llm.openai against a real HTTP server on 127.0.0.1."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.llm._tools import ToolCallPart, ToolCalls
from extensions.llm.openai import OpenAiLlm
from voice_agent.calls.stand_in_services import FakeOpenAi, serve
from voice_agent.dialogue.database import open_database
from voice_agent.dialogue.vertical import Vertical, load_vertical
from voice_agent.errors import ModelError, TurnError
from voice_agent.message import Message, Prompt, Text, Utterance
from voice_agent.openai_service import read_events
from voice_agent.testing import attach, collect

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
PROMPT = Prompt("Where is my order?", turn=1)


def ask(llm: OpenAiLlm, prompt: Prompt = PROMPT) -> list[Text]:
    return asyncio.run(collect(llm, prompt, prepare=False)).of(Text)


def sent(fake: FakeOpenAi, index: int = 0) -> dict[str, Any]:
    return fake.to("/chat/completions")[index].fields


def test_text_leaves_in_pieces_and_ends_with_a_final_one() -> None:
    with serve(reply="It is on its way.") as fake:
        texts = ask(OpenAiLlm(base_url=fake.url))
    assert [text.text for text in texts] == ["It ", "is ", "on ", "its ", "way.", ""]
    assert [text.final for text in texts] == [False] * 5 + [True]
    assert {text.turn for text in texts} == {1}


def test_the_first_piece_does_not_wait_for_the_last() -> None:
    times: list[float] = []

    async def main() -> None:
        llm = OpenAiLlm(base_url=fake.url, first_token_timeout_s=0.4)  # shorter than the whole answer
        attach(llm)
        await llm.start()

        async def listen(port: str, message: Message) -> None:
            times.append(asyncio.get_running_loop().time() - fake.to("/completions")[0].received_s)

        await llm.handle(PROMPT, listen)

    with serve(llm_ms=60, token_ms=60, reply="1 2 3 4 5 6 7 8 9 10") as fake:
        asyncio.run(main())
    assert times[0] >= 0.06
    assert times[-1] - times[0] > 0.4


def test_the_request_holds_instructions_history_and_question() -> None:
    history = (Utterance("user", "Hello"), Utterance("assistant", "Hello, how can I help?"))
    with serve() as fake:
        llm = OpenAiLlm(
            base_url=fake.url, model="m", system="Be kind.", temperature=0.3, max_tokens=99, extra={"seed": 7}
        )
        ask(llm, replace(PROMPT, history=history))
    body = sent(fake)
    assert {
        "model": "m",
        "stream": True,
        "temperature": 0.3,
        "max_tokens": 99,
        "seed": 7,
    }.items() <= body.items()
    assert "tools" not in body
    system, *lines = body["messages"]
    assert system["role"] == "system"
    assert system["content"].startswith("Be kind.\n\n") and "phone call" in system["content"]
    assert lines == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello, how can I help?"},
        {"role": "user", "content": "Where is my order?"},
    ]


def test_a_chinese_prompt_is_instructed_and_answered_in_chinese() -> None:
    with serve(reply="您的包裹明天送到。") as fake:
        texts = ask(OpenAiLlm(base_url=fake.url), Prompt("我的包裹呢？", language="zh-CN", turn=1))
    assert "".join(text.text for text in texts) == "您的包裹明天送到。"
    assert {text.language for text in texts} == {"zh-CN"}
    assert "电话" in sent(fake)["messages"][0]["content"]


@pytest.mark.parametrize(("language", "filler"), [("en", "Let me look at that."), ("zh", "我看一下。")])
def test_the_model_knows_what_is_said_while_it_thinks(language: str, filler: str) -> None:
    with serve() as fake:
        ask(OpenAiLlm(base_url=fake.url, vertical="customer_service"), replace(PROMPT, language=language))
    assert filler in sent(fake)["messages"][0]["content"]


FAULTS = [
    ("refuse-401", "HTTP 401: told to fail with 401"),
    ("missing-404", "HTTP 404: told to fail with 404"),
    ("error-429", "HTTP 429: told to fail with 429"),
    ("error-500", "HTTP 500: told to fail with 500"),
    ("unprocessable", "HTTP 422: Field required$"),
    ("stall", "(nothing came for|no token within) 1 s"),
    ("stall-mid", "nothing came for 0.5 s"),
    ("garbage", "expected events in JSON"),
    ("garbage-shape", "expected a chat completion"),
    ("die", "the connection broke"),
    ("cut", "ended in the middle"),
    ("error-event", "overloaded"),
    ("empty", "gave an empty answer"),
]


@pytest.mark.parametrize(("model", "reason"), FAULTS)
def test_a_failing_service_ends_in_one_clear_line(model: str, reason: str) -> None:
    with serve() as fake:
        llm = OpenAiLlm(
            base_url=fake.url, model=model, api_key="sk-hidden", first_token_timeout_s=1.0, idle_timeout_s=0.5
        )
        with pytest.raises(TurnError, match=reason) as failure:
            ask(llm)
    assert fake.url in str(failure.value)
    assert "\n" not in str(failure.value)
    assert "sk-hidden" not in str(failure.value)


def test_a_service_that_keeps_the_line_open_without_a_token_is_given_up() -> None:
    with serve() as fake:
        llm = OpenAiLlm(base_url=fake.url, model="comments", first_token_timeout_s=0.2, idle_timeout_s=0.1)
        with pytest.raises(TurnError, match=r"no token within 0\.2 s"):
            ask(llm)


def test_a_refused_connection_is_a_turn_error() -> None:
    with pytest.raises(TurnError, match=r"http://127\.0\.0\.1:9/v1/chat/completions: cannot connect"):
        ask(OpenAiLlm(base_url="http://127.0.0.1:9/v1"))


def test_an_interruption_closes_the_stream_at_once() -> None:
    async def main() -> None:
        llm = OpenAiLlm(base_url=fake.url, model="stall-mid", idle_timeout_s=60)
        attach(llm)
        await llm.start()
        begun = asyncio.Event()

        async def listen(port: str, message: Message) -> None:
            begun.set()

        handling = asyncio.create_task(llm.handle(PROMPT, listen))
        async with asyncio.timeout(5):
            await begun.wait()
            handling.cancel()
            await asyncio.wait({handling})
            assert await asyncio.to_thread(fake.disconnects.get, timeout=2) == "/v1/chat/completions"
        assert handling.cancelled()

    with serve() as fake:
        asyncio.run(main())


def test_after_an_interruption_a_connection_is_opened_ahead() -> None:
    async def main() -> None:
        llm = OpenAiLlm(base_url=fake.url)
        emit = attach(llm)
        await llm.start()
        warming = asyncio.create_task(llm.run(emit))
        assert await asyncio.to_thread(fake.arrivals.get, timeout=2) == "/v1/models"
        fake.close_connections()
        llm.flush()
        assert await asyncio.to_thread(fake.arrivals.get, timeout=2) == "/v1/models"
        warming.cancel()
        await asyncio.wait({warming})

    with serve() as fake:
        asyncio.run(main())
    first, second = fake.requests
    assert first.port != second.port


def test_a_reply_without_end_is_cut() -> None:
    with serve(reply="blah " * 1000, token_ms=0.1) as fake:
        texts = ask(OpenAiLlm(base_url=fake.url, max_chars=52))
        assert fake.disconnects.get(timeout=2) == "/v1/chat/completions"
    assert "".join(text.text for text in texts) == ("blah " * 20)[:52]
    assert texts[-1].final


def test_the_connection_is_kept_between_turns_and_opened_anew_when_the_server_closed_it() -> None:
    async def main() -> None:
        llm = OpenAiLlm(base_url=fake.url)
        emit = attach(llm)
        await llm.start()
        await llm._service.warm()
        for _ in range(3):
            await llm.handle(PROMPT, emit)
        fake.close_connections()
        await llm.handle(PROMPT, emit)

    with serve() as fake:
        asyncio.run(main())
    ports = [request.port for request in fake.to("/chat/completions")]
    assert ports[0] == ports[1] == ports[2] != ports[3]


def test_a_request_that_meets_a_closing_connection_is_sent_once_more() -> None:
    with serve(drops=1, reply="Hello.") as fake:
        texts = ask(OpenAiLlm(base_url=fake.url))
        assert "".join(text.text for text in texts) == "Hello."
        fake.drops = 2
        with pytest.raises(TurnError, match="the connection broke"):
            ask(OpenAiLlm(base_url=fake.url))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vertical:
    """The vertical that ships, with a database of its own."""
    monkeypatch.setenv("VOICE_AGENT_STATE", str(tmp_path))
    return load_vertical("customer_service")


def calls(*arguments: str, name: str = "find_order") -> list[dict[str, str]]:
    return [{"name": name, "arguments": text} for text in arguments]


def results(fake: FakeOpenAi, index: int = 1) -> list[Any]:
    """What the model was told of its calls, in its request number `index`."""
    return [json.loads(m["content"]) for m in sent(fake, index)["messages"] if m["role"] == "tool"]


def test_a_tool_is_called_and_the_model_goes_on_with_its_result(shop: Vertical) -> None:
    with serve() as fake:
        fake.replies = [["Let me ", "see. ", *calls('{"order_number": "1234"}')], ["It is ", "shipped."]]
        texts = ask(OpenAiLlm(base_url=fake.url, vertical="customer_service"))
    assert "".join(text.text for text in texts) == "Let me see. It is shipped."
    assert [text.final for text in texts] == [False] * 4 + [True]
    first, second = sent(fake), sent(fake, 1)
    assert [tool["function"]["name"] for tool in first["tools"]] == [tool.name for tool in shop.tools]
    assert "sql" not in first["tools"][0]["function"]
    assert first["tool_choice"] == "auto"
    assert first["messages"][0]["content"].startswith(shop.persona["en"])
    asked, told = second["messages"][2:]
    assert asked["content"] == "Let me see. "
    assert asked["tool_calls"][0]["function"] == {
        "name": "find_order",
        "arguments": '{"order_number": "1234"}',
    }
    assert told["tool_call_id"] == asked["tool_calls"][0]["id"]
    assert json.loads(told["content"])["rows"][0]["order_number"] == "1234"


def test_tools_called_side_by_side_are_each_answered(shop: Vertical) -> None:
    with serve() as fake:
        fake.replies = [calls('{"order_number": "1234"}', '{"order_number": "2468"}'), ["Two."]]
        ask(OpenAiLlm(base_url=fake.url, vertical="customer_service"))
    assert [result["rows"][0]["order_number"] for result in results(fake)] == ["1234", "2468"]


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("find_order", "{broken", "not JSON"),
        ("find_order", "[1]", "expected the arguments as a JSON object, not list"),
        ("find_order", "{}", "'order_number' is missing"),
        ("find_order", '{"order_number": "12 or so"}', "'order_number' must match"),
        ("find_order", '{"order_number": "1234", "colour": "red"}', "no argument 'colour'"),
        ("create_return", '{"order_number": "2345", "reason": "mood"}', "'reason' must be one of: damaged"),
        ("drop_tables", "{}", "no tool 'drop_tables'"),
    ],
)
def test_a_wrong_call_is_told_to_the_model(shop: Vertical, name: str, arguments: str, error: str) -> None:
    with serve() as fake:
        fake.replies = [calls(arguments, name=name), ["I could not find that."]]
        texts = ask(OpenAiLlm(base_url=fake.url, vertical="customer_service"))
    assert error in results(fake)[0]["error"]
    assert texts[-1].final


def test_a_model_that_never_stops_calling_must_answer_in_the_end(shop: Vertical) -> None:
    with serve() as fake:
        fake.replies = [[*calls('{"order_number": "1234"}')] for _ in range(5)]
        with pytest.raises(TurnError, match="empty answer"):
            ask(OpenAiLlm(base_url=fake.url, vertical="customer_service", max_tool_rounds=2))
    choices = [request.fields["tool_choice"] for request in fake.to("/completions")]
    assert choices == ["auto", "auto", "none"]


def test_a_tool_writes_with_the_callers_session_and_words(shop: Vertical) -> None:
    with serve() as fake:
        fake.replies = [calls('{"phone": "5550100200"}', name="request_callback"), ["Done."]]
        ask(
            OpenAiLlm(base_url=fake.url, vertical="customer_service"),
            Prompt("我要投诉", language="zh-CN", turn=1),
        )
    with closing(sqlite3.connect(open_database(shop).path)) as database:
        rows = database.execute("SELECT phone, topic, language, session FROM callbacks").fetchall()
    assert rows == [("5550100200", "我要投诉", "zh", "sess_test")]


@pytest.mark.parametrize("index", [0, None])
def test_calls_without_an_index_of_their_own_are_told_apart_by_id(index: int | None) -> None:
    assembled = ToolCalls()
    for name, arguments in (("a", '{"x": 1}'), ("b", "{}")):
        part = {"index": index, "id": f"id_{name}", "function": {"name": name, "arguments": arguments}}
        assembled.add([ToolCallPart.model_validate(part)])
    assert [(c.id, c.name, c.arguments) for c in assembled] == [
        ("id_a", "a", '{"x": 1}'),
        ("id_b", "b", "{}"),
    ]


def test_texts_and_keys_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with serve(reply="a secret answer") as fake, caplog.at_level(logging.INFO):
        ask(OpenAiLlm(base_url=fake.url, api_key="sk-hidden"), Prompt("a secret question", turn=1))
    assert "secret" not in caplog.text and "sk-hidden" not in caplog.text


def test_prepare_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ModelError, match="set OPENAI_API_KEY"):
        OpenAiLlm().prepare()
    with pytest.raises(ModelError, match="cannot reach"):
        OpenAiLlm(base_url="http://127.0.0.1:9/v1").prepare()
    with pytest.raises(ModelError, match="unknown vertical 'nothing'"):
        OpenAiLlm(vertical="nothing", api_key="sk-test").prepare()


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_survive_any_cut(size: int) -> None:
    events = [{"text": "one"}, {"text": "二"}, {"text": "three"}]
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}\r\n\r\n" for event in events]
    stream = (": a comment\n\n" + "".join(lines) + "data: [DONE]\n\ndata: after the end\n\n").encode()

    async def main() -> list[dict[str, object]]:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(stream), size):
                yield stream[start : start + size]

        return [event async for event in read_events(pieces(), "http://test")]

    assert asyncio.run(main()) == events


@given(
    st.lists(st.one_of(st.binary(), JSON.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n")))
)
def test_any_garbage_ends_as_events_or_a_turn_error(pieces: list[bytes]) -> None:
    async def main() -> None:
        async def stream() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        with suppress(TurnError):
            async for event in read_events(stream(), "http://test"):
                assert isinstance(event, dict)

    asyncio.run(main())
