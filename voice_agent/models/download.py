"""One file over HTTP, resumed where it was cut, whether in this run or in an earlier one.

What has come lies in a file that is named by the checksum it is to have, so parts of two versions never mix.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from voice_agent.errors import ModelError
from voice_agent.models.checksum import Digests, digests
from voice_agent.models.hub import RemoteFile

log = logging.getLogger(__name__)
ATTEMPTS = 5
"""In a row that bring nothing; each that brings something starts the count anew."""
FIRST_WAIT_S = 0.5
"""Before the second attempt; doubled before each later one."""
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})

Progress = Callable[[int], object]
"""Told of bytes that have come; of a negative number when what had come is thrown away."""


def fetch(client: httpx.Client, file: RemoteFile, part: Path, progress: Progress) -> Digests:
    """Complete the file `part`, and see that it is what was promised; returns its checksums.

    Raises ModelError. Another call gets the rest; content that was wrong is thrown away.
    """
    failures = 0
    while (have := _size(part)) < file.size:
        try:
            _once(client, file, part, have, progress)
            reason = "it ended early"
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in RETRIED:
                status = error.response.status_code
                raise ModelError(f"{file.url} answered {status}, expected 200 or 206") from error
            reason = f"it answered {error.response.status_code}"
        except httpx.HTTPError as error:
            reason = f"{type(error).__name__}: {error}"
        except OSError as error:
            raise ModelError(f"{part} cannot be written: {error.strerror or error}") from error
        if _size(part) >= file.size:
            break
        failures = 1 if _size(part) > have else failures + 1
        if failures >= ATTEMPTS:
            raise ModelError(
                f"{file.url} broke off {ATTEMPTS} times ({reason}); {_size(part)} of {file.size} bytes of "
                f"'{file.name}' are kept: the same command goes on from there"
            )
        log.info("%s: %s, trying again", file.name, reason)
        time.sleep(FIRST_WAIT_S * 2 ** (failures - 1))
    return _checked(file, part, progress)


def _once(client: httpx.Client, file: RemoteFile, part: Path, have: int, progress: Progress) -> None:
    """One request, for what is missing."""
    headers = {"Accept-Encoding": "identity"}  # a compressed body could not be resumed
    if have:
        headers["Range"] = f"bytes={have}-"
    with client.stream("GET", file.url, headers=headers) as response:
        response.raise_for_status()
        resumed = have and response.status_code == 206
        if have and not resumed:
            progress(-have)  # the server knows nothing of ranges: from the beginning
        with part.open("ab" if resumed else "wb") as out:
            try:
                for block in response.iter_bytes():  # as they come, so that a cut loses nothing
                    out.write(block)
                    progress(len(block))
            finally:
                out.flush()
                os.fsync(out.fileno())


def _checked(file: RemoteFile, part: Path, progress: Progress) -> Digests:
    found = digests(part)
    if found.size != file.size:
        problem = f"expected {file.size} bytes, got {found.size}"
    elif not found.match(file.checksum):
        problem = f"expected {file.checksum}, got {found.of(file.checksum.algorithm)}"
    else:
        return found
    part.unlink()
    progress(-found.size)
    raise ModelError(
        f"{file.url}: {problem}. It was thrown away: pull again, or from another mirror (HF_ENDPOINT)"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
