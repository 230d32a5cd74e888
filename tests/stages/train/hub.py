"""A model hub on loopback that answers `snapshot_download` as the Hugging Face Hub does, and notes what is fetched.

GET       /api/models/ID/revision/COMMIT   the commit and the names of its files
GET       /api/models/ID/tree/COMMIT       the files with their sizes, which newer clients ask for instead
HEAD, GET /ID/resolve/COMMIT/FILE          a file, with X-Repo-Commit and an ETag
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tasks.core.files import sha256_bytes

COMMIT = "c0ffee" * 6 + "c0ff"


@dataclass
class Hub:
    repository: str
    files: dict[str, bytes]
    url: str = ""
    fetched: list[str] = field(default_factory=list)
    """Names of the files whose content was asked for."""

    def answer(self, path: str) -> tuple[dict[str, str], bytes] | None:
        """Headers and content; None for what is not there."""
        api, resolve = f"/api/models/{self.repository}", f"/{self.repository}/resolve/{COMMIT}/"
        if path == f"{api}/revision/{COMMIT}":
            return as_json({"id": self.repository, "sha": COMMIT, "siblings": [{"rfilename": n} for n in self.files]})
        if path == f"{api}/tree/{COMMIT}":
            return as_json([{"type": "file", "path": n, "size": len(c), "oid": n} for n, c in self.files.items()])
        name = path.removeprefix(resolve)
        if not path.startswith(resolve) or name not in self.files:
            return None
        content = self.files[name]
        return {"X-Repo-Commit": COMMIT, "ETag": f'"{sha256_bytes(content)}"'}, content


def as_json(value: object) -> tuple[dict[str, str], bytes]:
    return {"Content-Type": "application/json"}, json.dumps(value).encode()


@contextmanager
def serving(repository: str, folder: Path) -> Iterator[Hub]:
    """Serve the files of `folder`."""
    hub = Hub(repository, {path.name: path.read_bytes() for path in sorted(folder.iterdir())})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(whole=True)

        def do_HEAD(self) -> None:
            self.reply(whole=False)

        def reply(self, whole: bool) -> None:
            headers, content = hub.answer(self.path.partition("?")[0]) or ({"X-Error-Code": "EntryNotFound"}, b"")
            self.send_response(404 if "X-Error-Code" in headers else 200)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            if whole:
                self.wfile.write(content)
                hub.fetched += [self.path.rsplit("/", 1)[1]] if "/resolve/" in self.path else []

        def log_message(self, *_: object) -> None:
            """Tests print nothing of it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hub
        server.shutdown()
