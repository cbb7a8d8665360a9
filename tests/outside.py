"""Extensions from outside the tree: a package that pip would have installed, without pip."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from voice_agent import registry


@contextmanager
def installed(folder: Path, addons: Mapping[str, str]) -> Iterator[None]:
    """While this lasts, `folder` is on the path, and a package in it registers addon -> "module:Class"."""
    info = folder / "outside_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-package\nVersion: 1.0\n")
    lines = (f"{addon} = {place}\n" for addon, place in addons.items())
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{''.join(lines)}")
    modules = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        registry.find.cache_clear()
        try:
            yield
        finally:
            registry.find.cache_clear()
            for name in set(sys.modules) - modules:
                if (file := getattr(sys.modules[name], "__file__", None)) and folder in Path(file).parents:
                    del sys.modules[name]
