"""The report: one HTML file that needs nothing but itself, so that it opens offline and can be sent. Pure."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from voice_agent.stress import against, page_costs, page_heard
from voice_agent.stress.html import Child, document, table, tag
from voice_agent.stress.parts import Figures, counted, name, section, told

STYLE = Path(__file__).with_name("report.css")
NOTICEABLE = 0.05
"""A ratio nearer to 1 is neither better nor worse."""
MOST_FAILURES = 200
"""Rows; the JSON has them all."""


def render(result: Figures, earlier: Figures | None = None) -> str:
    """The page for a result, compared with an earlier one where there is one."""
    cells = result["cells"]
    parts: list[Child] = [_head(result), *_notices(result)]
    if cells:
        drawn = (
            page_heard.latency, page_heard.distributions, page_heard.waterfall, page_heard.barge_ins,
            page_costs.loss, page_costs.costs,
        )  # fmt: skip
        parts += [draw(cells) for draw in drawn]
    if earlier is not None:
        parts.append(_comparison(earlier, result))
    parts += [_failures(cells), _run(result)]
    return document("Stress test of a voice agent", STYLE.read_text("utf-8"), tag("main", *parts))


def _head(result: Figures) -> Element:
    cells = result["cells"]
    made, failed, lost = (sum(cell["calls"][what] for cell in cells) for what in ("made", "failed", "lost"))
    said, unanswered = (sum(cell["turns"][what] for cell in cells) for what in ("said", "unanswered"))
    tiles = [
        _tile(str(made), "calls made"),
        _tile(str(failed), "of them failed", bad=failed > 0),
        _tile(str(lost), "lost or never connected", bad=lost > 0),
        _tile(str(said), "turns said"),
        _tile(str(unanswered), "without an answer", bad=unanswered > 0),
    ]
    p50s = [cell["heard"]["voice_to_voice_ms"]["p50"] for cell in cells if cell["heard"]["voice_to_voice_ms"]]
    if p50s:
        span = f"{min(p50s):.0f}" if len(p50s) == 1 else f"{min(p50s):.0f}–{max(p50s):.0f}"
        tiles.append(_tile(f"{span}\u00a0ms", "voice-to-voice P50, best to worst cell"))
    return tag(
        "header",
        tag("h1", "Stress test of a voice agent"),
        tag("p", f"{result['begun']}, {result['machine']}", class_="muted"),
        tag("ul", *tiles, class_="tiles"),
    )


def _tile(figure: str, words: str, bad: bool = False) -> Element:
    return tag("li", tag("strong", figure, class_="bad" if bad else None), tag("span", words, class_="muted"))


def _notices(result: Figures) -> list[Child]:
    out: list[Child] = []
    if result["stopped"]:
        words = f"The test did not run to its end: {result['stopped']}. Shown is what was done."
        out.append(tag("div", tag("p", words), class_="notice alarm", role="alert"))
    marked = [cell for cell in result["cells"] if cell["doubtful"]]
    doubtful = [f"{cell['network']}, {counted(cell['calls_at_once'])}" for cell in marked]
    if doubtful:
        words = (
            "Doubtful, as the callers themselves were short of processor time and sent more than 1 % of "
            f"their frames late: {'; '.join(doubtful)}."
        )
        out.append(tag("div", tag("p", words), class_="notice"))
    return out


def _failures(cells: Sequence[Figures]) -> Element:
    rows: list[list[Child]] = []
    for cell in cells:
        for row in cell["rows"]:
            if row["failures"]:
                turns = f"{len(row['turns'])}, {'lost' if row['lost'] else 'to its end'}"
                rows.append([f"{name(cell)}, no. {row['number']}", turns, "; ".join(row["failures"])])
    if not rows:
        return section("Failed calls", "None: every call came about, and every turn was answered.")
    shown = table("Failed calls", ["call", "turns said", "why"], rows[:MOST_FAILURES])
    shown.set("class", "scroll words")
    about = counted(len(rows)) + (f", the first {MOST_FAILURES}" if len(rows) > MOST_FAILURES else "")
    return section(
        "Failed calls", f"{about}. A call fails when it is lost or anything goes wrong in it.", shown
    )


def _comparison(earlier: Figures, result: Figures) -> Element:
    rows: list[list[Child]] = []
    for row in against.compare(earlier, result):
        where = f"{row.network}, {counted(row.calls)}"
        if row.only:
            missing = "only in this test" if row.only == "now" else "only in the earlier test"
            rows.append([where, *([missing] + ["–"] * (len(against.FIGURES) - 1))])
        else:
            rows.append([where, *(_ratio(row, figure) for figure in against.FIGURES)])
    differences = against.differences(earlier, result)
    notes = tag("ul", *(tag("li", line) for line in differences)) if differences else None
    return section(
        "Against the earlier test",
        f"The test of {earlier['begun']}: earlier figure, this one, and their ratio. Less is better.",
        tag("div", tag("p", "Not the same in both:"), notes, class_="notice") if differences else None,
        table("This test as a ratio to the earlier one", ["cell", *against.FIGURES], rows),
    )


def _ratio(row: against.Row, figure: str) -> Child:
    before, now = row.figures[figure]
    ratio = row.ratio(figure)
    digits = 1 if max(abs(before or 0), abs(now or 0)) < 100 else 0
    values = f"{told(before, digits)} → {told(now, digits)}"
    if ratio is None:
        return values
    class_ = "worse" if ratio > 1 + NOTICEABLE else "better" if ratio < 1 - NOTICEABLE else None
    return tag("span", f"{values} ", tag("strong", f"×{ratio:.2f}", class_=class_))


def _run(result: Figures) -> Element:
    settings = result["settings"]
    server, habits = settings["server"], settings["habits"]
    known = {key: value for key, value in server.items() if value}
    facts: dict[str, Child] = {
        "Command": tag("code", result["command"]),
        "Machine": f"{result['machine']}, {result['system']}",
        "Version": f"voice-agent {result['version']}",
        "Seed": str(result["seed"]),
        "Server": ", ".join(f"{key} {value}" for key, value in known.items())
        or "the best graph that works here",
        "Calls": "{rounds} in each place, {turns} turns each, language {language}".format(**settings),
        "Turns": ", ".join(f"{habit} {share:.0%}" for habit, share in habits.items()),
        "Said": " | ".join(settings["utterances"]),
    }
    pairs = [part for term, value in facts.items() for part in (tag("dt", term), tag("dd", value))]
    about = "The same seed on the same version plans the same calls and networks; machines differ."
    return section("This test", about, tag("dl", *pairs))
