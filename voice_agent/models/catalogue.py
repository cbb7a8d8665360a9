"""The models that can be pulled by name: catalogue.json, read once.

Sizes are rounded and for people: Whisper's weights are two bytes a parameter, voices are what Piper's own
voices.json lists; repositories of Whisper are those that faster-whisper names. What is
downloaded is checked against the exact sizes and checksums that the hub lists at that moment, and against
`sha256`, where a file's checksum is known beforehand.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from voice_agent.errors import InputError, ModelError

FILE = Path(__file__).with_name("catalogue.json")


@dataclass(frozen=True)
class Kind:
    """What the models of one sort have in common."""

    name: str
    role: str
    """What they are for, for people."""
    addon: str
    """The extension that runs them; "" for none of its own."""
    files: Sequence[str]
    """Patterns of file names, each of which must match one; {name} stands for the model's name."""
    optional: Sequence[str]
    """More patterns, of files that are taken where there are any."""


@dataclass(frozen=True)
class Model:
    """One line of the catalogue."""

    name: str
    kind: Kind
    languages: Sequence[str]
    """As ISO 639-1, or "many"."""
    size_mb: int
    """About, in units of 10^6 bytes."""
    licence: str
    repository: str
    """On the hub, as ORGANISATION/NAME."""
    folder: str = ""
    """Within the repository; "" for its top."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Checksums known beforehand, by file name."""

    def chosen(self, names: Sequence[str]) -> list[str]:
        """Those of a folder's file names that make up the model. Raises ModelError when one is missing."""
        required = [pattern.format(name=self.name) for pattern in self.kind.files]
        missing = [pattern for pattern in required if not any(fnmatchcase(name, pattern) for name in names)]
        if missing:
            raise ModelError(f"model '{self.name}': expected {', '.join(missing)}, which is not there")
        return [
            name
            for name in names
            if any(fnmatchcase(name, pattern) for pattern in (*required, *self.kind.optional))
        ]


@cache
def models() -> Mapping[str, Model]:
    """Every model, by its name."""
    content = json.loads(FILE.read_text("utf-8"))
    kinds = {name: _kind(name, entry) for name, entry in content["kinds"].items()}
    return {entry["name"]: Model(**{**entry, "kind": kinds[entry["kind"]]}) for entry in content["models"]}


def _kind(name: str, entry: Mapping[str, Any]) -> Kind:
    files, optional = tuple(entry["files"]), tuple(entry["optional"])
    return Kind(name, entry["role"], entry["addon"], files, optional)


def find(name: str) -> Model:
    """The model of this name. Raises InputError that names what may have been meant."""
    if model := models().get(name):
        return model
    near = difflib.get_close_matches(name, models(), n=1)
    hint = f"did you mean '{near[0]}'?" if near else "`voice-agent models list` names them all"
    raise InputError(f"there is no model '{name}' in the catalogue: {hint}")
