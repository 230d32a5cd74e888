"""Vault service for stage `ingest`, which adds values through its supervisor and cannot read any.

`tasks.sources.vault_writer` is the client.

Values in the vault do not change: a request adds values under their own tokens, or lists tokens to find out which of
them are missing. Any other message of a stage ends the service.
"""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tasks.core.errors import DOCUMENT_ERRORS, HallmarkError, Refused
from tasks.sources.protection import CATEGORIES
from tasks.sources.vault_writer import ERRORS, MAX_MESSAGE_BYTES, SOCKET_VARIABLE, Secret, VaultWriter, decode, encode
from tasks.stages.data.protect.tokens import token
from tasks.supervise.process import Inherited

MAX_VALUE_LENGTH = 2**16
"""Maximum number of characters in a value. Values that recognisers find are far shorter."""


@contextmanager
def serve(state: Path) -> Iterator[Inherited]:
    """Serve one stage's requests to the vault of the state folder `state` until the block ends.

    Yields:
        File descriptor and environment variable with which the stage accesses the service.
    """
    own, theirs = socket.socketpair()
    with own, theirs:
        thread = threading.Thread(target=_serve, args=(state, own), daemon=True)
        thread.start()
        try:
            yield Inherited((theirs.fileno(),), {SOCKET_VARIABLE: str(theirs.fileno())})
        finally:
            _shut_down(own)
            thread.join()


def _shut_down(own: socket.socket) -> None:
    """Shut the connection down for every process that has the other end, because a stage can have passed it on."""
    with suppress(OSError):
        own.shutdown(socket.SHUT_RDWR)


def _serve(state: Path, own: socket.socket) -> None:
    from tasks.sources.vault import open_vault  # takes a fifth of a second, while the stage starts

    vault: VaultWriter | None = None
    ended = (EOFError, OSError, *DOCUMENT_ERRORS)
    try:
        with Connection(own.dup().detach()) as stage, suppress(*ended):
            while True:
                request = decode(stage.recv_bytes(MAX_MESSAGE_BYTES))
                try:
                    vault = vault or open_vault(state)
                    answer = {"given": REQUEST_HANDLERS[request["do"]](vault, request)}
                except HallmarkError as error:
                    kind = next(name for name, kind in ERRORS.items() if isinstance(error, kind))
                    answer = {"error": kind, "message": str(error)}
                stage.send_bytes(encode(answer))
    finally:
        _shut_down(own)


def _begin(vault: VaultWriter, _: Mapping[str, Any]) -> dict[str, str]:
    keys = vault.keys
    secret = {"tokens": keys.tokens, "seals": keys.seals, "records": keys.records}
    return {name: key.hex() for name, key in secret.items()} | {"fingerprint": keys.fingerprint}


def _keep(vault: VaultWriter, request: Mapping[str, Any]) -> int:
    secrets = [Secret(made, value) for made, value in request["values"]]
    for secret in secrets:
        if len(secret.value) > MAX_VALUE_LENGTH:
            raise Refused(
                f"ingest would keep a value of {len(secret.value):,} characters, and may {MAX_VALUE_LENGTH:,}"
            )
        category = secret.token.partition(":")[0]
        if category not in CATEGORIES or token(category, secret.value, vault.keys.tokens) != secret.token:
            raise Refused(f"ingest would keep a value under {secret.token}, which is not its token")
    return vault.keep(secrets)


def _missing(vault: VaultWriter, request: Mapping[str, Any]) -> list[str]:
    return vault.missing(request["tokens"])


REQUEST_HANDLERS: Mapping[str, Callable[[VaultWriter, Mapping[str, Any]], Any]] = {
    "begin": _begin,
    "keep": _keep,
    "missing": _missing,
}
