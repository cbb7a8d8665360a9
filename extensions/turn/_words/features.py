"""What is looked at in a text: how it ends, how it begins, what it holds, and which clause is still open.

Features are named by short strings and hashed; "a|b" is a conjunction. English and Chinese share no
feature, as the first letter of each name is the language's.
"""

from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from extensions.turn._words.tokens import Token, is_chinese, tokens

Keys = npt.NDArray[np.uint32]
OPENERS = ("IF", "WHEN", "BECAUSE", "BUT", "AND", "SO", "DEHUA", "CONJ2")
"""Classes of words that begin a clause."""
SUBJECTS = ("SUBJ", "YOU", "IT", "IM", "IVE", "THERE")
ROLES = {
    role: letter
    for letter, roles in {
        "s": "SUBJ YOU IT NOBODY",
        "b": "IM IVE",
        "d": "ART POSS DEM QUANT NUM TENS HUNDRED FIGURE MEAS ORDINAL PRENOM INTENS",
        "n": "NOUN PERSON CITY OBJ MEASURE QINGK x x-s x-n x-er",
        "a": "ADJ PRED x-adj",
        "v": "VTRANS VINTR VCLAUSE VTELL LINK WANT TRY LET HOLD BE BEEN DO HAVE MODAL x-ed x-ing",
        "p": "PREP FOR OF TO PARTICLE BA",
        "c": "IF WHEN BECAUSE BUT AND SO THAT DEHUA CONJ2",
        "r": "RES DIR",
        "l": "LOC",
        "q": "WHAT WHO HOW WHERE",
        "t": "TIME",
    }.items()
    for role in roles.split()
}
"""A letter for classes that do the same in a sentence; adverbs and the like have none."""
DECIDING = ("WHAT", "BA", "IF", "BECAUSE", "BUT", "WHEN", "DEHUA", "MA", "NOT", "BE", "HAVE", "MODAL")
"""Classes that make of a sentence what it is."""
SHORT = 4
"""A text of so many words is also looked at as a whole."""


def keys(text: str) -> Keys:
    """The hashes of a text's features."""
    return hashed(names(tokens(text)))


def hashed(found: Iterable[str]) -> Keys:
    """The hash of each name, each once, ascending."""
    return np.unique(np.fromiter((crc32(name.encode()) for name in found), np.uint32))


def names(words: Sequence[Token]) -> list[str]:
    """The features of a text by name."""
    if not words:
        return []
    texts = [word.text for word in words]
    kinds = [word.kind for word in words]
    whole = "".join(texts)
    chinese = is_chinese(whole)
    found = ["bias", f"n{_bucket(len(words))}|{kinds[-1]}"]
    found += _ends(texts, kinds)
    found += _begins(texts, kinds)
    found += _bag(texts)
    found += _held(texts, kinds)
    found += _clauses(words)
    found += _shape(words)
    found += _characters(whole) if chinese else [f"s3{texts[-1][-3:]}", f"s2{texts[-1][-2:]}"]
    language = "z" if chinese else "e"
    return [language + name for name in found]


def _bucket(count: int) -> str:
    return str(count) if count < 6 else "6+" if count < 9 else "9+" if count < 14 else "14+"


def _ends(texts: Sequence[str], kinds: Sequence[str]) -> Iterator[str]:
    """The last words, their classes, and mixtures of both."""
    edge_texts, edge_kinds = ["^", *texts], ["^", *kinds]
    for size in range(1, min(4, len(edge_texts)) + 1):
        yield "ew" + " ".join(edge_texts[-size:])
    for size in range(1, min(6, len(edge_kinds)) + 1):
        yield "ek" + " ".join(edge_kinds[-size:])
    yield f"em{edge_texts[-2]} {edge_kinds[-1]}"
    yield f"em{edge_kinds[-2]} {edge_texts[-1]}"
    if len(edge_kinds) > 2:
        yield f"em{edge_kinds[-3]} {edge_kinds[-2]} {edge_texts[-1]}"
        yield f"em{edge_kinds[-3]} {edge_texts[-2]} {edge_kinds[-1]}"
        yield f"em{edge_texts[-3]} {edge_texts[-2]} {edge_kinds[-1]}"
    if len(edge_kinds) > 3:
        yield f"em{edge_texts[-4]} {edge_texts[-3]} {edge_kinds[-2]} {edge_kinds[-1]}"


