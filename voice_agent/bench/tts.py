"""How soon a voice is heard, what it costs, and how loud it is."""

import numpy as np

from voice_agent import audio
from voice_agent.bench.figures import Figure, Subject, delays, play
from voice_agent.bench.material import Material
from voice_agent.bench.metrics import seconds
from voice_agent.errors import TurnError
from voice_agent.message import Failed, Samples, Speech
from voice_agent.trial.cues import of_lines

CLAUSES = {
    "en": (
        "Good evening.",
        "Your order has been sent.",
        "It should reach you the day after tomorrow, before noon.",
        "We are open from nine to six, Monday to Saturday, and you can send it back within thirty days.",
    ),
    "zh": (
        "您好。",
        "您的订单已经发出。",
        "后天中午之前应该可以送到您那里。",
        "我们周一到周六九点到六点营业。",
    ),
}
ROUNDS = 5
"""Each clause is spoken so often in other words: a number is put before it, so that no cache answers."""


def measure(subject: Subject, material: Material) -> list[Figure]:
    """For each language: the first sound, the cost, the level."""
    figures = []
    for language, clauses in CLAUSES.items():
        node = subject.build()
        if node.languages and language not in node.languages:
            continue
        lines = [f"{number}. {clause}" for number in range(1, ROUNDS + 1) for clause in clauses]
        run = play(node, of_lines(type(node), lines, language, 0.1), language=language, tail_s=0.1)
        for output in run.outputs:
            if isinstance(output.message, Failed):
                raise TurnError(output.message.reason)
        first: dict[int | None, float] = {}
        pieces: list[Samples] = []
        for output in run.outputs:
            if isinstance(output.message, Speech) and len(output.message.samples):
                first.setdefault(output.message.turn, output.took_ms)
                pieces.append(output.message.samples)
        if not pieces:
            raise TurnError(f"no sound came out for {lines[0]!r}")
        voice = np.concatenate(pieces)
        on = f"{language}, {len(lines)} clauses, {seconds(voice):.0f} s"
        figures += delays(f"first sound, {language}", list(first.values()))
        figures.append(Figure(f"real-time factor, {language}", run.cpu_s / seconds(voice), "x", on))
        figures.append(Figure(f"level, {language}", audio.level_db(voice), "dB", on))
    return figures
