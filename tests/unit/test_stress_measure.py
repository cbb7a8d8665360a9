"""From the rows of calls to the figures of a cell."""

import json

import pytest

from tests.unit.stress_results import cell, failed_cell, row, turn
from voice_agent.stress.cell import Progress
from voice_agent.stress.measure import cell_figures, failed_row, kind, stages
from voice_agent.stress.plan import Cell, PlannedCall, Turn

CELL = Cell("loopback", 2)


def test_what_is_heard_and_what_is_believed_stand_side_by_side() -> None:
    figures = cell()
    assert figures["heard"]["voice_to_voice_ms"] == {
        "p50": 416.0,
        "p95": pytest.approx(421.8, abs=0.1),
        "count": 6,
    }
    assert figures["believed"]["voice_to_voice_ms"]["p50"] == 351.0
    assert figures["unheard_by_server_ms"]["p50"] == 65.0
    assert figures["heard"]["stop_ms"] == {"p50": 121.5, "p95": pytest.approx(121.95, abs=0.1), "count": 2}
    json.dumps(figures)


def test_turns_without_an_answer_are_counted_not_averaged() -> None:
    rows = [
        row(
            1, turn(400.0, 350.0), turn(None, None, error="no answer within 10 s"), turn(600.0, None, "noise")
        )
    ]
    figures = cell_figures(CELL, 1, rows, {"lasted_s": 60.0})
    assert figures["turns"] == {"said": 3, "unanswered": 1, "begun_too_early": 0, "missed_interruptions": 0}
    assert figures["heard"]["voice_to_voice_ms"]["count"] == 2
    assert figures["unheard_by_server_ms"]["count"] == 1, "only where both are known"
    assert figures["heard"]["by_kind"]["noise"]["p50"] == 600.0


def test_loss_is_of_what_was_expected() -> None:
    loss = cell()["loss"]
    assert loss["to_caller"]["lost_percent"] == 1.0
    assert loss["to_caller"]["concealed_percent"] == 0.4
    assert loss["to_server"]["lost_percent"] == 0.4
    assert loss["to_caller"]["network"] == {"sent": 2020, "lost": 20}


def test_what_came_late_was_received_and_lost_but_expected_once() -> None:
    seen = {"received": 100, "lost": 50, "recovered": 0, "concealed": 50, "late": 50}
    figures = cell_figures(CELL, 1, [row(1, to_caller=seen)], {"lasted_s": 1.0})
    assert figures["loss"]["to_caller"]["lost_percent"] == 50.0


def test_costs_are_for_each_call_and_minute() -> None:
    server = cell()["server"]
    assert server["cpu_s_per_call_minute"] == 4.0, "8 s in two calls of a minute"
    assert server["memory_mb_per_call"] == 15.0, "30 MB for two calls at once"
    assert server["machine_busy_percent"] == 25.0


def test_what_is_not_known_is_none() -> None:
    server = cell_figures(CELL, 1, [row(1)], {"lasted_s": 1.0})["server"]
    assert server["cpu_s_per_call_minute"] is server["memory_mb_per_call"] is server["memory_mb"] is None


def test_callers_short_of_time_make_a_cell_doubtful() -> None:
    assert not cell()["doubtful"]
    frames = {"heard": 1000, "late": 0, "sent": 1000, "own_late": 11}
    figures = cell_figures(CELL, 1, [row(1, frames=frames)], {"lasted_s": 1.0})
    assert figures["doubtful"]
    assert figures["frames"]["own_late_percent"] == 1.1


def test_calls_that_did_not_come_about_are_rows_too() -> None:
    rows = [row(2, turn(400.0)), failed_row(PlannedCall(1, 0, 0.0, ()), "no server answers")]
    figures = cell_figures(CELL, 3, rows, {"lasted_s": 1.0})
    assert figures["calls"] == {"planned": 3, "made": 2, "failed": 1, "lost": 1}
    assert [item["number"] for item in figures["rows"]] == [1, 2]
    nothing = failed_cell("no server answers")
    assert nothing["heard"]["voice_to_voice_ms"] is None
    assert nothing["frames"]["late_percent"] is None


def test_stages_are_those_of_the_usual_path_in_its_order() -> None:
    usual = {"turn": 300.0, "router": 1.0, "large": 150.0}
    paths = [usual, {**usual, "turn": 320.0}, {**usual, "turn": 310.0}, {"turn": 300.0, "fast": 2.0}]
    found = stages([{"stages_ms": path} for path in paths])
    assert list(found.items()) == [("turn", 305.0), ("router", 1.0), ("large", 150.0)]
    assert stages([]) == {}


@pytest.mark.parametrize(
    ("planned", "told"),
    [
        (Turn(0), "plain"),
        (Turn(0, barge_in_s=0.5, snr_db=10.0), "barge-in"),
        (Turn(0, silence_s=2.0, snr_db=10.0), "noise"),
        (Turn(0, silence_s=2.0), "silence"),
    ],
)
def test_the_kind_of_a_turn(planned: Turn, told: str) -> None:
    assert kind(planned) == told


def test_progress_counts_every_turn_once() -> None:
    """Also those that a call which failed early will never say."""
    done: list[int] = []
    progress = Progress(on_turn=done.append)
    for fact in ({"turn": 1}, {"turn": 2}, {"turn": 1}, {"row": {"number": 1}}, {"cpu_s": 1.5}):
        progress.take(fact, turns=3)
    assert sum(done) == 4, "two and one that was not said of call 1, one of call 2"
    progress.take({"row": {"number": 2}}, turns=3)
    assert sum(done) == 6
    assert (len(progress.rows), progress.callers_cpu_s) == (2, 1.5)
