"""Texts of a vertical that the caller must hear to their end, such as a legal notice:

"Hello, this is Mia. <protected>This call is recorded.</protected> How can I help?"
"""

import re
from collections.abc import Iterator

from voice_agent.message import Text

PROTECTED = re.compile(r"<protected>(.+?)</protected>", re.DOTALL)


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """A text without its marks, piece by piece, and whether each is protected. At least one piece, none empty
    if the text is not."""
    parts = PROTECTED.split(text)
    found = [(part, index % 2 == 1) for index, part in enumerate(parts) if part.strip()]
    yield from found or [("", False)]


def texts(text: str, language: str, final: bool = True) -> Iterator[Text]:
    """The same as messages; `final` if the reply ends with it."""
    found = list(pieces(text))
    for index, (piece, protected) in enumerate(found, 1):
        yield Text(piece, language, final and index == len(found), protected)


def checked(text: str) -> str:
    """The text itself. Raises ValueError if its marks do not fit each other."""
    if any(re.search("</?protected", part) for part in PROTECTED.split(text)):
        raise ValueError("expected every <protected> to be followed by some text and </protected>")
    return text
