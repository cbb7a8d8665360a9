"""Answers by an OpenAI-compatible `/v1/chat/completions`, streamed, with the vertical's persona and tools."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from extensions.llm._tools import Toolbox, ToolCallPart, ToolCalls
from voice_agent.dialogue.database import open_database
from voice_agent.dialogue.vertical import Vertical, load_vertical
from voice_agent.errors import GraphError, ModelError, TurnError
from voice_agent.extension import Emit, Extension
from voice_agent.message import Message, Prompt, Text
from voice_agent.openai_service import Service, read_events

log = logging.getLogger(__name__)
ON_THE_PHONE = {
    "en": "This is a phone call: answer in English, in one to three short spoken sentences, without "
    "markdown, lists, emoji or links. Never make up facts.",
    "zh": "这是电话通话：请用中文回答，只说一到三句简短的口语，不要用 Markdown、列表、表情或链接。"
    "不要编造事实。",
}
SAID_MEANWHILE = {
    "en": 'While you think, the caller may hear "{}": begin with the answer itself.',
    "zh": "在你思考时，来电者可能会先听到“{}”：请直接从答案本身说起。",
}


class Delta(BaseModel):
    """What is new."""

    content: str | None = None
    tool_calls: list[ToolCallPart] | None = None


class Choice(BaseModel):
    """There is one in a chunk, as we ask for one."""

    delta: Delta = Delta()
    finish_reason: str | None = None


class Chunk(BaseModel):
    """What we use of a `chat.completion.chunk`; one that counts tokens has no choice."""

    choices: list[Choice] = []


@dataclass
class OpenAiLlm(Extension):
    """Text leaves as it comes; tools are carried out in between, and the model goes on with their results."""

    base_url: str = ""
    """Such as "http://127.0.0.1:11434/v1"; "" takes OPENAI_BASE_URL, else OpenAI's own."""
    api_key: str = field(default="", repr=False)
    """ "" takes OPENAI_API_KEY, unless base_url is another service's."""
    model: str = "gpt-4.1-mini"
    vertical: str = ""
    """Whose persona and tools it has; "" for none."""
    system: str = ""
    """Instructions in place of the vertical's persona."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """None leaves it to the service; reasoning models refuse any."""
    max_tokens: Annotated[int, Field(ge=1)] = 300
    max_chars: Annotated[int, Field(ge=1)] = 2000
    """A reply is cut here, whatever the model does: about two minutes of speech."""
    max_tool_rounds: Annotated[int, Field(ge=0, le=16)] = 4
    """After so many rounds of tools the model must answer with what it knows."""
    first_token_timeout_s: Annotated[float, Field(gt=0)] = 8.0
    idle_timeout_s: Annotated[float, Field(gt=0)] = 4.0
    """Between tokens."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the request, such as {"reasoning_effort": "low"}."""

    inputs = (Prompt,)
    outputs = {"text": Text}

    def prepare(self) -> None:
        if self.vertical:
            try:
                open_database(load_vertical(self.vertical))
            except GraphError as error:
                raise ModelError(str(error)) from error
        self._find_service().check()

    def _find_service(self) -> Service:
        return Service.find(self.base_url, self.api_key)

    async def start(self) -> None:
        self._service = self._find_service()
        self._cut = asyncio.Event()
        self._vertical: Vertical | None = load_vertical(self.vertical) if self.vertical else None
        self._tools = await asyncio.to_thread(Toolbox, self._vertical)

    async def run(self, emit: Emit) -> None:
        await self._service.keep_warm(self._cut)

    def flush(self) -> None:
        self._cut.set()

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Prompt)
        messages = self._messages(message)
        said = 0
        for tool_rounds_left in reversed(range(self.max_tool_rounds + 1)):
            text, calls = "", ToolCalls()
            async with aclosing(self._complete(messages, calls, tool_rounds_left > 0)) as pieces:
                async for piece in pieces:
                    text += piece
                    await emit("text", Text(piece[: self.max_chars - said], message.language))
                    said += len(piece)
                    if said >= self.max_chars:
                        break
            if not calls or said >= self.max_chars or not tool_rounds_left:
                break
            messages += await self._carry_out(text, calls, message)
        if not said:
            raise TurnError(f"{self._service.base_url}: model '{self.model}' gave an empty answer")
        if said >= self.max_chars:
            log.warning("%s reply cut at %d characters", self.session.session_id, self.max_chars)
        await emit("text", Text("", message.language, final=True))

    def _messages(self, prompt: Prompt) -> list[dict[str, Any]]:
        system = self._system(prompt.language.split("-")[0].lower())
        history = [{"role": line.role, "content": line.text} for line in prompt.history]
        return [{"role": "system", "content": system}, *history, {"role": "user", "content": prompt.text}]

    def _system(self, language: str) -> str:
        """Who the model is, and how it speaks."""
        persona, fillers = self.system, list[str]()
        if self._vertical:
            spoken = self._vertical.speaks(language)
            persona = persona or self._vertical.persona[spoken]
            fillers = self._vertical.phrases[spoken].filler
        known = language if language in ON_THE_PHONE else "en"
        rules = [ON_THE_PHONE[known], *(SAID_MEANWHILE[known].format(filler) for filler in fillers[:1])]
        return f"{persona}\n\n{' '.join(rules)}".strip()

    async def _complete(
        self, messages: list[dict[str, Any]], calls: ToolCalls, may_call: bool
    ) -> AsyncGenerator[str]:
        """One answer of the model: its text in pieces, none empty; what it calls is added to `calls`."""
        url = f"{self._service.base_url}/chat/completions"
        ended = False
        try:
            async with (
                asyncio.timeout(self.first_token_timeout_s) as first_token,
                self._service.post(
                    "chat/completions",
                    first_s=self.first_token_timeout_s,
                    idle_s=self.idle_timeout_s,
                    json=self._body(messages, may_call),
                ) as pieces,
                aclosing(read_events(pieces, url)) as events,
            ):
                async for event in events:
                    for choice in Chunk.model_validate(event).choices:
                        calls.add(choice.delta.tool_calls or ())
                        ended = ended or choice.finish_reason is not None
                        if calls or choice.delta.content:
                            first_token.reschedule(None)
                        if choice.delta.content:
                            yield choice.delta.content
        except ValidationError as error:
            raise TurnError(f"{url}: expected a chat completion, got something else") from error
        except TimeoutError as error:
            raise TurnError(f"{url}: no token within {self.first_token_timeout_s:g} s") from error
        if not ended:
            raise TurnError(f"{url}: the answer ended in the middle")

    def _body(self, messages: list[dict[str, Any]], may_call: bool) -> dict[str, Any]:
        limit = "max_completion_tokens" if self._service.is_official else "max_tokens"
        body: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "stream": True,
            limit: self.max_tokens,
        }
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self._tools.definitions:
            body |= {"tools": self._tools.definitions, "tool_choice": "auto" if may_call else "none"}
        return {**body, **self.extra}

    async def _carry_out(self, text: str, calls: ToolCalls, prompt: Prompt) -> list[dict[str, Any]]:
        """The model's own message with its calls, and one message with the result of each."""
        language = self._vertical.speaks(prompt.language) if self._vertical else prompt.language
        context = {"session": self.session.session_id, "language": language, "topic": prompt.text}
        if any(self._tools.changes(call) for call in calls):
            await self.session.confirmed(prompt.turn)
        asked = {"role": "assistant", "content": text or None, "tool_calls": [c.as_request() for c in calls]}
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": await self._tools.call(call, context)}
            for call in calls
        ]
        return [asked, *results]
