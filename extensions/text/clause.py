"""Cut a reply into clauses that can be spoken, the first one early: `voice_agent.clauses` says where."""

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from voice_agent.clauses import Cutter
from voice_agent.extension import Emit, Extension
from voice_agent.message import Clause, Message, Text


@dataclass
class ClauseCutter(Extension):
    """Text to clauses. Characters are counted as English ones; a Chinese one counts for three."""

    first_min_chars: Annotated[int, Field(ge=1)] = 12
    """The first clause of a reply may end at a comma once it has as much, so that the voice starts early."""
    min_chars: Annotated[int, Field(ge=1)] = 40
    """Later ones end at a comma only from here on; the end of a sentence cuts whatever its length."""
    max_chars: Annotated[int, Field(ge=20)] = 240
    """No clause is longer: it is cut between words, or anywhere in Chinese."""

    inputs = (Text,)
    outputs = {"clause": Clause}

    async def start(self) -> None:
        self.flush()

    def flush(self) -> None:
        self._turn: int | None = None
        self._cutter = Cutter(self.first_min_chars, self.min_chars, self.max_chars)
        self._language = ""
        """Of the latest piece with text: the end of a reply may come without."""
        self._protected = False
        """The same."""

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, Text)
        if message.turn != self._turn:
            self.flush()
            self._turn = message.turn
        clauses = self._before(message)
        language, protected = self._language, self._protected
        whole = self._cutter.push(message.text, message.final)
        if message.final:
            self.flush()
        clauses += [Clause(text, language, protected=protected) for text in whole]
        for index, clause in enumerate(clauses, 1):
            final = message.final and index == len(clauses)
            await emit("clause", replace(clause, final=final))

    def _before(self, message: Text) -> list[Clause]:
        """What must be spoken before this piece, because one of them may be interrupted and the other not."""
        clauses = []
        if message.text:
            if message.protected != self._protected:
                pending = self._cutter.close()
                clauses = [Clause(text, self._language, protected=self._protected) for text in pending]
            self._protected = message.protected
        if message.text or not self._language:
            self._language = message.language
        return clauses
