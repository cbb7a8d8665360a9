"""Checksums of files, by the two kinds that the hub gives: SHA-256 of large ones, git's own of small ones."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

BLOCK = 1 << 20


@dataclass(frozen=True)
class Checksum:
    """What a file's content must come to."""

    algorithm: Literal["sha256", "git"]
    """ "git" is SHA-1 over the header "blob SIZE" and the content: the name git gives to a file."""
    digest: str
    """In lower-case hexadecimal digits."""

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digest}"


@dataclass(frozen=True)
class Digests:
    """A file's size and both checksums, made in one reading."""

    size: int
    sha256: str
    git: str

    def match(self, expected: Checksum) -> bool:
        return self.of(expected.algorithm) == expected.digest

    def of(self, algorithm: Literal["sha256", "git"]) -> str:
        return self.sha256 if algorithm == "sha256" else self.git


def digests(path: Path) -> Digests:
    """Read a file once; some 0.5 s a GB on a machine with SHA instructions."""
    size = path.stat().st_size
    sha256 = hashlib.sha256()
    git = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            sha256.update(block)
            git.update(block)
    return Digests(size, sha256.hexdigest(), git.hexdigest())
