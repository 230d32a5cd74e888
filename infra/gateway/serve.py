"""Entry point of the gateway's process: `python -I -m hallmark.process infra.gateway.serve ROOT NAME PORT`."""

import logging
import logging.config
import os
import socket
import sys
from pathlib import Path

import uvicorn

from infra import ports
from infra.gateway import chat_completions, server
from infra.gateway.app import application
from infra.gateway.caller_keys import CallerKeys
from infra.gateway.gateway import Gateway, read_max_prompt_tokens
from infra.gateway.metrics import TOKEN_FILE
from infra.http.connections import uvicorn_config
from infra.logs.configuration import base_configuration
from infra.logs.uncaught import log_uncaught_exceptions
from infra.metrics.exposition import metrics_token
from tasks.core import files
from tasks.core.errors import HallmarkError
from tasks.core.escaping import escape_logs
from tasks.serve import follower
from tasks.serve.follower import ReleaseFollower


def main(root: str, name: str, port: str) -> None:
    """Load the release in production, and serve it on loopback until the process is stopped."""
    os.umask(files.STATE_UMASK)
    escape_logs()
    log_uncaught_exceptions()
    configuration = base_configuration()
    configuration["loggers"] = {each.name: {"level": "INFO"} for each in (chat_completions.log, follower.log)}
    logging.config.dictConfig(configuration)
    folder = server.gateway_folder(Path(root))
    try:
        most = read_max_prompt_tokens()
        following = ReleaseFollower(Path(root), name, f"{socket.gethostname()} gateway")
    except HallmarkError as error:
        message = str(error).encode(errors="backslashreplace").decode()
        failure = server.Failure(error=type(error).__name__, message=message)
        files.write_bytes(folder / server.FAILURE_FILE, failure.model_dump_json().encode())
        raise SystemExit(1) from None
    following.start()
    gateway = Gateway(name, following, CallerKeys(folder), metrics_token(Path(root) / ".hallmark", TOKEN_FILE), most)
    uvicorn.Server(uvicorn_config(application(gateway), int(port), behind_proxy=False)).run(
        ports.bind_loopback(int(port))
    )
    following.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
