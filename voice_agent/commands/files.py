"""Files that commands write: found to be writable before the work that is to fill them."""

import os
from collections.abc import Callable
from pathlib import Path

from voice_agent.errors import InputError


def expect_writable(path: Path) -> None:
    """Raise InputError before the calls, not after them, when it would be of no use."""
    if path.is_dir():
        raise InputError(f"{path}: cannot be written: it is a folder")
    if not path.parent.is_dir():
        raise InputError(f"{path}: cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{path}: cannot be written: permission denied")


def write(path: Path, by: Callable[[Path], object]) -> None:
    """Write a file. Raises InputError."""
    try:
        by(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
