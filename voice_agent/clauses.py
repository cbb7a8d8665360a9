"""Cut a reply, as it is written, into clauses that can be spoken: the first one early.

Where it is cut depends on the text alone, never on the pieces in which it came. A Chinese end mark
cuts at once; an English one needs the next character, because of "3.14", "e.g." and URLs. What is said as
one thing stays in one clause: a number, a date, a stage direction in brackets, a block of code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from voice_agent import spoken

WEIGHT = {True: 3, False: 1}
"""A Chinese character takes about as long to say as three English ones."""
CLOSING = "\"'”’)\\]}」』）》】"
MARK = re.compile(rf"\n|```|[。！？，、；：]|(?:[.!?]+|…+|[,;:]|—+)[{CLOSING}]*")
CLOSERS = re.compile(rf"[{CLOSING}]*")
OPENED = {"“": "”", "‘": "’", "「": "」", "『": "』", "（": "）", "《": "》", "【": "】", "(": ")"}  # noqa: RUF001
NEVER = re.compile(
    r"""(?:^|[^\w])(?:
        [^\W\d_]                                                     # J. Smith, U.S., e.g., a.m.
        | mr | mrs | ms | dr | prof | st | mt | jr | sr | vs | etc | inc | ltd | co | corp | dept | al | ave
        | fig | gen | capt | lt | sgt | ext | tel
        | jan | feb | mar | apr | jun | jul | aug | sept? | oct | nov | dec
    )\.$ | ^\s*\d+\.$                                                # 1. the number of a list's item
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What ends in a dot that ends no sentence."""
NUMERO = re.compile(r"(?:^|[^\w])(?:no|nos|art|sec|vol|p|pp)\.$", re.IGNORECASE)
"""An abbreviation before a number, else the end of a sentence: "No. 5", "No. We do not." """
FENCE = "```"
LONGEST_CODE = 4000
"""Characters of a block of code after which it is cut all the same: its end may never come."""


@dataclass
class Cutter:
    """Lengths are counted in English characters; a Chinese one counts for three."""

    first_min_chars: int = 12
    """The first clause of a reply may end at a comma once it has as much, so that the voice starts early."""
    min_chars: int = 40
    """Later ones end at a comma only from here on; the end of a sentence cuts whatever its length."""
    max_chars: int = 240
    """No clause is longer: it is cut between words, or anywhere in Chinese."""

    def __post_init__(self) -> None:
        self._pending = ""
        self._first = True

    def push(self, text: str, complete: bool = False) -> list[str]:
        """Add text; returns every clause that is whole by now. With `complete` no more will come: the
        rest is a clause too, and the last of the list, which then is not empty.
        """
        self._pending += text
        clauses = list(self._cut(complete))
        if complete:
            if self._pending.strip() or not clauses:
                clauses.append(_tidy(self._pending))
            self.__post_init__()
        return clauses

    def close(self) -> list[str]:
        """What is pending as clauses of their own, though the text goes on; none is empty."""
        first = self._first
        clauses = [clause for clause in self.push("", complete=True) if clause]
        self._first = first and not clauses
        return clauses

    def _cut(self, complete: bool) -> Iterator[str]:
        """Take every whole clause off the pending text."""
        while end := self._end(complete):
            head, self._pending = self._pending[:end], self._pending[end:]
            self._first = False
            yield _tidy(head)

    def _end(self, complete: bool) -> int:
        """Where the first clause of the pending text ends; 0 while that is not known."""
        text = self._pending
        least = self.first_min_chars if self._first else self.min_chars
        limit = _reach(text, self.max_chars)
        at = 0
        while (mark := MARK.search(text, at)) and mark.start() < limit:
            if mark[0] == FENCE:
                if not (at := _end_of_code(text, mark)):
                    return 0
                limit = max(limit, at)
                continue
            at, cuts = _judge(text, mark, complete)
            if cuts is None:
                return 0
            long_enough = cuts == "sentence" or _length(text[:at]) >= least
            if cuts and long_enough and spoken.word_spans(text[:at]):
                return at
        return _between_words(text, limit) if limit < len(text) else 0


def _end_of_code(text: str, fence: re.Match[str]) -> int:
    """Where the block of code ends that a fence opens; 0 while that is not known."""
    longest = fence.start() + LONGEST_CODE
    closing = text.find(FENCE, fence.end(), longest)
    if closing >= 0:
        return closing + len(FENCE)
    return longest if len(text) >= longest else 0


def _judge(text: str, mark: re.Match[str], complete: bool) -> tuple[int, str | None]:
    """Where a mark ends with what closes after it, and what it cuts: "sentence", "clause", "" for
    nothing, or None when what decides has not come yet.
    """
    sign, end = mark[0][0], mark.end()
    if sign == "\n":
        return end, "sentence"
    if sign in "。！？，、；：":
        return _judge_chinese(text, mark, complete)
    following = text[end : end + 1]
    if not following and not complete:
        return end, None
    if sign in "—…":
        return end, "clause"
    if following and not following.isspace() and not spoken.is_cjk(following):
        return end, ""
    if sign in ",;:":
        return end, _judge_comma(text, mark, complete)
    return end, _judge_dot(text, mark, complete) if sign == "." else "sentence"


def _judge_comma(text: str, mark: re.Match[str], complete: bool) -> str | None:
    """The same for a comma or its like that white space follows: it cuts no date ("May 3, 2025"), and
    nothing in square brackets.
    """
    head = text[: mark.start()]
    if head.rfind("[") > head.rfind("]"):
        return ""
    if mark[0][0] != "," or not head[-1:].isdigit():
        return "clause"
    rest = text[mark.end() :].lstrip()
    if not rest and not complete:
        return None
    return "" if rest[:1].isdigit() else "clause"


def _judge_chinese(text: str, mark: re.Match[str], complete: bool) -> tuple[int, str | None]:
    """The same for a mark that needs no white space; it waits only within quotes and after digits."""
    sign, end = mark[0], mark.end()
    cuts = "sentence" if sign in "。！？" else "clause"
    after_digit = cuts == "clause" and text[mark.start() - 1 : mark.start()].isdigit()
    quoted = _is_open(text[:end])
    if quoted and (closed := CLOSERS.match(text, end)):
        end = closed.end()
    if (quoted or after_digit) and end == len(text) and not complete:
        return end, None
    return end, "" if after_digit and text[end : end + 1].isdigit() else cuts


def _judge_dot(text: str, mark: re.Match[str], complete: bool) -> str | None:
    """The same for dots that white space follows."""
    head = text[: mark.start() + 1]
    if mark[0].startswith(".."):
        return "clause"
    if NUMERO.search(head):
        rest = text[mark.end() :].lstrip()
        if not rest and not complete:
            return None
        return "" if rest[:1].isdigit() else "sentence"
    return "" if NEVER.search(head) else "sentence"


def _is_open(head: str) -> bool:
    """Whether a quotation or bracket is still open, whose end belongs to the mark before it."""
    return head.count('"') % 2 == 1 or any(head.count(o) > head.count(c) for o, c in OPENED.items())


def _length(text: str) -> int:
    return sum(WEIGHT[spoken.is_cjk(char)] for char in text.strip())


def _reach(text: str, length: int) -> int:
    """How many characters of the text make up that length."""
    start = len(text) - len(text.lstrip())
    for index in range(start, len(text)):
        length -= WEIGHT[spoken.is_cjk(text[index])]
        if length < 0:
            return index
    return len(text)


def _between_words(text: str, limit: int) -> int:
    """The last place up to `limit` where a text without punctuation may be cut."""
    for index in range(limit, 0, -1):
        before, after = text[index - 1], text[index]
        if text[:index].strip() and (after.isspace() or (spoken.is_cjk(before) and after.isalnum())):
            return index
    return limit


def _tidy(text: str) -> str:
    return " ".join(text.split())
