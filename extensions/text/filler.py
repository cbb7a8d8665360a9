"""Break the silence while a large model takes its time: "Let me look at that."

It stands before the clause cutter, so that all of a reply passes here: what it says comes before the answer,
in the same reply, and the answer does not say it again.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from extensions.text._opening import Opening
from voice_agent.dialogue import protected
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import GraphError, ModelError
from voice_agent.extension import Emit, Extension
from voice_agent.message import Message, Prompt, Text


@dataclass
class Filler(Extension):
    """Give it the prompts that a slow node answers, and the text of every node. Once a turn is sure it waits
    for so long for the first text, and then says a phrase of the vertical (`filler`), if it has one."""

    vertical: str = "customer_service"
    """The name of a vertical, or the path of its folder."""
    after_ms: Annotated[int, Field(ge=0, le=30_000)] | None = None
    """None for the vertical's `filler_ms`."""

    inputs = (Prompt, Text)
    outputs = {"text": Text}

    def prepare(self) -> None:
        try:
            load_vertical(self.vertical)
        except GraphError as error:
            raise ModelError(str(error)) from error

    async def start(self) -> None:
        self._vertical = load_vertical(self.vertical)
        after_ms = self._vertical.manners.filler_ms if self.after_ms is None else self.after_ms
        self._after_s = after_ms / 1000
        self._waits = asyncio.TaskGroup()
        self._waiting: asyncio.Task[None] | None = None
        self._turn: int | None = None
        """The turn whose answer is, or was, waited for."""
        self._opening: Opening | None = None
        """What its answer shall not begin with, once that has been said."""
        self._said = 0

    async def run(self, emit: Emit) -> None:
        """Own the waiting under way: it must not keep `handle` from the text that it waits for."""
        async with self._waits:
            await asyncio.Event().wait()

    async def handle(self, message: Message, emit: Emit) -> None:
        match message:
            case Prompt():
                self.flush()
                self._turn = message.turn
                if phrases := self._phrases(message.language):
                    self._waiting = self._waits.create_task(self._wait(message, phrases, emit))
            case Text():
                await self._pass(message, emit)

    def flush(self) -> None:
        self._stop_waiting()
        self._turn, self._opening = None, None

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None

    async def _wait(self, prompt: Prompt, phrases: list[str], emit: Emit) -> None:
        await self.session.confirmed(prompt.turn)
        await asyncio.sleep(self._after_s)
        phrase = phrases[self._said % len(phrases)]
        self._said += 1
        self._opening = Opening(phrases)
        for piece in protected.texts(f"{phrase}\n", prompt.language, final=False):  # a clause of its own
            await emit("text", replace(piece, turn=prompt.turn))

    async def _pass(self, text: Text, emit: Emit) -> None:
        """Hand a text on. The first one of the answer is what was waited for."""
        if text.turn == self._turn:
            self._stop_waiting()
            if self._opening:
                text = replace(text, text=self._opening.rest(text.text, text.final))
        if text.text or text.final:
            await emit("text", text)

    def _phrases(self, language: str) -> list[str]:
        return self._vertical.phrases[self._vertical.speaks(language)].filler
