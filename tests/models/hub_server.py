"""A small Hugging Face hub on loopback: enough of its protocol to list and download the files of a few models.

A model's state says how it behaves: "good", "gated", or "cut" (the connection ends in the middle of the weights).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONVERTED = "89abcdef0123456789abcdef0123456789abcdef"


@dataclass
class Hub:
    """What the server holds: for each model its folder and state; `converted` are folders of conversion branches."""

    models: dict[str, tuple[Path, str]] = field(default_factory=dict)
    converted: dict[str, Path] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve() -> Iterator[Hub]:
    """Run a hub in a thread while the block runs."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        path = urlsplit(self.path).path.strip("/")
        # A branch such as refs/pr/7 comes quoted, as one part.
        parts = [unquote(part) for part in path.removeprefix("api/models/").split("/")]
        name = "/".join(parts[:2])
        if name not in self.hub.models:
            self._refuse(401, "RepoNotFound", "Repository not found")
        elif path.startswith("api/models/") and parts[2:] == ["discussions"]:
            self._json(self._discussions(name))
        elif path.startswith("api/models/"):
            self._info(name, "/".join(parts[3:]) or "main")
        else:
            self._file(name, parts[3], "/".join(parts[4:]))

    do_HEAD = do_GET  # noqa: N815 - the name that http.server asks for

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def _info(self, name: str, revision: str) -> None:
        folder = self._folder(name, revision)
        if folder is None:
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
            return
        files = [
            {"rfilename": path.relative_to(folder).as_posix(), "size": path.stat().st_size}
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]
        commit = CONVERTED if folder == self.hub.converted.get(name) else COMMIT
        self._json({"id": name, "sha": commit, "siblings": files, "private": False, "tags": [], "downloads": 0})

    def _discussions(self, name: str) -> dict[str, Any]:
        found = [
            {
                "title": "Adding `safetensors` variant of this model",
                "num": 7,
                "author": {"name": "SFconvertbot"},
                "status": "open",
                "isPullRequest": True,
                "createdAt": "2023-03-22T10:00:00.000Z",
                "repo": {"name": name, "type": "model"},
            }
        ]
        discussions = found if name in self.hub.converted else []
        return {"discussions": discussions, "count": len(discussions), "start": 0}

    def _folder(self, name: str, revision: str) -> Path | None:
        if revision in ("refs/pr/7", CONVERTED):
            return self.hub.converted.get(name)
        return self.hub.models[name][0] if revision in ("main", COMMIT) else None

    def _file(self, name: str, revision: str, file: str) -> None:
        state = self.hub.models[name][1]
        folder = self._folder(name, revision)
        if state == "gated":
            self._refuse(403, "GatedRepo", "Access to this model is restricted")
            return
        if folder is None or not (folder / file).is_file():
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        data = (folder / file).read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", CONVERTED if folder == self.hub.converted.get(name) else COMMIT)
        self.end_headers()
        if self.command == "HEAD":
            return
        if state == "cut" and file.endswith(".safetensors"):
            self.wfile.write(data[start : start + (len(data) - start) // 2])
            self.close_connection = True
            return
        self.wfile.write(data[start:])

    def _json(self, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _refuse(self, status: int, code: str, message: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()
