"""Every conversation of a set with one graph, in several processes, and what came of them."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voice_agent import graph as graphs
from voice_agent.network import profile as profiles
from voice_agent.turn_eval import eot, figures, judge, timeline
from voice_agent.turn_eval.figures import Figure
from voice_agent.turn_eval.judge import Row
from voice_agent.turn_eval.material import Material
from voice_agent.turn_eval.scenario import Conversation, probes
from voice_agent.turn_eval.trial import Clock, Nodes, Record, Setting, check, converse


@dataclass(frozen=True)
class Job:
    """What processes are told; it can be pickled."""

    graph: str
    nodes: Nodes = "real"
    scripted_words: bool = False
    clock: Clock = "virtual"
    network: str = ""
    seed: int = 1
    timelines: Path | None = None
    """Where pictures go, one of each conversation; None for none."""

    def check(self) -> None:
        """Raises GraphError or InputError for what can be known before anything is made or loaded."""
        if self.network:
            profiles.load(self.network)
        check(graphs.load(self.graph))

    def setting(self) -> Setting:
        """With the graph loaded and ready. Raises GraphError, ModelError, InputError."""
        network = profiles.load(self.network) if self.network else None
        graph = graphs.load(self.graph)
        if self.nodes == "real":
            graph.prepare()
        return Setting(graph, self.nodes, self.scripted_words, self.clock, network, self.seed)

    def material(self) -> Material:
        """Where its sounds come from."""
        return Material(self.seed, voices=self.nodes == "real")


@dataclass(frozen=True)
class Outcome:
    """What is kept of a conversation."""

    name: str
    rows: Sequence[Row]
    hold: eot.Hold | None
    """Of a probe: the pause that it was made of."""
    left_out: int
    tentative: int
    confirmed: int
    given_up: int
    saved_s: Sequence[float]
    self_interruptions: int
    history_differs: int
    scripted_words: bool
    lasts_s: float
    took_s: float


@dataclass
class Report:
    """All outcomes, and what they amount to."""

    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        """Of the conversations themselves."""
        return [row for outcome in self.outcomes if outcome.hold is None for row in outcome.rows]

    @property
    def holds(self) -> list[eot.Hold]:
        """Of the probes."""
        return [outcome.hold for outcome in self.outcomes if outcome.hold is not None]

    def figures(self) -> dict[str, list[Figure]]:
        """By group, in the order in which they are told."""
        rows, real = self.rows, [outcome for outcome in self.outcomes if outcome.hold is None]
        total = [
            sum(getattr(outcome, name) for outcome in real) for name in ("tentative", "confirmed", "given_up")
        ]
        saved = [one for outcome in real for one in outcome.saved_s]
        counts = [
            Figure("self-interruptions", "replies cut though nobody spoke",
                   sum(outcome.self_interruptions for outcome in real), "", len(real)),
            Figure("histories that differ", "replies told otherwise than they were said",
                   sum(outcome.history_differs for outcome in real), "", len(real)),
            Figure("events left out", "whose moment never came",
                   sum(outcome.left_out for outcome in real), "", len(real)),
        ]  # fmt: skip
        return {
            "τ-voice": figures.tau_voice(rows),
            "eot-bench": figures.end_of_turn(rows, self.holds),
            "callers": [*figures.own(rows), *counts],
            "speculation": figures.speculation(total[0], total[1], total[2], saved),
        }

    def as_json(self) -> dict[str, Any]:
        """Everything, for other programs."""
        return {
            "figures": {
                group: [figures.as_json(one) for one in found] for group, found in self.figures().items()
            },
            "conversations": [
                {
                    "name": outcome.name,
                    "probe": outcome.hold is not None,
                    "recogniser": "script" if outcome.scripted_words else "graph",
                    "lasts_s": round(outcome.lasts_s, 2),
                    "took_s": round(outcome.took_s, 2),
                    "left_out": outcome.left_out,
                    "events": [judge.as_json(row) for row in outcome.rows],
                }
                for outcome in self.outcomes
            ],
        }


def with_probes(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Also what eot-bench's figures are taken of."""
    return [*conversations, *(probe for one in conversations for probe in probes(one))]


def run(
    conversations: Sequence[Conversation],
    job: Job,
    processes: int = 1,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> Report:
    """Have them all. Raises what a graph, a scenario or a node has wrong."""
    job.material().prepare(conversations)
    report = Report()

    def take(outcome: Outcome) -> None:
        report.outcomes.append(outcome)
        on_outcome(outcome)

    if processes == 1 or len(conversations) == 1:
        worker = _Worker(job)
        for conversation in conversations:
            take(worker.outcome(conversation))
    else:
        context = multiprocessing.get_context("spawn")  # models' threads do not live through a fork
        with ProcessPoolExecutor(processes, context, _start_worker, (job,)) as pool:
            futures: list[Future[Outcome]] = [pool.submit(_in_worker, one) for one in conversations]
            for future in as_completed(futures):
                take(future.result())
    order = {conversation.name: place for place, conversation in enumerate(conversations)}
    report.outcomes.sort(key=lambda outcome: order[outcome.name])
    return report


class _Worker:
    """Has one conversation after the other, with models loaded once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._setting = job.setting()
        self._material = job.material()

    def outcome(self, conversation: Conversation) -> Outcome:
        began_s = time.perf_counter()
        record = converse(conversation, self._material, self._setting)
        found = summary(record, time.perf_counter() - began_s)
        if self._job.timelines is not None:
            timeline.write(record, list(found.rows), self._job.timelines / f"{conversation.name}.svg")
        return found


_worker: _Worker | None = None
"""In a process of the pool, its own."""


def _start_worker(job: Job) -> None:
    global _worker
    _worker = _Worker(job)


def _in_worker(conversation: Conversation) -> Outcome:
    assert _worker is not None
    return _worker.outcome(conversation)


def summary(record: Record, took_s: float = 0.0) -> Outcome:
    """What is kept of a record."""
    rows = judge.rows(record)
    saved = [record.confirmed[turn] - record.tentative[turn] for turn in record.confirmed]
    return Outcome(
        record.conversation.name, rows, _hold(record, rows), len(record.left_out),
        len(record.tentative), len(record.confirmed), len(record.given_up), saved,
        judge.self_interruptions(record), judge.history_differs(record), record.scripted_words,
        len(record.agent) / 16_000, took_s,
    )  # fmt: skip


def _hold(record: Record, rows: Sequence[Row]) -> eot.Hold | None:
    """The pause that a probe was made of, and how long the agent waited in it."""
    conversation = record.conversation
    if not conversation.probe:
        return None
    waited_s = rows[-1].waited_s if rows and len(rows) == len(conversation.events) else None
    return eot.Hold(conversation.pause_s, eot.NEVER_S if waited_s is None else waited_s)
