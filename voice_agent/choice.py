"""Which graph this machine can run: the best whose every node is ready, and the reasons, as a table."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voice_agent import graph as graphs
from voice_agent.errors import GraphError, ModelError
from voice_agent.graph import Graph, Readiness
from voice_agent.models.store import used

PREFERENCE = ("openai", "local", "embedded")
"""Best first. "openai" is tried only where a key or an address says that it is wanted: it costs money."""
WANTED_BY = {"openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LLM_BASE_URL")}


@dataclass(frozen=True)
class Choice:
    """The graph to serve, and why."""

    graph: Graph
    rows: Sequence[Readiness]
    rejected: Mapping[str, Sequence[str]]
    """Graph to the reasons why it was not taken."""
    missing: Mapping[str, Sequence[Readiness]]
    """Node to what other graphs would have used for it, and why that is not ready."""


def choose(name: str = "auto", env: Mapping[str, str] = os.environ) -> Choice:
    """Load and prepare a graph, or with "auto" the best that works here.

    Takes seconds. Raises GraphError or ModelError that says for every graph why it does not work.
    """
    candidates = PREFERENCE if name == "auto" else (name,)
    rejected: dict[str, Sequence[str]] = {}
    missing: dict[str, list[Readiness]] = {}
    for candidate in candidates:
        wanted_by = WANTED_BY.get(candidate, ()) if name == "auto" else ()
        if wanted_by and not any(env.get(variable) for variable in wanted_by):
            rejected[candidate] = (f"none of {', '.join(wanted_by)} is set",)
            continue
        try:
            graph = graphs.load(candidate)
        except GraphError as error:
            if name != "auto":
                raise
            rejected[candidate] = error.problems
            continue
        rows = graph.readiness()
        failed = [row for row in rows if row.problem]
        if not failed:
            return Choice(graph, rows, rejected, missing)
        rejected[candidate] = tuple(f"node '{row.node}' ({row.addon}): {row.problem}" for row in failed)
        for row in failed:
            missing.setdefault(row.node, []).append(row)
    reasons = [f"graph '{graph}': {reason}" for graph, reasons in rejected.items() for reason in reasons]
    raise ModelError("\n".join(reasons))


def table(choice: Choice) -> str:
    """The start-up table: node, implementation, why."""
    rows = [("NODE", "IMPLEMENTATION", "WHY")]
    nodes = {node.name: node for node in choice.graph.nodes}
    for row in choice.rows:
        better = "; ".join(
            f"{other.addon} is not ready: {other.problem}" for other in choice.missing.get(row.node, ())
        )
        models = used(row.addon, nodes[row.node].build())
        ready = f"ready: {', '.join(models)} of the model store" if models else "ready"
        rows.append((row.node, row.addon, better or ready))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"  {node:<{widths[0]}}  {addon:<{widths[1]}}  {why}" for node, addon, why in rows]
    for name, reasons in choice.rejected.items():
        lines += ["", f"Graph '{name}' is not used:", *(f"  {reason}" for reason in reasons)]
    return "\n".join([f"Graph '{choice.graph.name}' is used:", *lines])
