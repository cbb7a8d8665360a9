"""Find what a caller said: digits in any spoken or written form, yes or no, one of several choices.

Pure functions; English and Chinese are understood side by side, whatever language the call is in.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from voice_agent.spoken import CJK

TOKEN = re.compile(rf"\d+|[^\W\d_{CJK}]+(?:'[a-z]+)?|[{CJK}]")
ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = [
    *("ten", "eleven", "twelve"),
    *(f"{stem}teen" for stem in ("thir", "four", "fif", "six", "seven", "eigh", "nine")),
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SMALL = {
    **{word: value for value, word in enumerate(ONES + TEENS)},
    **{word: value * 10 for value, word in enumerate(TENS, 2)},
    **{"oh": 0, "o": 0, "nought": 0, "fourty": 40},
}
"""English number words up to ninety."""
HOMOPHONES = {"to": 2, "too": 2, "for": 4, "won": 1, "ate": 8}
"""Digits as a recogniser may write them; believed only next to other digits."""
TIMES = {"double": 2, "triple": 3, "treble": 3}
CJK_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {
    "\u3007": 0,
    "幺": 1,
    "两": 2,
}
CARDINAL = re.compile(
    "(?:([一二两三四五六七八九])千)?(?:零?([一二两三四五六七八九])百)?(?:零?([一二三四五六七八九])?(十))?(零?[一二三四五六七八九])?"
)
FILLERS = frozenset(
    {*"嗯呃啊那个然后", "uh", "um", "er", "erm", "hmm", "then", "and", "dash", "hyphen", "minus"}
)
"""Words between digits that do not part them."""
CORRECTION = re.compile(
    r"\b(?:no|sorry|i mean|i meant|actually|rather|wait|correction)\b|不对|不是|错了|说错|应该是|更正"
)


def normalise(text: str) -> str:
    """Lower case, full-width forms made plain, curly apostrophes straight, white space single."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return " ".join(text.split())


def tokens(text: str) -> list[str]:
    """Words, runs of written digits, single ideographs; punctuation is dropped."""
    return TOKEN.findall(normalise(text))


def digit_runs(text: str) -> list[str]:
    """Every uninterrupted sequence of digits in a text, in order.

    "it's twelve thirty four, or 5 double six" gives ["1234", "566"]; "一千二百三十四" gives ["1234"].
    """
    return ["".join(run) for run in _runs(tokens(text)) if run]


def mask_digits(text: str) -> list[str]:
    """The tokens of a text with "#" for every number of two digits or more: to a model they are all alike."""
    words, masked, at = tokens(text), list[str](), 0
    while at < len(words):
        start, digits = at, ""
        while at < len(words) and (number := _number(words, at))[0]:
            digits, at = digits + number[0], number[1]
        if start == at:
            masked.append(words[at])
            at += 1
        else:
            masked += ["#"] if len(digits) >= 2 or len(words) == at - start else words[start:at]
    return masked


def find_digits(text: str, min_length: int, max_length: int) -> str | None:
    """The digits of suitable length: after a correction ("no, ...") the corrected one, else the last."""
    corrected = CORRECTION.split(normalise(text))
    for part in (corrected[-1], text):
        for run in reversed(digit_runs(part)):
            for candidate in (run, run.removeprefix("0")):  # "oh" may be an exclamation
                if min_length <= len(candidate) <= max_length:
                    return candidate
    return None


def part_of_digits(text: str, max_length: int) -> str:
    """What was said of a longer number, when a number was asked for; "" when nothing was.

    A single digit counts only if nearly nothing else was said, as "one" and "一" are common words.
    """
    runs = digit_runs(text)
    words = tokens(text)
    said = max(runs, key=len, default="")
    if len(said) > max_length or (len(said) < 2 and len(words) > 2):
        return ""
    return said


def digits_at_end(text: str) -> int:
    """How many digits of a number a text ends with, when a number was asked for: those that more digits,
    put behind the text, would join. A single one counts only if nearly nothing else was said.
    """
    more = "zero one"
    count = len((digit_runs(f"{text} {more}") or [more])[-1]) - 2
    return count if count > 1 or len(tokens(text)) <= 2 else 0


def yes_no(text: str) -> bool | None:
    """Whether an answer means yes or no; None when it is neither, or more than an answer."""
    plain = " ".join(tokens(text))
    compact = plain.replace(" ", "")
    if UNSURE.search(plain) or UNSURE_CJK.search(compact):
        return None
    if NO.search(plain) or NO_CJK.search(compact):
        return False
    if YES.search(plain) or YES_CJK.search(compact):
        return True
    return None


UNSURE = re.compile(r"\b(?:not sure|don't know|no idea|maybe|yes (?:and|or) no)\b")
UNSURE_CJK = re.compile("不知道|不清楚|不确定|是不是|对不对|好不好|可不可以|行不行")
NO = re.compile(
    r"^(?:(?:uh|um|oh|er|well|sorry|actually|wait) )*"
    r"(?:no(?! problem)|nope|nah|don't|do not|not|wrong|incorrect|never)\b"
    r"|\b(?:not|isn't) (?:quite )?(?:right|correct|true)\b|\bthat(?:'s| is) (?:wrong|incorrect)\b"
)
YES = re.compile(
    r"^(?:(?:uh|um|oh|er|well|and) )*(?:yes|yeah|yep|yup|ya|sure|ok|okay|correct|right|exactly|absolutely"
    r"|definitely|certainly|please|of course|go ahead|do it|do that|sounds good|mm hmm|mhm|uh huh|all right"
    r"|alright|fine|perfect|no problem|i do|it is|that works)\b"
    r"|\bthat(?:'s| is) (?:right|correct|true|it|fine)\b"
)
NO_CJK = re.compile("^(?:呃|嗯|啊|哦)*(?:不(?!错)|没有|别|错|否)|(?<!没)(?<!不)错了|不对|不是")
YES_CJK = re.compile(
    "^(?:呃|嗯|啊|哦)*(?:是|对|好|行|可以|没错|不错|没问题|要|当然|确认|确定|办吧|嗯|正确|ok)|没错|(?:对|是)的$|可以$"
)


