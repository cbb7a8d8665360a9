"""What the documents show, works: their extensions run, their links lead somewhere."""

import re
import sys
import types
from pathlib import Path

import pytest

from voice_agent import registry
from voice_agent.extension import Extension
from voice_agent.message import Clause
from voice_agent.testing import collect, run

ROOT = Path(__file__).parents[2]
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
CODE = re.compile(r"```python\n(.*?)```", re.S)
LINK = re.compile(r"\]\((?!http)([^)#]+)\)")


def extension_in(path: Path, name: str) -> Extension:
    """The extension that a document shows, built."""
    code = next(block for block in CODE.findall(path.read_text("utf-8")) if f"class {name}" in block)
    module = types.ModuleType(f"shown_{name}")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(code, vars(module))
    built = vars(module)[name]()
    assert isinstance(built, Extension)
    return built


def test_the_extension_in_the_readme_runs() -> None:
    shown = extension_in(ROOT / "README.md", "BriefClauses")
    clauses = [Clause(f"Sentence {n}.", final=n == 6, turn=1) for n in range(1, 7)]
    out = run(collect(shown, *clauses, Clause("Next.", turn=2))).of(Clause)
    assert [clause.text for clause in out] == [*(f"Sentence {n}." for n in range(1, 5)), "", "Next."]
    assert [clause.final for clause in out] == [False, False, False, False, True, False]


def test_the_extension_in_the_guide_runs() -> None:
    shown = extension_in(ROOT / "docs" / "extensions.md", "DigitSpeller")
    out = run(collect(shown, Clause("Order 1234 of 12 pieces.")))
    assert out.of(Clause)[0].text == "Order 1 2 3 4 of 12 pieces."


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    missing = [link for link in LINK.findall(path.read_text("utf-8")) if not (path.parent / link).exists()]
    assert not missing


def test_every_implementation_is_in_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert [name for name in registry.names() if f"`{name}`" not in text] == []
