"""`voice-agent doctor`: what this machine can run in real time, and which graph is the best for it."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voice_agent.doctor.examine import Finding

COLUMNS = ("MODEL", "IMPLEMENTATION", "LANGUAGE", "REAL TIME", "FIRST RESULT", "MEMORY", "VERDICT")


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    about = "try each model for two seconds, and recommend a graph for this machine"
    parser = subparsers.add_parser("doctor", help=about, description=about)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the findings there; - for standard output"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each model as soon as it is tried, then the recommendation."""
    from voice_agent.choice import PREFERENCE
    from voice_agent.commands import files
    from voice_agent.doctor import examine

    to_stdout = arguments.json == Path("-")
    if arguments.json and not to_stdout:
        files.expect_writable(arguments.json)
    out = sys.stderr if to_stdout else sys.stdout
    machine = examine.machine()
    print(
        f"{machine['cores']} cores, {machine['memory_gb']:g} GB of memory, {machine['gpus']} GPUs that "
        "CTranslate2 can use", file=out,
    )  # fmt: skip
    findings = []
    print(_line(COLUMNS), file=out, flush=True)
    for candidate in examine.candidates():
        findings.append(examine.examine(candidate))
        print(_line(_cells(findings[-1])), file=out, flush=True)
    unready = {graph: examine.lacks(graph) for graph in PREFERENCE}
    graph, reasons = examine.recommend(findings, unready)
    advice = examine.advice(findings)
    print(f"Recommended: voice-agent serve --graph {graph}", file=out)
    for reason in (*reasons, *advice):
        print(f"  {reason}", file=out)
    if arguments.json:
        found = [
            {"model": finding.name, "addon": finding.addon, "language": finding.language, **finding.figures,
             "fast_enough": finding.fast_enough, "problem": finding.problem or finding.too_slow}
            for finding in findings
        ]  # fmt: skip
        report = {"machine": machine, "models": found, "graph": graph, "reasons": reasons, "advice": advice}
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        if to_stdout:
            print(text, end="")
        else:
            files.write(arguments.json, lambda path: path.write_text(text, "utf-8"))
    return 0


def _cells(finding: "Finding") -> tuple[str, ...]:
    figures = finding.figures
    if not figures:
        return (finding.name, finding.addon, finding.language, "", "", "", f"does not run: {finding.problem}")
    return (
        finding.name,
        finding.addon,
        finding.language,
        f"{figures['real_time_factor']:.3f}",
        f"{figures['first_result_ms']:.0f} ms",
        f"{figures['memory_mb']:.0f} MB",
        f"too slow: {finding.too_slow}" if finding.too_slow else "fast enough",
    )


def _line(cells: tuple[str, ...]) -> str:
    widths = (20, 18, 8, 9, 12, 7, 0)
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()
