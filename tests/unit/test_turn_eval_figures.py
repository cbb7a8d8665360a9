"""The formulas: shares and how sure they are, the sweep of eot-bench."""

import pytest

from voice_agent.turn_eval import eot, figures
from voice_agent.turn_eval.eot import Hold
from voice_agent.turn_eval.judge import Row
from voice_agent.turn_eval.table import lines


def row(label: str, **values: object) -> Row:
    made = Row("made", "en", label, "x", 1.0, 2.0, over_agent=bool(values.pop("over", False)))
    for name, value in values.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def named(found: list[figures.Figure]) -> dict[str, figures.Figure]:
    return {figure.name: figure for figure in found}


def test_wilsons_interval() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263 and 0 of 20
    assert figures.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert figures.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert figures.wilson(0, 0) == (0.0, 1.0)


def test_the_panel_of_tau_voice() -> None:
    found = named(
        figures.tau_voice(
            [
                row("turn", answerable=True, answered_s=0.4),
                row("turn", answerable=True, answered_s=0.8, cut_ins=2),
                row("turn", answerable=True),
                row("turn", answerable=False),
                row("interruption", over=True, stopped_s=0.3, answerable=True, answered_s=0.6),
                row("correction", over=True, stopped_s=0.5),
                row("interruption", over=True),
                row("interruption", over=True, finished=True),  # it had just ended: no verdict
                row("backchannel", over=True),
                row("backchannel", over=True, stopped_s=0.4),
                row("backchannel"),  # not over the agent: no backchannel
                row("vocal_tic"),
                row("vocal_tic", answered_s=0.5),
                row("non_directed", over=True),
            ]
        )
    )
    assert found["L_R"].value == pytest.approx(600)
    assert (found["R_R"].value, found["R_R"].n) == (75, 4)
    assert found["L_Y"].value == pytest.approx(400)
    assert found["R_Y"].value == pytest.approx(200 / 3)
    assert found["R_Y"].n == 3
    assert (found["I_A"].value, found["I_A"].n) == (25, 8)
    assert (found["S_BC"].value, found["S_BC"].n) == (50, 2)
    assert (found["S_VT"].value, found["S_VT"].n) == (50, 2)
    assert (found["S_ND"].value, found["S_ND"].n) == (100, 1)


def test_nothing_to_count_is_no_figure() -> None:
    found = [
        *figures.tau_voice([]),
        *figures.own([]),
        *figures.end_of_turn([], []),
        *figures.speculation(0, 0, 0, []),
    ]
    assert {figure.value for figure in found} == {None}
    assert all("-" in line for line in lines({"all": found}) if line.startswith("  "))


HOLDS = [Hold(lasts_s, waited_s) for lasts_s, waited_s in ((0.4, 1.0), (0.8, 1.2), (1.5, 2.0), (0.6, 0.3))]
ENDS = [0.2, 0.3, 0.4]


def test_where_a_policy_stands() -> None:
    as_it_is = eot.point(HOLDS, ENDS)
    assert as_it_is.cut_offs == 0.25
    assert as_it_is.latency_s == pytest.approx(0.3)
    patient = eot.point(HOLDS, ENDS, least_s=0.7)
    assert patient.cut_offs == 0.0
    assert patient.latency_s == pytest.approx(0.7)
    hasty = eot.point(HOLDS, ENDS, longest_s=0.5)
    assert hasty.cut_offs == 0.75
    assert hasty.latency_s == pytest.approx(0.3)


def test_a_timer_alone_can_only_choose_between_the_two() -> None:
    """Every wait the same, as of a VAD timer: the sweep finds what the pauses' lengths allow, and no more."""
    holds = [Hold(lasts_s, 0.35) for lasts_s in (0.25, 0.45, 0.85, 1.25)]
    points = eot.sweep(holds, [0.35, 0.35])
    at_300 = eot.cut_offs_at(points, 0.3)
    at_600 = eot.cut_offs_at(points, 0.6)
    assert at_300 is not None
    assert at_600 is not None
    assert (at_300.cut_offs, at_600.cut_offs) == (0.75, 0.5)
    none_cut = eot.latency_at(points, 0.05)
    assert none_cut is not None
    assert none_cut.latency_s == pytest.approx(1.25, abs=0.05)


def test_doubt_at_the_right_places_beats_a_timer() -> None:
    holds = [Hold(lasts_s, 2.0) for lasts_s in (0.25, 0.45, 0.85, 1.25)]
    best = eot.latency_at(eot.sweep(holds, [0.25, 0.3]), 0.05)
    assert best is not None
    assert best.latency_s < 0.3


def test_silences_below_a_tenth_of_a_second_are_no_holds() -> None:
    assert eot.sweep([Hold(0.05, 0.01)], [0.3]) == []
