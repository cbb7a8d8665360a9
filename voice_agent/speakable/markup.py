"""What is written for the eye: markup, links, addresses, emoji, stage directions. Alike in all languages."""

import re
from collections.abc import Iterator, Mapping

from voice_agent.speakable.rules import Piece, Rule, copied, rule

TLD = "com|org|net|edu|gov|info|io|ai|app|dev|shop|cn|co|uk|us|eu|de|jp|example"
SYMBOLS = (
    "\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff"  # emoji, arrows, shapes
    "\ufe0e\ufe0f\u200b-\u200d\u2060\ufeff\u20e3\U000e0020-\U000e007f"  # what joins emoji, has no width
    "\x00-\x08\x0b-\x1f\x7f"  # control characters
)
DONE = (
    "laughs?|laughing|laughter|chuckles?|giggles?|sighs?|pauses?|smiles?|smiling|whispers?|whispering|gasps?|coughs?"
    "|clears\\ (?:his|her|their)?\\ ?throat|beat|silence|笑|大笑|微笑|叹气|停顿|咳嗽|沉默|小声|清嗓子"
)
"""Stage directions in round brackets or between asterisks; in square brackets everything is one."""


def rules(signs: Mapping[str, str]) -> Iterator[Rule]:
    """`signs`: how "@", "." and "/" of an address are called."""

    def address(match: re.Match[str]) -> Iterator[Piece]:
        for index, char in enumerate(match["address"].rstrip("/")):
            said = f" {signs[char]} " if char in signs else char
            yield Piece(said, match.start("address") + index)

    yield rule(r"```(?s:.*?)(?:```|\Z)", lambda match: "")
    yield rule(r"!?\[(?P<label>[^\]\n]*)\]\([^)\s]*\)", lambda match: [copied(match, "label")])
    yield rule(r"\[[^\]\n]*\]:?", lambda match: "")
    yield rule(rf"[(（*_](?:{DONE})(?:[,\ ][^)）*_\n]{{0,40}})?[)）*_]", lambda match: "")
    yield rule(r"</?[a-z][^<>\n]{0,80}>", lambda match: "")
    yield rule(r"(?P<address>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)", address)
    yield rule(
        rf"""(?:https?://(?:www\.)?(?P<any>[a-z0-9-]+(?:\.[a-z0-9-]+)*)|
             (?<![\w.@-])(?:www\.)?(?:[a-z0-9-]+\.)+(?:{TLD})\b)
             (?::\d+)?(?:/[\w./%~-]*[\w/])?(?:[?\#][\w=&%.+-]*[\w=])?""",
        lambda match: _spelled(match, signs),
    )
    yield rule(r"(?<!\S)\|?(?:[\ ]*:?-+:?[\ ]*\|)+(?:[\ ]*:?-+:?)?(?!\S)", lambda match: "")
    yield rule(r"(?<=[\w.!?%)])[\ ]*\|[\ ]*(?=\S)", lambda match: ", ")
    yield rule(
        r"""^[ \t]*(?:\#{1,6}[ \t]+|[-*•][ \t]+|>[ \t]+) | [`~|]+ | ^-{3,}$
            | \*\*+ | (?<![\d\s])\* | \*(?![\d\s]) | (?<!\w)_+ | _+(?!\w)""",
        lambda match: "",
    )
    yield rule(rf"[{SYMBOLS}]+", lambda match: "")


def _spelled(match: re.Match[str], signs: Mapping[str, str]) -> Iterator[Piece]:
    """An address without its scheme, "www." and what follows "?" or "#"."""
    shown = re.sub(r"^(?:https?://)?(?:www\.)?", "", match[0], flags=re.IGNORECASE)
    start = match.end() - len(shown)
    for index, char in enumerate(re.split(r"[?#]", shown)[0].rstrip("/")):
        yield Piece(f" {signs[char]} " if char in signs else char, start + index)
