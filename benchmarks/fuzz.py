"""Coverage-guided fuzzing of every parser that reads the network: does one crash, hang or grow?

    python -m benchmarks.fuzz --seconds 600
    python -m benchmarks.fuzz --seconds 60 --target sctp

Each target of `tests/fuzz/targets.py` gets its share of the time in a process of its own (libFuzzer by
Atheris, which is the extra `fuzz`), beginning with real packets, offers and events. What libFuzzer kept as
telling is then run again and again without instruments: the slowest input and the growth of the process's
memory, its garbage collected, are of these rounds. An input that crashes or takes more than HANG_S is saved
in --findings.
"""

import argparse
import gc
import json
import logging
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from voice_agent.calls.own_server import resident_kb

HANG_S = 5
MEMORY_MB = 2048
"""An input that takes more is reported as a crash."""
ROUNDS_S = 5.0
"""How long the inputs are run again."""
STATUS = re.compile(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)


def fuzz(name: str, seconds: int, findings: Path) -> dict[str, Any]:
    """The figures of one target."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        _own_process("guided", name, str(corpus), str(findings), str(seconds), log=log)
        told = STATUS.findall(log.read_text(errors="replace"))
        runs, coverage, features, kept = map(int, told[-1]) if told else (0, 0, 0, 0)
        found = sorted(str(path) for path in findings.glob(f"{name}-*"))
        if not told or "Exception" in log.read_text(errors="replace") or found:
            print(log.read_text(errors="replace")[-3000:], file=sys.stderr)  # noqa: T201
        again = json.loads(_own_process("again", name, str(corpus)) or "{}") if not found else {}
    return {
        "target": name,
        "seconds": seconds,
        "runs": runs,
        "coverage": coverage,
        "features": features,
        "corpus": kept,
        "findings": found,
        **again,
    }


def _own_process(*arguments: str, log: Path | None = None) -> str:
    command = [sys.executable, "-m", "benchmarks.fuzz", "--worker", *arguments]
    if log is None:
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    with log.open("w") as out:
        subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
    return ""


def guided(name: str, corpus: str, findings: str, seconds: str) -> None:
    """Fuzz in this process, which libFuzzer ends."""
    try:
        import atheris
    except ImportError:
        sys.exit("fuzzing needs Atheris: pip install 'voice-agent[fuzz]'")
    with atheris.instrument_imports(include=["voice_agent", "aiortc", "aioice", "python_multipart"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds()):
        (Path(corpus) / f"seed-{number}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": target.max_bytes,
        "timeout": HANG_S,
        "rss_limit_mb": MEMORY_MB,
        "artifact_prefix": f"{findings}/{name}-",
    }
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), corpus], target.run)
    atheris.Fuzz()


def again(name: str, corpus: str) -> None:
    """Run the inputs of a corpus in rounds; prints how long they take and how much memory stays."""
    from tests.fuzz.targets import TARGETS

    run = TARGETS[name].run
    inputs = [path.read_bytes() for path in sorted(Path(corpus).iterdir())]
    slowest_ms, settled_kb, runs = 0.0, 0, 0
    began = time.perf_counter()
    rounds = 0
    while rounds < 4 or time.perf_counter() - began < ROUNDS_S:
        for data in inputs:
            start = time.perf_counter()
            run(data)
            slowest_ms = max(slowest_ms, (time.perf_counter() - start) * 1000) if rounds else 0.0
        rounds += 1
        if rounds == 1:  # what is loaded by now is not of the inputs' making
            gc.collect()
            gc.freeze()
        if rounds == 2:  # caches are full, and the allocator knows the sizes
            gc.collect()
            settled_kb = resident_kb()
        runs += len(inputs) if rounds > 2 else 0
    gc.collect()
    grown_kb = resident_kb() - settled_kb
    print(json.dumps({"again": runs, "slowest_ms": round(slowest_ms, 1), "grown_kb": grown_kb}))  # noqa: T201


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        work, *rest = sys.argv[2:]
        logging.disable(logging.ERROR)  # what is refused is logged, millions of times
        (guided if work == "guided" else again)(*rest)
        return
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=600, help="for all targets together (default 600)")
    parser.add_argument(
        "--target", choices=sorted(TARGETS), action="append", help="only this; may be given again"
    )
    parser.add_argument(
        "--findings", type=Path, default=Path("tests/artifacts/fuzz"), help="folder for inputs that fail"
    )
    arguments = parser.parse_args()
    arguments.findings.mkdir(parents=True, exist_ok=True)
    names = arguments.target or list(TARGETS)
    failed = False
    for name in names:
        figures = fuzz(name, max(1, arguments.seconds // len(names)), arguments.findings)
        failed = failed or not figures["runs"] or bool(figures["findings"]) or "grown_kb" not in figures
        print(json.dumps(figures), flush=True)  # noqa: T201
    sys.exit(failed)


if __name__ == "__main__":
    main()
