"""Every sentence a caller may say to a vertical: what an embedded recogniser builds its language model of."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle, islice

from voice_agent.dialogue.schema import PLACEHOLDER, Intent, Slot
from voice_agent.dialogue.slots import ONES, TEENS, TENS
from voice_agent.dialogue.spelled import CODE_WORDS

WORDS = {"en": ONES, "zh": list("零一二三四五六七八九")}
ALTERNATIVES = {"en": {0: "oh"}, "zh": {1: "幺"}}
"""Second words for a digit."""
CODES = " ".join(word.replace("-", "") for word in CODE_WORDS).split()
SPELLED = {
    "en": [
        line
        for at in range(0, len(CODES), 2)
        for line in (
            f"{CODES[at]} {CODES[at + 1]} {ONES[at % 10]} {ONES[(at + 3) % 10]}",
            f"{CODES[at][0]} as in {CODES[at]} {CODES[at + 1][0]} for {CODES[at + 1]} {ONES[(at + 5) % 10]}",
        )
    ],
    "zh": ["a b 一二三", "k c 七四四", "x r 五零九"],
}
"""Codes and names as they are spelled, with every word of the spelling alphabet."""
ADDRESSES = {
    "en": [
        f"{spelled} at {box} dot com"
        for spelled, box in zip(SPELLED["en"], cycle(("gmail", "outlook", "yahoo", "example")), strict=False)
    ],
    "zh": ["a b 七艾特 example 点 com"],
}
EXAMPLES_PER_SLOT = 3
"""How often a sentence with a slot is said, each time with other values."""


def expand(intents: Iterable[Intent], slots: Mapping[str, Slot], language: str) -> list[str]:
    """See `Vertical.sentences`."""
    values = {name: cycle(_values(slot, language)) for name, slot in slots.items()}
    lines: dict[str, None] = {}
    for intent in intents:
        for example in intent.examples.get(language, ()):
            repeat = EXAMPLES_PER_SLOT if PLACEHOLDER.search(example) else 1
            for _ in range(repeat):
                lines[PLACEHOLDER.sub(lambda m: next(values[m[1]]), example)] = None
    for name, slot in slots.items():
        for template in slot.said.get(language, ()):
            for value in islice(values[name], EXAMPLES_PER_SLOT * 4):
                lines[template.replace("{value}", value)] = None
        if slot.type == "digits":
            lines |= dict.fromkeys(_pieces(slot, language))
    return list(lines)


def _values(slot: Slot, language: str) -> list[str]:
    """Spoken values of a slot."""
    if slot.type == "choice":
        return [phrase for choice in slot.choices.values() for phrase in choice.get(language, ())]
    if slot.type == "letters":
        return SPELLED[language]
    if slot.type == "email":
        return ADDRESSES[language]
    return list(_pieces(slot, language))


def _pieces(slot: Slot, language: str) -> Iterator[str]:
    """Digit strings of the slot's length that together hold every sequence of three digits,
    spoken one by one; and some with the other words for a digit, doubles and pairs.
    """
    length = slot.max_length if slot.max_length == slot.min_length else min(slot.max_length, 10)
    digits = de_bruijn(10, 3)
    digits = digits + digits[: length - 1]
    words, others = WORDS[language], ALTERNATIVES[language]
    joiner = " " if language == "en" else ""
    step = max(length - 2, 1)
    for index, start in enumerate(range(0, 1000, step)):
        piece = digits[start : start + length]
        yield joiner.join(words[digit] for digit in piece)
        if index % 4 == 0 and any(digit in others for digit in piece):
            yield joiner.join(others.get(digit, words[digit]) for digit in piece)
        if language == "en" and index % 8 == 0 and length == 4:
            yield f"{_pair(piece[0], piece[1])} {_pair(piece[2], piece[3])}"
            yield f"double {words[piece[0]]} {words[piece[1]]} {words[piece[2]]}"


def _pair(tens: int, ones: int) -> str:
    """Two digits as one English number; "oh five" for 05."""
    if tens == 0:
        return f"oh {ONES[ones]}"
    if tens == 1:
        return TEENS[ones]
    return TENS[tens - 2] + (f" {ONES[ones]}" if ones else "")


def de_bruijn(symbols: int, order: int) -> list[int]:
    """The shortest cycle of symbols that holds every sequence of `order` of them exactly once.

    Built from Lyndon words (Fredricksen and Maiorana 1978).
    """
    word, cycled = [0], [0]
    while word := _next_lyndon(word, symbols, order):
        if order % len(word) == 0:
            cycled += word
    return cycled


def _next_lyndon(word: list[int], symbols: int, order: int) -> list[int]:
    """The Lyndon word of at most `order` symbols that follows in lexicographic order (Duval 1988)."""
    longer = (word * order)[:order]
    while longer and longer[-1] == symbols - 1:
        longer.pop()
    if longer:
        longer[-1] += 1
    return longer
