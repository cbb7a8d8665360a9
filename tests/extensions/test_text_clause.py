"""text.clause: where a reply may be cut, and that the pieces it comes in make no difference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.text.clause import ClauseCutter
from voice_agent import spoken
from voice_agent.message import Clause, Text
from voice_agent.testing import Outbox, attach, collect, run


def clauses_of(outbox: Outbox) -> list[str]:
    return [clause.text for clause in outbox.of(Clause)]


def cut(*pieces: str, **config: int) -> list[str]:
    texts = [Text(piece, turn=1) for piece in pieces]
    return clauses_of(run(collect(ClauseCutter(**config), *texts, Text("", final=True, turn=1))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Certainly, sir, it is here.", ["Certainly, sir,", "it is here."]),
        ("Sure, fine.", ["Sure, fine."]),
        ("It costs $3.14, or 1,000 yen at 10:30 today.", ["It costs $3.14,", "or 1,000 yen at 10:30 today."]),
        ("Mr. Li and Dr. Wu of the U.S. left.", ["Mr. Li and Dr. Wu of the U.S. left."]),
        ("Come at 9 a.m. with cards, e.g. Visa.", ["Come at 9 a.m. with cards,", "e.g. Visa."]),
        ("No. 5 is here. No. It is not.", ["No. 5 is here.", "No.", "It is not."]),
        ("See https://a.com/x.y?z=1,2 now.", ["See https://a.com/x.y?z=1,2 now."]),
        ("Mail jo.li@shop.example. Thanks!", ["Mail jo.li@shop.example.", "Thanks!"]),
        ("Hm... let me see.", ["Hm... let me see."]),
        ('He said "Go." Then (it is.) Yes?!', ['He said "Go."', "Then (it is.)", "Yes?!"]),
        ("1. Milk\n2. Eggs\n\nBye", ["1. Milk", "2. Eggs", "Bye"]),
        ("你好。再见！真的？", ["你好。", "再见！", "真的？"]),
        ("好的，请您稍等一下，我来查。", ["好的，请您稍等一下，", "我来查。"]),
        ("他说：“走吧。”然后（停。）好", ["他说：“走吧。”", "然后（停。）", "好"]),
        ("一共1，000元，10：30到，请您注意。", ["一共1，000元，", "10：30到，请您注意。"]),
        ("我用 iPhone 15. 好用。", ["我用 iPhone 15.", "好用。"]),
        ("嗯……让我看看。", ["嗯……让我看看。"]),
        ("It comes on Dec. 3, 2025, I think so.", ["It comes on Dec. 3, 2025,", "I think so."]),
        ("I can see 3, but not the others.", ["I can see 3,", "but not the others."]),
        ("Well then [sighs, and smiles], let us see.", ["Well then [sighs, and smiles],", "let us see."]),
        ("Try it:\n```py\nx = 1, 2\ny = 3.\n```\nDone.", ["Try it:", "```py x = 1, 2 y = 3. ```", "Done."]),
        ("Try ```x = 1.\n\ny", ["Try ```x = 1. y"]),
        ("   \n ", [""]),
        ("", [""]),
    ],
)
def test_cuts(text: str, expected: list[str]) -> None:
    assert [clause for clause in cut(text) if clause or expected == [""]] == expected


def emitted_before_the_end(text: str) -> list[str]:
    return clauses_of(run(collect(ClauseCutter(), Text(text, turn=1))))


def test_the_first_clause_leaves_as_soon_as_it_can() -> None:
    assert emitted_before_the_end("好的，我来帮您查询一下，") == ["好的，我来帮您查询一下，"], "no look-ahead"
    assert emitted_before_the_end("你好。") == ["你好。"]
    assert emitted_before_the_end("I can help you,") == [], "it could be a number"
    assert emitted_before_the_end("I can help you, of") == ["I can help you,"]
    assert emitted_before_the_end("It is 3.") == [] and emitted_before_the_end("It is 3.1") == []
    assert emitted_before_the_end("It is so. ") == ["It is so."]


def test_later_commas_need_more_text_and_sentences_do_not() -> None:
    assert cut("Yes, of course I can, you know, and I will. Ok. Bye.") == [
        "Yes, of course I can,",
        "you know, and I will.",
        "Ok.",
        "Bye.",
    ]


def test_no_clause_is_too_long() -> None:
    assert all(len(clause) <= 40 for clause in cut("word " * 50, max_chars=40))
    assert cut("字" * 30, max_chars=30) == ["字" * 10] * 3
    assert [len(clause) for clause in cut("x" * 100, max_chars=40)] == [40, 40, 20]


def test_the_last_clause_says_so() -> None:
    async def main() -> list[Clause]:
        texts = Text("One. Two", "zh", turn=1), Text(".", "zh", final=True, turn=1)
        return (await collect(ClauseCutter(), *texts)).of(Clause)

    assert run(main()) == [Clause("One.", "zh", turn=1), Clause("Two.", "zh", final=True, turn=1)]


def test_an_end_with_nothing_left_is_an_empty_clause() -> None:
    texts = Text("好。", "zh", turn=1), Text("", "zh", final=True, turn=1)
    assert run(collect(ClauseCutter(), *texts)).of(Clause)[-1] == Clause("", "zh", final=True, turn=1)


def test_an_end_without_text_has_the_language_of_what_came_before() -> None:
    texts = Text("你好", "zh", turn=1), Text("", final=True, turn=1)
    assert run(collect(ClauseCutter(), *texts)).of(Clause) == [Clause("你好", "zh", final=True, turn=1)]


def test_another_turn_and_a_flush_start_clean() -> None:
    async def main() -> list[str]:
        cutter = ClauseCutter()
        emit = attach(cutter)
        await cutter.start()
        for text, turn in (("lost", 1), ("Two", 2), (" is", 2)):
            await cutter.handle(Text(text, turn=turn), emit)
        cutter.flush()
        await cutter.handle(Text("Three.", final=True, turn=3), emit)
        await cutter.handle(Text("Four.", final=True, turn=4), emit)
        return clauses_of(emit)

    assert run(main()) == ["Three.", "Four."]


PIECES = [
    *(
        "Mr. ",
        "Hello",
        ", ",
        ". ",
        ".",
        "..",
        "\n",
        " ",
        '"',
        "1,000",
        "3.",
        "14",
        "No. ",
        "!",
        "? ",
        ")",
        "(",
    ),
    *("```", "[", "]", "`", "``"),
    *("你好", "，", "。", "！", "”", "“", "……", "——", "：", "5", "https://a.b/c?d=e", "U.S.", "字字字字字"),
    "word and more of them ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.data())
def test_pieces_make_no_difference_and_nothing_is_lost(text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    ends = [*places, len(text)]
    pieces = [text[start:end] for start, end in zip([0, *places], ends, strict=True)]
    limits = {"max_chars": 60, "min_chars": 20}
    whole, split, chars = cut(text, **limits), cut(*pieces, **limits), cut(*text, **limits)
    assert whole == split == chars
    assert "".join("".join(whole).split()) == "".join(text.split())
    assert all(spoken.word_spans(clause) for clause in whole[:-1]), "no clause without a word to say"
    prose = [clause for clause in whole if "```" not in clause]
    assert all(sum(3 if spoken.is_cjk(c) else 1 for c in clause) <= 60 + 4 for clause in prose)


def test_a_clause_is_protected_as_a_whole_or_not_at_all() -> None:
    pieces = [
        Text("Hello, this is Mia. Before we ", turn=1),
        Text("This call is ", protected=True, turn=1),
        Text("recorded, for training. You ag", protected=True, turn=1),
        Text("ree.", protected=True, turn=1),
        Text("How can I help?", turn=1),
        Text("", final=True, turn=1),
    ]
    clauses = run(collect(ClauseCutter(), *pieces)).of(Clause)
    assert [(clause.text, clause.protected) for clause in clauses] == [
        ("Hello, this is Mia.", False),
        ("Before we", False),
        ("This call is recorded, for training.", True),
        ("You agree.", True),
        ("How can I help?", False),
    ]
    assert [clause.final for clause in clauses] == [False] * 4 + [True]


def test_a_protected_piece_may_be_the_last_one_or_the_only_one() -> None:
    for pieces in ([("Bye.", False), ("No refunds.", True)], [("No refunds.", True)]):
        texts = [Text(text, protected=protected, turn=1) for text, protected in pieces]
        clauses = run(collect(ClauseCutter(), *texts, Text("", final=True, turn=1))).of(Clause)
        assert clauses[-1].final and [(c.text, c.protected) for c in clauses if c.text] == pieces
