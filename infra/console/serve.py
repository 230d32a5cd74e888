"""Entry point of the console's process: `python -I -m hallmark.process infra.console.serve ROOT ORIGIN PORT`."""

import logging.config
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from infra import ports
from infra.console.app import application
from infra.console.oidc.settings import sign_in_methods
from infra.console.site import Site
from infra.http.connections import uvicorn_config
from infra.logs.configuration import base_configuration
from infra.logs.uncaught import log_uncaught_exceptions
from tasks.core import files
from tasks.core.escaping import escape_logs
from tasks.trust.passkey import LOCALHOST


def main(root: str, origin: str, port: str) -> None:
    """Serve on loopback until the process is stopped.

    An https URL as `origin` is the URL of a proxy, which provides TLS and accepts connections from other machines.
    """
    os.umask(files.STATE_UMASK)
    escape_logs()
    log_uncaught_exceptions()
    logging.config.dictConfig(base_configuration())
    place = urlsplit(origin)
    app = application(Site(Path(root), origin), sign_in_methods())
    sockets = ports.bind_loopback(int(port), for_localhost=place.hostname == LOCALHOST)
    uvicorn.Server(uvicorn_config(app, int(port), behind_proxy=place.scheme == "https")).run(sockets)


if __name__ == "__main__":
    main(*sys.argv[1:])
