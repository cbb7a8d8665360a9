"""When the latest replies were heard, word by word: for a client that has played less than it was sent."""

from dataclasses import dataclass, field

from voice_agent.message import Heard

KEPT_REPLIES = 10
"""A client truncates the reply that was interrupted, or the one before."""


@dataclass
class _Line:
    """One reply: what had been heard of it, and when."""

    steps: list[tuple[int, int]] = field(default_factory=list)
    """Milliseconds of the reply, and so many characters of its text heard by then; both grow."""
    text: str = ""
    over: bool = False
    end_ms: int = 0


class HeardLog:
    """The replies of one call, by turn; the latest few."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}

    def note(self, heard: Heard, played_ms: int) -> None:
        """What was heard when so much of the reply had been played."""
        line = self._lines.setdefault(heard.reply, _Line())
        while len(self._lines) > KEPT_REPLIES:
            del self._lines[next(iter(self._lines))]
        line.text, line.over, line.end_ms = heard.text, heard.final, played_ms
        line.steps.append((played_ms, len(heard.text)))

    def length_ms(self, turn: int) -> int | None:
        """How much of the reply to a turn was played; None while it goes on, or when it is forgotten."""
        line = self._lines.get(turn)
        return line.end_ms if line and line.over else None

    def truncate(self, turn: int, end_ms: int) -> Heard:
        """No more than `end_ms`, at most `length_ms`, of the reply has been played; what was heard of it."""
        line = self._lines[turn]
        if end_ms < line.end_ms:
            line.steps = [step for step in line.steps if step[0] <= end_ms]
            line.end_ms = end_ms
            line.text = line.text[: line.steps[-1][1] if line.steps else 0].rstrip()
        return Heard(turn, line.text, final=True, interrupted=True)
