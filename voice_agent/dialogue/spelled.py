"""Find what a caller spelled: order codes ("A B one two"), names, e-mail addresses, spoken or written.

Pure functions; English and Chinese side by side, as in slots.py. Of "b as in bravo" the word decides: its
sound tells letters apart that are alike (b, p, d, t), and so it is what was heard right.
"""

import re
from collections.abc import Iterator

from voice_agent.dialogue.slots import CJK_DIGITS, CORRECTION, FILLERS, ONES, TIMES, normalise, tokens

CODE_WORDS = (
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo",
    "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor",
    "whiskey", "x-ray", "yankee", "zulu",
)  # fmt: skip
"""The spelling alphabet of the ITU and NATO, as the CMU dictionary writes it; each stands for its initial."""
CODES = {word.replace("-", " "): word[0] for word in CODE_WORDS} | {
    **{"alfa": "a", "juliett": "j", "whisky": "w", "xray": "x"},
    **{"zed": "z", "zee": "z", "double u": "w", "double you": "w", "oh": "o"},
}
"""Words that stand for a letter wherever something is spelled."""
AS_IN = ("as in", "like in", "for", "like")
SIGNS = {"at": "@", "dot": ".", "underscore": "_", "dash": "-", "hyphen": "-", "minus": "-", "plus": "+"} | {
    **{"点": ".", "艾特": "@", "下划线": "_", "横杠": "-", "减号": "-", "加号": "+"},
}
"""How the signs of an address are said."""
DIGITS = {word: str(value) for value, word in enumerate(ONES)} | {
    char: str(value) for char, value in CJK_DIGITS.items()
}
WRITTEN_EMAIL = re.compile(r"[a-z0-9._+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}")
WRITTEN_CODE = re.compile(r"\b(?=[A-Z-]*\d)(?=[\d-]*[A-Z])[A-Z\d]+(?:-[A-Z\d]+)*\b|\b[A-Z]{3,}\b")
"""Letters and digits without spaces, or capitals: what a recogniser of the better kind makes of it."""
BEFORE_ADDRESS = re.compile(r"^.*(?:\b(?:is|it's|its|address|e-?mail|sorry|meant|no)\b|[是箱址])[\s,:，：]*")
"""What is said before an address."""


def find_spelled(text: str, min_length: int, max_length: int) -> str | None:
    """Letters and digits of suitable length, in capitals; after a correction the corrected ones, else the
    last. "A, B as in bravo, double one" gives "AB11", and so does "AB-11".
    """
    written = [code.replace("-", "") for code in WRITTEN_CODE.findall(text)]
    corrected = _runs(CORRECTION.split(normalise(text))[-1])
    for said in (*reversed(written), *reversed(corrected), *reversed(_runs(text))):
        if min_length <= len(said) <= max_length:
            return str(said).upper()
    return None


def part_of_spelled(text: str, max_length: int) -> str:
    """What was said of a longer one, when one was asked for; "" when nothing was, or more than an answer."""
    said = max(_runs(text), key=len, default="")
    return said.upper() if 0 < len(said) <= max_length and (len(said) > 1 or len(tokens(text)) <= 4) else ""


def spelled_at_end(text: str) -> int:
    """How many letters and digits of a code a text ends with, when a code was asked for: see
    slots.digits_at_end.
    """
    for code in WRITTEN_CODE.finditer(text):
        if not tokens(text[code.end() :]):
            return len(code[0].replace("-", ""))
    count = len(_runs(f"{text} zero one")[-1]) - 2
    return count if count > 1 or len(tokens(text)) <= 4 else 0


def find_email(text: str) -> str | None:
    """An address, in lower case: written, or said as "j dot smith at example dot com"; None for none."""
    plain = normalise(text)
    if written := WRITTEN_EMAIL.findall(plain):
        return str(written[-1])
    said = BEFORE_ADDRESS.sub("", plain).rstrip(" .。!?")
    joined = "".join(spelled or word for spelled, word in _pieces(_words(said), signs=True))
    found = WRITTEN_EMAIL.fullmatch(joined)
    return found[0] if found else None


def _runs(text: str) -> list[str]:
    """Every uninterrupted sequence of letters and digits, in lower case. A lone "a" or "i" is a word."""
    runs, run, is_word = list[str](), "", True
    for spelled, word in [*_pieces(_words(normalise(text)), signs=False), ("", "")]:
        if spelled:
            is_word = not run and word in ("a", "i") and spelled == word
            run += spelled
        elif word not in FILLERS:
            runs += [run] if run and not is_word else []
            run = ""
    return runs


def _words(plain: str) -> list[str]:
    """The tokens, with what says one sign in several characters put together."""
    for sign in SIGNS:
        if len(sign) > 1 and not sign.isascii():
            plain = plain.replace(sign, f" {SIGNS[sign]} ")
    spaced = re.sub(r"([@._+])", r" \1 ", plain)
    return [word for part in spaced.split() for word in ([part] if part in "@._+-" else tokens(part))]


def _pieces(words: list[str], signs: bool) -> Iterator[tuple[str, str]]:
    """For each word or group: what it spells, "" for nothing; and the word."""
    at = 0
    while at < len(words):
        spelled, after = _spelled(words, at, signs)
        yield spelled, words[at]
        at = max(after, at + 1)


def _spelled(words: list[str], at: int, signs: bool) -> tuple[str, int]:
    """What begins at a word and where it ends: a sign, letter or digit, one of them twice or three times."""
    if signs and (sign := SIGNS.get(words[at]) or (words[at] if words[at] in "@._+-" else "")):
        return sign, at + 1
    if (letter := _named(words, at)) and letter[0]:
        return letter
    if words[at] in TIMES and at + 1 < len(words):
        once, after = _spelled(words, at + 1, signs)
        return (once * TIMES[words[at]], after) if len(once) == 1 else ("", at)
    if words[at].isdecimal() or words[at] in DIGITS:
        return DIGITS.get(words[at], words[at]), at + 1
    if len(words[at]) == 1 and words[at].isascii() and words[at].isalpha():
        return _clarified(words, at)
    return "", at


def _named(words: list[str], at: int) -> tuple[str, int]:
    """The letter that a code word, of one or two words, stands for."""
    for size in (2, 1):
        name = " ".join(words[at : at + size])
        if len(words) >= at + size and name in CODES:
            return CODES[name], at + size
    return "", at


def _clarified(words: list[str], at: int) -> tuple[str, int]:
    """A letter, or the one that begins the word after "as in"."""
    for phrase in AS_IN:
        after = at + 1 + len(phrase.split())
        if " ".join(words[at + 1 : after]) == phrase and after < len(words):
            letter, end = _named(words, after)
            if letter:
                return letter, end
            if len(words[after]) > 1 and words[after].isascii() and words[after].isalpha():
                return words[after][0], after + 1
    return words[at], at + 1