def _begins(texts: Sequence[str], kinds: Sequence[str]) -> Iterator[str]:
    """The first words and classes, alone and beside the last class."""
    for size in range(1, min(4, len(texts)) + 1):
        yield "bw" + " ".join(texts[:size])
        yield "bk" + " ".join(kinds[:size])
    yield f"be{texts[0]}|{kinds[-1]}"
    yield f"be{' '.join(kinds[:2])}|{' '.join(kinds[-2:])}"
    yield f"be{' '.join(texts[:2])}|{kinds[-1]}"
    if len(texts) <= SHORT:
        yield "all" + " ".join(texts)
        yield "allk" + " ".join(kinds)


def _held(texts: Sequence[str], kinds: Sequence[str]) -> Iterator[str]:
    """What classes there are anywhere before the end: a question word, and then "的" is no beginning."""
    for kind in sorted(set(kinds[:-1])):
        yield f"h{kind}"
        yield f"h{kind}|{kinds[-1]}"
        yield f"h{kind}|{texts[-1]}"
    deciding = [kind for kind in kinds if kind in DECIDING]
    yield f"hs{' '.join(deciding[-3:])}|{kinds[-1]}"


def _bag(texts: Sequence[str]) -> Iterator[str]:
    for index, text in enumerate(texts):
        yield "w" + text
        if index:
            yield f"w{texts[index - 1]} {text}"
        if index > 1:
            yield f"w{texts[index - 2]} {texts[index - 1]} {text}"


def _clauses(words: Sequence[Token]) -> Iterator[str]:
    """The latest word that begins a clause, and what has followed it: "if you have" waits for more."""
    opened = [index for index, word in enumerate(words) if word.kind in OPENERS]
    if not opened:
        yield "c-"
        return
    since = words[opened[-1] :]
    opener = since[0]
    yield f"co{opener.kind}|{_bucket(len(since) - 1)}"
    yield f"co{opener.text}|{_bucket(len(since) - 1)}"
    yield f"co{opener.kind}|{since[-1].kind}|{min(len(since), 4)}"
    yield "ck" + " ".join(word.kind for word in since[:5])
    first = next((index for index, word in enumerate(words) if word.kind in ("IF", "WHEN", "BECAUSE")), None)
    if first is not None:
        subjects = sum(word.kind in SUBJECTS for word in words[first:])
        yield f"cs{words[first].text}|{min(subjects, 3)}|{first == 0}"
        yield f"cs{words[first].kind}|{min(subjects, 3)}|{_bucket(len(words) - first)}"


def _shape(words: Sequence[Token]) -> Iterator[str]:
    """What the sentence is made of: subject, verb, noun, one letter for several of a kind in a row."""
    letters = "".join(ROLES.get(word.kind, "") for word in words)
    shape = "".join(one for at, one in enumerate(letters) if at == 0 or letters[at - 1] != one)
    yield f"sh{shape[:12]}"
    for size in range(2, min(7, len(shape)) + 1):
        yield f"se{shape[-size:]}"
    yield f"sx{shape[:3]}|{shape[-2:]}"
    yield f"sw{shape[-4:]}|{words[-1].kind}"
    opened = shape.rfind("c")
    yield f"so{words[0].kind}|{shape.count('v')}|{shape.count('s')}"
    if opened >= 0:
        yield f"so{shape[opened:]}"
        yield f"so{words[0].kind}|{shape[opened:][:6]}|{opened == 0}"


def _characters(run: str) -> Iterator[str]:
    """Chinese by characters: the first five and the last five."""
    for size in range(1, min(5, len(run)) + 1):
        yield "ec" + run[-size:]
        yield "bc" + run[:size]
    if len(run) <= 6:
        yield "allc" + run
