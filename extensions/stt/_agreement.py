"""Which words of a growing utterance are settled: those on which two decodes in a row agree.

Local agreement (Liu, Spanakis and Niehues 2020; with Whisper, Macháček, Dabre and Bojar 2023): each decode
is of all the sound so far, and what it has in common with the decode before it will not change any more.
Later decodes are made to begin with it, so that it cannot, and is not paid for again.
"""

from collections.abc import Callable, Sequence

from voice_agent.spoken import is_cjk

Decode = Callable[[Sequence[int]], str]


class Agreement:
    """The settled tokens of one utterance, and how probable they were."""

    def __init__(self) -> None:
        self.settled: list[int] = []
        self.log_probability = 0.0
        """The sum over the settled tokens."""
        self._before: list[int] = []

    def take(self, tokens: Sequence[int], log_probability: float, decode: Decode) -> None:
        """Compare a decode with the one before: all its tokens, and their mean log probability.

        `decode` makes text of tokens, to settle whole words and characters only.
        """
        agreed = common(self._before, tokens)
        while agreed > len(self.settled) and not _is_whole(tokens, agreed, decode):
            agreed -= 1
        self.log_probability += log_probability * max(0, agreed - len(self.settled))
        self.settled = list(tokens[: max(agreed, len(self.settled))])
        self._before = list(tokens)


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences have in common from their start."""
    pairs = zip(first, second, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _is_whole(tokens: Sequence[int], size: int, decode: Decode) -> bool:
    """Whether a word, or a character of a script without spaces, ends after so many tokens.

    The last token never counts: the word may go on where the sound was cut.
    """
    if size == len(tokens):
        return False
    head, rest = decode(tokens[:size]), decode(tokens[size:])
    if decode(tokens) != head + rest or "\ufffd" in head:  # cut within the bytes of a character
        return False
    return rest[:1].isspace() or not (head[-1:].isalnum() and rest[:1].isalnum()) or is_cjk(head[-1:])
