"""The page and the lines of a report, and the comparison with an earlier test."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.unit.stress_results import cell, failed_cell, result, row, turn
from voice_agent.errors import InputError
from voice_agent.stress import against, charts
from voice_agent.stress.measure import cell_figures
from voice_agent.stress.page import render
from voice_agent.stress.plan import Cell
from voice_agent.stress.summary import lines

VOID = {"meta"}
EVIL = '<script>alert("x")</script>&\x00\ud800'


class Page(HTMLParser):
    """Checks that every tag is closed in its order, and collects what there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def count(self, tag: str) -> int:
        return sum(found == tag for found, _ in self.tags)


GRID = [
    cell(network, calls, slower) for network, slower in (("loopback", 0.0), ("4g", 90.0)) for calls in (1, 4)
]


def test_the_page_holds_every_figure_and_a_table_for_every_chart() -> None:
    page = Page(render(result(*GRID)))
    for told in (
        "416 / 422 ms",
        "506 / 512 ms",
        "+90",
        "122 / 122 ms",
        "1.00 %",
        "4.00 s a minute",
        "4 calls",
    ):
        assert told in page.text, told
    drawn = ("Voice-to-voice", "Distribution", "Stages", "Time to stop", "Packets", "CPU", "Memory")
    labels = [attributes["aria-label"] or "" for tag, attributes in page.tags if tag == "svg"]
    for title in drawn:
        assert sum(label.startswith(title) for label in labels) == 2, f"{title}: one for each network"
    assert page.count("table") == page.count("details") == 6
    assert all(attributes.get("role") == "img" for tag, attributes in page.tags if tag == "svg")


def test_the_page_needs_nothing_but_itself() -> None:
    text = render(result(*GRID))
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    assert not any({"src", "href", "xlink:href"} & set(attributes) for _, attributes in page.tags)
    assert not re.search(r"url\(|@import|https?://", text)


def test_what_comes_from_outside_is_escaped() -> None:
    bad = cell(network=EVIL)
    bad["rows"][0]["failures"] = [EVIL]
    bad["calls"]["failed"] = 1
    bad["believed"]["stages_ms"] = {EVIL: 3.0}
    text = render(
        result(bad, failed_cell(EVIL), command=EVIL, machine=EVIL, stopped=EVIL), result(cell(EVIL))
    )
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert 'alert("x")' in page.text
    assert "\x00" not in text
    text.encode("utf-8")


def test_a_test_of_which_nothing_came_is_a_page_too() -> None:
    Page(render(result()))
    page = Page(render(result(failed_cell("no server answers"), stopped="it was interrupted")))
    assert "no server answers" in page.text
    assert "it was interrupted" in page.text
    out = lines(result(failed_cell("no server answers"), stopped="it was interrupted"))
    assert "Failed: 4g_edge, 1 at once, no. 1: no server answers" in out
    assert out[-1] == "Not all was done: it was interrupted."


def test_doubtful_figures_are_told() -> None:
    frames = {"heard": 10, "late": 0, "sent": 10, "own_late": 5}
    doubtful = cell_figures(Cell("loopback", 2), 1, [row(1, turn(400.0), frames=frames)], {"lasted_s": 1.0})
    assert "short of processor time" in Page(render(result(doubtful))).text
    assert any("2*" in line for line in lines(result(doubtful)))


@pytest.mark.parametrize("most", [0.4, 1.0, 7.0, 99.0, 512.0, 30_000.0])
def test_an_axis_has_a_few_round_marks(most: float) -> None:
    ticks = charts.Scale(most, "ms").ticks()
    assert 2 <= len(ticks) <= 6
    assert ticks[0] == 0 and ticks[-1] <= most


def test_an_axis_with_answers_begun_too_early_reaches_below_zero() -> None:
    across = charts.scale([-120.0, 400.0, None], "ms")
    assert across.low == -120.0
    assert charts.INSET <= across.x(-120.0) < across.x(0.0) < across.x(400.0) <= charts.WIDTH - charts.INSET
    assert across.ticks() == [0.0, 200.0, 400.0]
    assert charts.scale([-300.0, 400.0], "ms").ticks() == [-200.0, 0.0, 200.0, 400.0]


# --- against an earlier test ---


def test_ratios_are_of_this_test_to_the_earlier_one() -> None:
    earlier, now = result(cell(slower_ms=0.0)), result(cell(slower_ms=104.0))
    (compared,) = against.compare(earlier, now)
    assert compared.figures["voice-to-voice P50"] == (416.0, 520.0)
    assert compared.ratio("voice-to-voice P50") == 1.25
    assert compared.ratio("CPU a call") == 1.0
    assert "416 → 520 ×1.25" in Page(render(now, earlier)).text
    assert any("1.25" in line for line in lines(now, earlier))


def test_cells_on_one_side_only_are_told() -> None:
    earlier, now = result(cell("loopback"), cell("gone")), result(cell("loopback"), cell("new"))
    assert [(item.network, item.only) for item in against.compare(earlier, now)] == [
        ("loopback", ""), ("new", "now"), ("gone", "earlier"),
    ]  # fmt: skip
    page = Page(render(now, earlier)).text
    assert "only in this test" in page and "only in the earlier test" in page
    out = lines(now, earlier)
    assert "Only in this test: new, 2 at once" in out and "Only in the earlier test: gone, 2 at once" in out


def test_what_was_not_measured_has_no_ratio() -> None:
    (compared,) = against.compare(result(failed_cell("x")), result(failed_cell("x")))
    assert all(compared.ratio(figure) is None for figure in against.FIGURES)


def test_other_machines_seeds_and_settings_are_told() -> None:
    settings = {**result()["settings"], "turns": 9}
    told = against.differences(result(seed=1), result(seed=2, machine="16 cores", settings=settings))
    assert told == ["machine: 2 cores then, 16 cores now", "seed: 1 then, 2 now", "turns: 3 then, 9 now"]
    assert against.differences(result(), result()) == []


def test_an_earlier_test_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "earlier.json"
    path.write_text(json.dumps(result(*GRID)))
    assert against.read(path) == result(*GRID)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("{", "this is not JSON"),
        ("[1]", "got None"),
        ('{"format": "voice-agent stress 99"}', "got 'voice-agent stress 99'"),
        (json.dumps(result(cells=3)), "expected the cells of a stress test"),
        (json.dumps(result({"network": "x"})), "expected the cells of a stress test"),
        (json.dumps(result({**cell(), "heard": 3})), "expected the cells of a stress test"),
    ],
)
def test_what_is_no_earlier_test_is_named(content: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "earlier.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        against.read(path)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "\n" not in str(caught.value)
