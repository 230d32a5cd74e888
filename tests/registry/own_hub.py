"""Model hub on this machine that takes an upload of huggingface_hub, and keeps what it received."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@contextmanager
def hub_of_our_own() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield the hub's address, and the files of its only repository by path."""
    files: dict[str, bytes] = {}
    objects: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/api/models/acme/triage/preupload/main":
                modes = [
                    {"path": each["path"], "shouldIgnore": False, "uploadMode": mode_of(each["path"])}
                    for each in json.loads(body)["files"]
                ]
                self.answer({"files": modes})
            elif self.path == "/acme/triage.git/info/lfs/objects/batch":
                self.answer(
                    {"transfer": "basic", "objects": [self.place(each) for each in json.loads(body)["objects"]]}
                )
            elif self.path == "/api/validate-yaml":
                self.answer({"errors": [], "warnings": []})
            elif self.path == "/api/models/acme/triage/commit/main":
                self.commit(body)
            else:
                self.send_error(404)

        def do_GET(self) -> None:
            self.answer({"id": "acme/triage", "sha": "0" * 40, "siblings": []})

        def do_PUT(self) -> None:
            objects[self.path.rpartition("/")[2]] = self.rfile.read(int(self.headers["content-length"]))
            self.answer({})

        def place(self, each: dict[str, Any]) -> dict[str, Any]:
            return each | {"actions": {"upload": {"href": f"{address()}/objects/{each['oid']}"}}}

        def commit(self, body: bytes) -> None:
            for line in map(json.loads, body.splitlines()):
                told = line["value"]
                if line["key"] == "file":
                    files[told["path"]] = base64.b64decode(told["content"])
                elif line["key"] == "lfsFile":
                    files[told["path"]] = objects[told["oid"]]
            url = f"{address()}/acme/triage/commit/{'1' * 40}"
            self.answer({"commitUrl": url, "commitOid": "1" * 40, "success": True})

        def answer(self, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    def mode_of(path: str) -> str:
        return "lfs" if path.endswith(".safetensors") else "regular"

    def address() -> str:
        return f"http://127.0.0.1:{server.server_port}"

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as settings:
            settings.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
            settings.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
            yield address(), files
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
