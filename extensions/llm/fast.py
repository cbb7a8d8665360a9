"""Answers what a vertical knows by itself, in milliseconds: its intents, its flows and its database."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from voice_agent.dialogue import protected
from voice_agent.dialogue.database import open_database
from voice_agent.dialogue.dialogue import Dialogue, DialogueState, Reply, Work
from voice_agent.dialogue.flow import Query
from voice_agent.dialogue.intents import intent_model
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import GraphError, InputError, ModelError, TurnError
from voice_agent.extension import Emit, Extension
from voice_agent.message import Declined, Expecting, Message, Prompt, Text


@dataclass
class FastLlm(Extension):
    """Declines what it is not sure of, so that the router can ask a larger model."""

    vertical: str = "customer_service"
    """The name of a vertical, or the path of its folder."""
    min_probability: Annotated[float, Field(ge=0, le=1)] | None = None
    """Below this an answer is declined; None for the threshold that the model found on its examples."""

    inputs = (Prompt,)
    outputs = {"text": Text, "declined": Declined, "expecting": Expecting}

    def prepare(self) -> None:
        try:
            vertical = load_vertical(self.vertical)
        except GraphError as error:
            raise ModelError(str(error)) from error
        open_database(vertical)
        for language in vertical.languages:
            intent_model(self.vertical, language)

    async def start(self) -> None:
        self._vertical = load_vertical(self.vertical)
        self._database = await asyncio.to_thread(open_database, self._vertical)
        self._dialogues = {
            language: Dialogue(
                self._vertical, language, intent_model(self.vertical, language), self.min_probability
            )
            for language in self._vertical.languages
        }
        self._state = DialogueState()
        self._before = DialogueState()
        """The state before the prompt that was answered last."""
        self._answered = Prompt("")

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Prompt)
        self._take_back_unheard(message)
        dialogue = self._dialogues[self._vertical.speaks(message.language)]
        if message.flow:
            work = dialogue.begin(self._state, message.flow, message.text)
        else:
            heard = next((line.text for line in reversed(message.history) if line.role == "assistant"), "")
            work = dialogue.reply(self._state, message.text, heard)
        reply = await self._carry_out(work, message, dialogue.language)
        self._state = reply.state
        await emit("expecting", dialogue.expects(reply.state))
        if reply.declined:
            await emit("declined", Declined(message, reply.declined))
        else:
            for text in protected.texts(reply.text, dialogue.language):
                await emit("text", text)

    def _take_back_unheard(self, prompt: Prompt) -> None:
        """Go back to the state before the last prompt when this one is its continuation: the caller went on
        speaking before anything of the answer was heard, so that its words come again, with more.
        """
        last = self._answered
        if prompt.turn is None or prompt.turn != last.turn:
            continued = last.text and prompt.text.startswith(last.text) and prompt.history == last.history
            if continued:
                self._state = self._before
            self._before = self._state
        self._answered = prompt

    def flush(self) -> None:
        if self.session.is_tentative(self._answered.turn):  # the caller had not ended: it was never asked
            self._state, self._answered = self._before, Prompt("")

    async def _carry_out(self, work: Work, prompt: Prompt, language: str) -> Reply:
        """Run the dialogue, doing its queries in a thread; what changes anything waits for a sure turn."""
        try:
            query = next(work)
            while True:
                if self._vertical.tool(query.tool).changes:
                    await self.session.confirmed(prompt.turn)
                query = work.send(await asyncio.to_thread(self._run_query, query, language))
        except StopIteration as end:
            reply: Reply = end.value
            return reply

    def _run_query(self, query: Query, language: str) -> list[dict[str, str | int | float | None]]:
        context = {"session": self.session.session_id, "language": language, "topic": query.topic}
        try:
            return self._database.run(self._vertical.tool(query.tool), query.arguments, context)
        except InputError as error:
            raise TurnError(str(error)) from error
