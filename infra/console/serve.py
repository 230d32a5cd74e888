"""The process: `python -I -m infra.console.serve ROOT ORIGIN PORT`, on loopback."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from infra.console.app import application
from infra.console.site import Site
from tasks.core import files
from tasks.core.shown import guard_logs


def main(root: str, origin: str, port: str) -> None:
    """Serve until told to stop. What listens is on loopback: TLS and other machines are a proxy's, at `origin`."""
    os.umask(files.UMASK)
    guard_logs()
    behind = urlsplit(origin).scheme == "https"
    app = application(Site(Path(root), origin))
    uvicorn.run(
        app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False, server_header=False,
        proxy_headers=behind, forwarded_allow_ips="127.0.0.1", limit_concurrency=200, timeout_keep_alive=15,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