def choose(text: str, choices: Mapping[str, Sequence[str]]) -> str | None:
    """The value with the longest phrase that occurs in the text, between word borders where there are any."""
    said = f" {_spaced(text)} "
    best, length = None, 0
    for value, phrases in choices.items():
        for phrase in phrases:
            wanted = f" {_spaced(phrase)} "
            if len(wanted) > length and wanted in said:
                best, length = value, len(wanted)
    return best


def is_correction(text: str) -> bool:
    """Whether the caller takes something back: "no, ...", "sorry, I meant ...", "不对……"."""
    return CORRECTION.search(normalise(text)) is not None


def _spaced(text: str) -> str:
    return " ".join(tokens(text)).replace("'", "")


def _runs(words: list[str]) -> Iterator[list[str]]:
    """Digit strings that follow each other with only fillers between them."""
    run: list[str] = []
    at = 0
    while at < len(words):
        digits, after = _number(words, at)
        if not digits and run and words[at] in HOMOPHONES and _number_follows(words, at, len("".join(run))):
            digits, after = str(HOMOPHONES[words[at]]), at + 1
        if digits:
            run.append(digits)
            at = after
            continue
        if words[at] not in FILLERS:
            yield from _meant(run)
            run = []
        at += 1
    yield from _meant(run)


def _meant(run: list[str]) -> Iterator[list[str]]:
    """Drop a lone "oh": it is an exclamation. A written or spoken lone zero is told apart by nobody."""
    if run and run != ["0"]:
        yield run


def _number_follows(words: list[str], at: int, so_far: int) -> bool:
    """Whether digits go on after words that may be digits; at a text's end, whether enough came before."""
    while at < len(words) and words[at] in HOMOPHONES:
        at += 1
    return so_far >= 2 if at == len(words) else bool(_number(words, at)[0])


def _number(words: list[str], at: int) -> tuple[str, int]:
    """The digits that begin at a word, and where they end; "" for none."""
    word = words[at]
    if word.isdecimal():
        return "".join(str(unicodedata.digit(char)) for char in word), at + 1
    if word in CJK_DIGITS or word == "十":
        return _chinese(words, at)
    if word in TIMES and at + 1 < len(words):
        once, after = _number(words, at + 1)
        return (once * TIMES[word], after) if len(once) == 1 else ("", at)
    return _english(words, at)


def _english(words: list[str], at: int) -> tuple[str, int]:
    """A number up to 99 999: "thirty four", "twelve hundred", "one thousand two hundred and five"."""
    value, after = _below_hundred(words, at)
    if value is None:
        return "", at
    if _is(words, after, "thousand"):
        rest, after = _tail(words, after + 1, hundreds=True)
        return str(value * 1000 + rest), after
    if _is(words, after, "hundred"):
        rest, after = _tail(words, after + 1, hundreds=False)
        return str(value * 100 + rest), after
    return str(value), after


def _tail(words: list[str], at: int, hundreds: bool) -> tuple[int, int]:
    """What follows "thousand" (with hundreds) or "hundred" in the same number: its value, and its end."""
    start = at + 1 if _is(words, at, "and") else at
    value, after = _below_hundred(words, start)
    if value is None or value == 0:
        return 0, at
    if hundreds and value < 10 and _is(words, after, "hundred"):
        rest, after = _tail(words, after + 1, hundreds=False)
        return value * 100 + rest, after
    return value, after


def _below_hundred(words: list[str], at: int) -> tuple[int | None, int]:
    value = SMALL.get(words[at]) if at < len(words) else None
    if value is None:
        return None, at
    one = SMALL.get(words[at + 1], 0) if value >= 20 and at + 1 < len(words) else 0
    return (value + one, at + 2) if 0 < one < 10 else (value, at + 1)


def _is(words: list[str], at: int, word: str) -> bool:
    return at < len(words) and words[at] == word


def _chinese(words: list[str], at: int) -> tuple[str, int]:
    """A number up to 9999 said with its units, "一千零五", else a single digit."""
    chars = "".join(takewhile(lambda word: len(word) == 1, words[at : at + 9]))
    match = CARDINAL.match(chars if chars[0] not in "零\u3007" else "")
    assert match is not None  # it matches ""
    thousands, hundreds, tens, ten, ones = match.groups()
    if not (thousands or hundreds or ten):
        return (str(CJK_DIGITS[words[at]]), at + 1) if words[at] in CJK_DIGITS else ("", at)
    value = sum(
        CJK_DIGITS[digit] * unit for digit, unit in ((thousands, 1000), (hundreds, 100), (tens, 10)) if digit
    )
    value += 10 if ten and not tens else 0
    if ones:
        one = CJK_DIGITS[ones[-1]]
        short = not ones.startswith("零") and not ten  # "一千二" is 1200, "一百二" is 120
        value += one * (10 if hundreds else 100) if short else one
    return str(value), at + match.end()
