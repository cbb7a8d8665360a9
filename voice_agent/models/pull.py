"""Bring a model into the store: from the hub, or from a file or folder that was brought here by hand."""

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

from voice_agent.errors import InputError, ModelError
from voice_agent.models import hub
from voice_agent.models.catalogue import Model
from voice_agent.models.checksum import Checksum, digests
from voice_agent.models.download import fetch
from voice_agent.models.store import Entry, Manifest, Store

TIMEOUT_S = 30.0
"""Without a byte."""
SPARE_BYTES = 50_000_000
"""Left free on the disk."""


def from_hub(store: Store, model: Model) -> Path:
    """Download a model, going on where an earlier attempt ended; returns its folder. Raises ModelError."""
    with store.alone(model), httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client:
        listed = hub.listing(client, hub.endpoint(), model)
        _expect_known(model, {file.name: file.checksum for file in listed.files})
        partial = store.partial(model)
        partial.mkdir(exist_ok=True)
        parts = {file.name: partial / f"{file.checksum.digest}.part" for file in listed.files}
        for stale in set(partial.iterdir()) - set(parts.values()):  # of another version
            stale.unlink()
        _expect_space(store, listed.size - store.partial_bytes(model), model)
        entries: dict[str, Entry] = {}
        with _bar(model.name, listed.size, store.partial_bytes(model)) as bar:
            for file in listed.files:
                found = fetch(client, file, parts[file.name], bar.update)
                entries[file.name] = Entry(found.size, found.sha256)
        _expect_known(model, {name: Checksum("sha256", entry.sha256) for name, entry in entries.items()})
        for name, part in parts.items():
            part.rename(partial / name)
        return store.add(model, partial, Manifest(model.repository, listed.revision, entries))


def from_path(store: Store, model: Model, source: Path) -> Path:
    """Take a model out of a folder, or out of a zip file such as a wheel. Raises InputError or ModelError."""
    with store.alone(model), _opened(source) as members:
        named: dict[str, Any] = {}
        for path in members:
            named.setdefault(path.name, path)  # the nearest to the top, as they come sorted by depth
        chosen = model.chosen(list(named))
        partial = store.partial(model)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        _expect_space(store, sum(_size(named[name]) for name in chosen), model)
        entries: dict[str, Entry] = {}
        try:
            for name in chosen:
                with named[name].open("rb") as read, (partial / name).open("wb") as write:
                    shutil.copyfileobj(read, write)
                found = digests(partial / name)
                entries[name] = Entry(found.size, found.sha256)
            _expect_known(model, {name: Checksum("sha256", entry.sha256) for name, entry in entries.items()})
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return store.add(model, partial, Manifest(source.name, "", entries))


def _expect_space(store: Store, needed: int, model: Model) -> None:
    free = shutil.disk_usage(store.root).free
    if free < needed + SPARE_BYTES:
        raise ModelError(
            f"model '{model.name}' takes {needed / 1e6:.0f} MB more, and {SPARE_BYTES / 1e6:.0f} MB must "
            f"stay free: {store.root} has {free / 1e6:.0f} MB. VOICE_AGENT_MODELS names another folder"
        )


def _expect_known(model: Model, found: dict[str, Checksum]) -> None:
    """Raise ModelError if a file is not the one that the catalogue knows."""
    for name, expected in model.sha256.items():
        came = found.get(name)
        if came is not None and came.algorithm == "sha256" and came.digest != expected:
            raise ModelError(
                f"model '{model.name}': {name} is not the file that was expected: sha256 {expected}, "
                f"got {came.digest}"
            )


def _bar(name: str, total: int, have: int) -> "tqdm[Any]":
    """On a terminal only."""
    return tqdm(total=total, initial=have, desc=name, unit="B", unit_scale=True, disable=None)


@contextmanager
def _opened(source: Path) -> Iterator[list[Any]]:
    """The files in a folder or a zip file, as paths, those of the fewest parts first. Raises InputError."""
    if source.is_dir():
        found = [path for path in source.rglob("*") if path.is_file()]
        yield sorted(found, key=lambda path: (len(path.parts), path))
        return
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{source}: expected a folder, a wheel or a zip file ({error})") from error
    with archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        names.sort(key=lambda name: (name.count("/"), name))
        try:
            yield [zipfile.Path(archive, name) for name in names]
        except zipfile.BadZipFile as error:
            raise InputError(f"{source} is damaged: {error}") from error


def _size(path: Any) -> int:
    if isinstance(path, Path):
        return path.stat().st_size
    return int(path.root.getinfo(path.at).file_size)
