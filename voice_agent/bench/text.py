"""How soon a node that works on text says something: routers, answering nodes, what cuts clauses."""

from collections import Counter

from voice_agent.bench.figures import Figure, Subject, delays, own_cpu_s, percent, play
from voice_agent.bench.material import Material, texts
from voice_agent.errors import TurnError
from voice_agent.message import Failed
from voice_agent.trial.cues import of_lines


def measure(subject: Subject, material: Material) -> list[Figure]:
    """For each language, with the sentences of the vertical: the first message, the cost, what came out."""
    figures = []
    for language, node in subject.by_language():
        lines = texts(language)
        cues = of_lines(type(node), lines, language, 0.5)
        run = play(node, cues, language=language)
        first: dict[int | None, float] = {}
        ports: Counter[str] = Counter()
        for output in run.outputs:
            if isinstance(output.message, Failed):
                raise TurnError(output.message.reason)
            if output.message.turn not in first:
                first[output.message.turn] = output.took_ms
            ports[output.port] += 1
        figures += delays(f"first message, {language}", list(first.values()))
        on = f"{language}, {len(lines)} sentences of the vertical"
        cost_ms = 1000 * own_cpu_s(run, node, cues) / len(lines)
        figures.append(Figure(f"processor time for a text, {language}", cost_ms, "ms", on))
        if "declined" in node.outputs:
            figures.append(percent(f"declined, {language}", ports["declined"] / len(lines), on))
    return figures
