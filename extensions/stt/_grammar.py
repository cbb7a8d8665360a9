"""Grammars of what a caller answers who was asked for a number, a code or an e-mail address, in JSGF.

A grammar knows nothing else, so that another search listens beside it: see _sphinx.py.
"""

import re
from collections.abc import Iterable

from extensions.stt._language_model import DIGITS, words_of
from extensions.stt._pronunciation import LETTER_NAMES
from voice_agent.dialogue.spelled import CODE_WORDS
from voice_agent.message import Answer

VALUE = "{value}"
"""Where the value stands in a slot's `said`."""
LETTERS = [name + "." for name in LETTER_NAMES]
"""Names of letters are words of their own: "a." is not the article "a", which sounds otherwise."""
SPOKEN = [word.replace("-", "") for word in CODE_WORDS]
"""The code words as a grammar can have them."""
XRAY = {"xray": "EH K S R EY"}
ALONE, ONE_WORD, OH = 3000, 0.01, 0.0003
"""Weights of an answer that is nothing but the value, and of one with a single word around it, against a
longer sentence; and of "oh" for zero. Short words, "oh" and "it's", are else heard in the ends of others."""
OTHER_LENGTH = 0.1
"""Weight of a number that is longer or shorter than those that were asked for."""
MAX_OPTIONAL = 3
"""A number may have so many digits more than it must have; where it may have yet more, there is no limit."""
MAILBOXES = ("gmail", "outlook", "hotmail", "yahoo", "icloud", "example", "proton")
ENDINGS = ("com", "org", "net", "info", "edu", "co dot uk")
"""Of addresses: the names that callers say as words; others they spell."""

RULES = f"""
<digit> = {" | ".join(DIGITS)};
<single> = <digit> | /{OH}/ oh;
<numbers> = (<single> | /0.02/ (double | triple) <digit>)+;
<code> = {" | ".join(SPOKEN)};
<letter> = {" | ".join(LETTERS)};
<character> = <digit> | <code> | <letter> (as in | for) <code>;
<characters> = (<character> | /0.02/ (double | triple) (<digit> | <code>))+;
<sign> = dot | underscore | dash;
<local> = <characters> [<sign> <characters>];
<domain> = ({" | ".join(MAILBOXES)} | /0.3/ <characters>) dot ({" | ".join(ENDINGS)});
<address> = <local> at <domain>;
"""
"""A letter is taken by its code word only: of bare ones the acoustic model hears 55 in 100 right (80 in
flite's voices, without digits among them), as "b", "d", "e" and "p" are one sound to it. Any name
of a letter may come before "as in": the word after it decides."""
ONE_OF: dict[Answer, str] = {"digits": "<single>", "letters": "<character>"}
ANY_OF: dict[Answer, str] = {"digits": "<numbers>", "letters": "<characters>", "email": "<address>"}
_NUMBERS = frozenset((*DIGITS, "oh", "double", "triple"))
_CHARACTERS = _NUMBERS | {*SPOKEN}
TYPICAL: dict[Answer, frozenset[str]] = {
    "digits": _NUMBERS,
    "letters": _CHARACTERS,
    "email": _CHARACTERS | {"at", "dot", *MAILBOXES, "com"},
}
"""Words that an answer is made of, and little else."""


def grammar(answer: Answer, said: Iterable[str], min_length: int = 0, max_length: int = 0) -> str:
    """JSGF of an answer alone and in the sentences `said`, with VALUE in place of it. A number or code of the
    given length is the likely one; 0 where that is not known.
    """
    value = "<value>"
    frames = (re.split(f"({VALUE})", line) for line in said)
    lines = {
        " ".join(value if part == VALUE else " ".join(words_of(part)) for part in frame).strip()
        for frame in frames
    }
    sentences = [
        f"/{ALONE}/ {value}",
        *(f"/{_weight(line)}/ {line}" for line in sorted(lines - {value})),
    ]
    return (
        f"#JSGF V1.0;\ngrammar {answer};{RULES}{value} = {_value(answer, min_length, max_length)};\n"
        f"public <{answer}> = {' | '.join(sentences)};\n"
    )


def _value(answer: Answer, min_length: int, max_length: int) -> str:
    one = ONE_OF.get(answer)
    if not one or max_length < 2:
        return ANY_OF[answer]
    optional = max_length - min_length
    more = f"{one}*" if optional > MAX_OPTIONAL else f"[{one} " * optional + "]" * optional
    whole = f"{f'{one} ' * min_length}{more}".rstrip()
    return f"{whole} | /{OTHER_LENGTH}/ {ANY_OF[answer]}"


def _weight(line: str) -> float:
    """A single word around a value, "it's" or "order", is easily heard in a digit."""
    return 1 if len(line.split()) > 2 else ONE_WORD


def vocabulary(jsgf: str) -> set[str]:
    """The words in a grammar."""
    rules = jsgf.split(";", 2)[2].replace("public", " ")
    return set(re.findall(r"[a-z]+(?:'[a-z]+)?\.?", re.sub(r"<\w+>|/[\d.]+/", " ", rules)))


def is_answer(answer: Answer, text: str) -> bool:
    """Whether a text looks like the answer: two words of it, or nothing else."""
    words = text.split()
    typical = sum(word in TYPICAL[answer] for word in words)
    return typical >= 2 or 0 < typical == len(words)


def written(text: str) -> str:
    """What a grammar heard, with the names of letters as they are written."""
    return re.sub(r"\b([a-z])\.", r"\1", text)
