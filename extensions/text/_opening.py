"""What an answer shall not begin with, because the caller has heard it already."""

from collections.abc import Sequence


class Opening:
    """One of some phrases at the beginning of a text that comes in pieces. A model often begins as it has
    begun before: what was said for it stands in the history as its own words."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self._phrases = phrases
        self._held = ""
        """The text so far, while it may still become a phrase."""
        self._known = False
        """How the text begins is known."""

    def rest(self, text: str, complete: bool) -> str:
        """More of the text, without the phrase; "" while that is not known. `complete`: no more will come."""
        if self._known:
            return text
        self._held += text
        begun = self._held.lstrip()
        phrase = next((phrase for phrase in self._phrases if _same(begun[: len(phrase)], phrase)), "")
        if not (phrase or complete) and any(_same(begun, other[: len(begun)]) for other in self._phrases):
            return ""
        self._known = True
        return begun[len(phrase) :] if phrase else self._held


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
