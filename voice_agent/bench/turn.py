"""How long a node waits before it takes a turn for ended."""

from voice_agent.bench.figures import Figure, Subject, delays, own_cpu_s, play
from voice_agent.bench.material import Material, texts
from voice_agent.message import TurnEnded
from voice_agent.trial.cues import of_lines

TAIL_S = 3.0
"""Silence after each sentence: longer than anybody would wait."""


def measure(subject: Subject, material: Material) -> list[Figure]:
    """From the last word of whole sentences of the vertical, told without sound, to the end of the turn."""
    figures = []
    for language, node in subject.by_language():
        if TurnEnded not in node.outputs.values():
            continue
        lines = texts(language)
        cues = of_lines(type(node), lines, language, TAIL_S)
        run = play(node, cues, language=language)
        ends = [(o.audio_s, o.message) for o in run.outputs if isinstance(o.message, TurnEnded)]
        waits = [1000 * (at_s - message.ended_s) for at_s, message in ends]
        figures += delays(f"turn ends after, {language}", waits, f"{len(lines)} sentences of the vertical")
        frames = sum(cue.message.kind == "audio_frame" for cue in cues)
        cost_ms = 1000 * own_cpu_s(run, node, cues) / max(1, frames)
        figures.append(Figure(f"processor time for a frame, {language}", cost_ms, "ms", f"{frames} frames"))
    return figures
