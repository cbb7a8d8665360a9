"""The folder where models lie: KIND/NAME/ with the model's files and a manifest of their checksums.

A model is moved there when it is complete, so what has a manifest is whole unless something spoilt it later.
Paths in it are relative: the folder can be copied to a machine without a network as it is.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from voice_agent.errors import InputError
from voice_agent.models import catalogue
from voice_agent.models.catalogue import Model
from voice_agent.models.checksum import digests

VARIABLE = "VOICE_AGENT_MODELS"
MANIFEST = "manifest.json"
PARTIAL = ".partial"
"""Beside the kinds: what is still being downloaded, by name."""


@dataclass(frozen=True)
class Entry:
    """A file of a model, as it was when the model came here."""

    size: int
    """In bytes."""
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Where a model came from, and what its files were then."""

    source: str
    """A repository of the hub, or the file or folder that it was taken from."""
    revision: str
    """The commit of the repository; "" where there is none."""
    files: Mapping[str, Entry]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(entry.size for entry in self.files.values())


def root(env: Mapping[str, str] = os.environ) -> Path:
    """The folder of the models: $VOICE_AGENT_MODELS, else the user's data folder."""
    if chosen := env.get(VARIABLE):
        return Path(chosen)
    return Path(env.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "voice-agent" / "models"


@dataclass(frozen=True)
class Store:
    """What lies in such a folder. It need not exist."""

    root: Path

    def folder(self, model: Model) -> Path:
        """Where a model lies, or would lie."""
        return self.root / model.kind.name / model.name

    def partial(self, model: Model) -> Path:
        """Where its files lie until all of them are here."""
        return self.root / PARTIAL / model.name

    def manifest(self, model: Model) -> Manifest | None:
        """None for a model that is not installed. Raises InputError for a manifest that cannot be read."""
        path = self.folder(model) / MANIFEST
        try:
            content = json.loads(path.read_text("utf-8"))
            files = {name: Entry(**entry) for name, entry in content["files"].items()}
            return Manifest(content["source"], content["revision"], files)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path} cannot be read ({type(error).__name__}: {error}): "
                f"run `voice-agent models remove {model.name}`, then pull it again"
            ) from error

    def installed(self) -> Iterator[tuple[Model, Manifest]]:
        """The catalogue's models that are here, in its order."""
        for model in catalogue.models().values():
            if manifest := self.manifest(model):
                yield model, manifest

    def partial_bytes(self, model: Model) -> int:
        """How much of an unfinished download is here."""
        folder = self.partial(model)
        return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0

    def add(self, model: Model, folder: Path, manifest: Manifest) -> Path:
        """Move a folder that holds exactly the model's files to its place; returns the place."""
        (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", "utf-8")
        place = self.folder(model)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            shutil.rmtree(place)
        folder.rename(place)
        return place

    def problems(self, model: Model, manifest: Manifest) -> list[str]:
        """What is wrong with an installed model's files, by reading all of them; [] when they are whole."""
        found = []
        for name, entry in manifest.files.items():
            path = self.folder(model) / name
            try:
                now = digests(path)
            except OSError as error:
                found.append(f"{path}: {error.strerror or error}")
                continue
            if now.size != entry.size:
                found.append(f"{path}: expected {entry.size} bytes, got {now.size}")
            elif now.sha256 != entry.sha256:
                found.append(f"{path}: expected sha256 {entry.sha256}, got {now.sha256}")
        return found

    def remove(self, model: Model) -> int:
        """Delete a model and what is left of downloads of it; returns the bytes that were freed."""
        freed = 0
        if not self.root.is_dir():
            return freed
        with self.alone(model):
            for folder in (self.folder(model), self.partial(model)):
                if folder.is_dir():
                    freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                    shutil.rmtree(folder)
        return freed

    @contextmanager
    def alone(self, model: Model) -> Iterator[None]:
        """While no other process changes this model. Raises InputError when one does, or the disk refuses."""
        import filelock  # here, as extensions need none of it

        lock = self.root / PARTIAL / f"{model.name}.lock"
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(lock, timeout=0):
                yield
        except filelock.Timeout:
            raise InputError(f"another process is at work on '{model.name}' in {self.root}") from None
        except OSError as error:
            where = error.filename or self.root
            raise InputError(f"{where}: {error.strerror or error}") from error


# --- for extensions -------------------------------------------------------------------------------


def located(kind: str, name: str) -> str:
    """What an extension loads for a model's name: its path, if it is in the store, else the name itself.

    The path is that of the folder, or of a voice's .onnx file.
    """
    model = catalogue.models().get(name)
    if model is None or model.kind.name != kind:
        return name
    folder = Store(root()).folder(model)
    if not (folder / MANIFEST).is_file():
        return name
    return str(folder / f"{name}.onnx") if kind == "piper" else str(folder)


def used(addon: str, extension: object) -> list[str]:
    """Names of the store's models that an extension of this addon is configured to load."""
    kinds = {model.kind for model in catalogue.models().values() if addon and model.kind.addon == addon}
    values: list[object] = []
    for value in vars(extension).values():
        values += value.values() if isinstance(value, dict) else [value]
    return [
        value
        for kind in kinds
        for value in values
        if isinstance(value, str) and located(kind.name, value) != value
    ]


def how_to_get(kind: str, name: str) -> str:
    """What to do about a model that is not there: a command, where the catalogue has the model."""
    model = catalogue.models().get(name)
    if model is not None and model.kind.name == kind:
        return f"run `voice-agent models pull {name}` ({model.size_mb} MB)"
    return "`voice-agent models list` names those that can be pulled"
