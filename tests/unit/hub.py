"""A hub on this machine: made-up models, a server that cuts the connection and lies about checksums."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1000
"""Files of this many bytes or more are listed with a SHA-256, as the hub does of those in its large store."""


@dataclass
class Hub:
    """Repositories by name, each with the content of its files by path."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    url: str = ""
    cut_after: int | None = None
    """Bytes of a file after which the connection is closed, in every answer."""
    cuts: int = 0
    """How many answers are still cut."""
    then: list[int] = field(default_factory=list)
    """Answered, in this order, once the last answer was cut."""
    knows_ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    """Answered, in this order, in place of the next files."""
    lies: dict[str, bytes] = field(default_factory=dict)
    """By path: what is sent in place of what is listed."""
    garbage: bytes | None = None
    """Answered in place of every list."""
    ranges: list[str] = field(default_factory=list)
    """The Range of every request for a file, "" for none."""

    def listed(self, repository: str, folder: str) -> list[dict[str, Any]]:
        start = f"{folder}/" if folder else ""
        files = self.repositories[repository]
        return [_entry(path, content) for path, content in files.items() if path.startswith(start)]


def _entry(path: str, content: bytes) -> dict[str, Any]:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry: dict[str, Any] = {"type": "file", "oid": git, "size": len(content), "path": path}
    if len(content) >= LARGE:
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(self.path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision/main|tree/\w+/?(.*))", path):
            self._list(found[1], found[2], found[3])
        elif found := re.fullmatch(rf"/([^/]+/[^/]+)/resolve/{COMMIT}/(.+)", path):
            self._redirect(found[1], found[2])
        elif found := re.fullmatch(r"/store/([^/]+/[^/]+)/(.+)", path):
            self._file(found[1], found[2])
        else:
            self._send(404, b"not found")

    def _list(self, repository: str, what: str, folder: str | None) -> None:
        if repository not in self.hub.repositories:
            self._send(404, b'{"error": "Repository not found"}')
        elif self.hub.garbage is not None:
            self._send(200, self.hub.garbage)
        else:
            listed = self.hub.listed(repository, folder or "")
            answer: Any = {"sha": COMMIT} if what == "revision/main" else listed
            self._send(200, json.dumps(answer).encode())

    def _redirect(self, repository: str, path: str) -> None:
        """As the hub does, to where the bytes lie."""
        self.send_response(302)
        self.send_header("Location", f"/store/{repository}/{path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, repository: str, path: str) -> None:
        hub = self.hub
        wanted = self.headers.get("Range", "")
        hub.ranges.append(wanted)
        if hub.statuses:
            self._send(hub.statuses.pop(0), b"busy")
            return
        content = hub.lies.get(path, hub.repositories[repository][path])
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and hub.knows_ranges else 0
        cut = hub.cut_after if hub.cut_after is not None and hub.cuts > 0 else None
        self._send(206 if start else 200, content[start:], cut)

    def _send(self, status: int, body: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None and cut < len(body):
            self.hub.cuts -= 1
            if not self.hub.cuts:
                self.hub.statuses, self.hub.then = self.hub.then, []
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Tests are quiet."""


@contextmanager
def running() -> Iterator[Hub]:
    """A hub without models, until the test is over."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
