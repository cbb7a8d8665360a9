"""How English words are pronounced, in the 39 phones of the CMU dictionary.

Words that the recogniser's own dictionary lacks (names of products and places) are spelled out by rules:
the longest group of letters that has a usual sound is taken, from left to right.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

VARIANT = re.compile(r"\(\d+\)$")

LETTER_NAMES = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH",
    "i": "AY", "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY",
    "q": "K Y UW", "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW",
    "x": "EH K S", "y": "W AY", "z": "Z IY",
}  # fmt: skip

SOUNDS = {
    "tion": "SH AH N", "sion": "ZH AH N", "ture": "CH ER", "ough": "AO", "augh": "AO", "eigh": "EY",
    "sch": "SH", "tch": "CH", "dge": "JH", "igh": "AY", "air": "EH R", "eer": "IH R", "ear": "IH R",
    "our": "AW ER", "oor": "AO R", "que": "K", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "wh": "W",
    "gh": "G", "ck": "K", "ng": "NG", "qu": "K W", "kn": "N", "wr": "R", "ps": "P S", "sc": "S K",
    "ee": "IY", "ea": "IY", "ie": "IY", "ei": "EY", "ey": "IY", "ai": "EY", "ay": "EY", "oa": "OW",
    "oe": "OW", "ow": "OW", "ou": "AW", "oo": "UW", "oi": "OY", "oy": "OY", "au": "AO", "aw": "AO",
    "eu": "Y UW", "ew": "Y UW", "ue": "UW", "ui": "UW", "ar": "AA R", "or": "AO R", "er": "ER", "ir": "ER",
    "ur": "ER", "yr": "IH R", "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G",
    "h": "HH", "i": "IH", "j": "JH", "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K",
    "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z",
}  # fmt: skip
"""Spelling to its most usual sound in English."""
LONG = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW", "y": "AY"}
"""A vowel before a consonant and a silent e: "name"."""
VOWELS = "aeiouy"
MAX_GROUP = max(map(len, SOUNDS))


def pronounce(words: Iterable[str], dictionary: Path) -> dict[str, str]:
    """Dictionary entries for these words: word, or word(2) for a second way to say it, to phones.

    `dictionary` is in the format of CMU's; what it lacks is guessed.
    """
    wanted = set(words)
    entries: dict[str, str] = {}
    with dictionary.open(encoding="utf-8") as lines:
        for line in lines:
            entry, _, phones = line.strip().partition(" ")
            if VARIANT.sub("", entry) in wanted:
                entries[entry] = phones.strip()
    for word in sorted(wanted - entries.keys()):
        entries[word] = guess(word)
    return entries


def write_dictionary(pronunciations: Mapping[str, str], path: Path) -> str:
    """Write them as pocketsphinx reads them; the path."""
    path.write_text("".join(f"{word} {phones}\n" for word, phones in pronunciations.items()), "utf-8")
    return str(path)


def guess(word: str) -> str:
    """The phones of a word that no dictionary has; of a word without vowels ("dvd"), its letters' names."""
    letters = "".join(char for char in word.lower() if char in LETTER_NAMES)
    if not letters:
        return "SIL"
    if not any(char in VOWELS for char in letters):
        return " ".join(LETTER_NAMES[char] for char in letters)
    return " ".join(_sounds(letters)) or LETTER_NAMES[letters[0]]


def _sounds(word: str) -> Iterable[str]:
    at = 0
    while at < len(word):
        rest = word[at:]
        if rest == "e" and at > 1:  # silent at the end
            return
        if at and rest[0] == word[at - 1] and rest[0] not in VOWELS:  # a doubled consonant is said once
            at += 1
            continue
        if rest[0] in "cg" and rest[1:2] in ("e", "i", "y") and rest[:3] != "dge":
            yield "S" if rest[0] == "c" else "JH"
            at += 1
        elif rest[0] in LONG and len(rest) >= 3 and rest[1] not in VOWELS + "rwx" and rest[2:] in ("e", "es"):
            yield LONG[rest[0]]
            at += 1
        else:
            size = next(size for size in range(MAX_GROUP, 0, -1) if rest[:size] in SOUNDS)
            yield SOUNDS[rest[:size]]
            at += size
