"""What the hub says of a model: its files, with their sizes, their checksums and where to get them.

Two requests of the hub's documented HTTP API, which mirrors speak as well. The package `huggingface_hub`
does not do the downloading: as of version 2.4 it throws a half-finished file away, compares sizes but no
checksums, and only warns of a full disk. No token is sent: the models are public, and a mirror need not be
trusted.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from huggingface_hub import constants

from voice_agent.errors import ModelError
from voice_agent.models.catalogue import Model
from voice_agent.models.checksum import Checksum

BRANCH = "main"


@dataclass(frozen=True)
class RemoteFile:
    """A file to be downloaded."""

    name: str
    url: str
    size: int
    """In bytes."""
    checksum: Checksum


@dataclass(frozen=True)
class Listing:
    """A model at one commit."""

    revision: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def endpoint(env: Mapping[str, str] = os.environ) -> str:
    """The hub's address, or the mirror's that HF_ENDPOINT names."""
    return (env.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def listing(client: httpx.Client, base: str, model: Model) -> Listing:
    """What there is to download of a model today. Raises ModelError."""
    api = f"{base}/api/models/{model.repository}"
    commit = _get(client, f"{api}/revision/{BRANCH}", model)
    try:
        revision = quote(str(commit["sha"]), safe="")
        entries = _get(client, f"{api}/tree/{revision}/{quote(model.folder)}".rstrip("/"), model)
        found = {str(entry["path"]): entry for entry in entries if entry["type"] == "file"}
        start = f"{model.folder}/" if model.folder else ""
        names = [path.removeprefix(start) for path in found if path.startswith(start)]
        chosen = model.chosen([name for name in names if "/" not in name])
        address = f"{base}/{model.repository}/resolve/{revision}/{quote(start)}"
        return Listing(
            str(commit["sha"]),
            tuple(_file(name, address + quote(name), found[start + name]) for name in chosen),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{api}: expected the hub's list of files, got something else ({type(error).__name__}: {error}); "
            "does HF_ENDPOINT name a mirror of the hub?"
        ) from error


def _file(name: str, url: str, entry: Mapping[str, Any]) -> RemoteFile:
    if large := entry.get("lfs"):
        return RemoteFile(name, url, int(large["size"]), Checksum("sha256", str(large["oid"]).lower()))
    return RemoteFile(name, url, int(entry["size"]), Checksum("git", str(entry["oid"]).lower()))


def _get(client: httpx.Client, url: str, model: Model) -> Any:
    try:
        return client.get(url).raise_for_status().json()
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise ModelError(f"model '{model.name}': {url} answered {status}, expected 200") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelError(
            f"model '{model.name}': {url} cannot be reached ({type(error).__name__}: {error}). Without the "
            "hub: set HF_ENDPOINT to a mirror, or copy the folder that `voice-agent models path` names "
            "from a machine that has the model"
        ) from error
    except ValueError as error:
        raise ModelError(f"model '{model.name}': {url} answered with something that is not JSON") from error
