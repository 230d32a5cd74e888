"""Vault service with which stage `ingest` adds values to the vault. The stage cannot read values.

`tasks.sources.vault_writer` is the client.

A request adds values under their own tokens, or asks which of the given tokens the vault lacks. No request changes a
value that is in the vault, and none adds a value of somebody who is to be forgotten, whatever the run's own code does.
Any other message from the stage ends the service.
"""

import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tasks.core.errors import DOCUMENT_ERRORS, HallmarkError, Refused
from tasks.sources.protection import CATEGORIES
from tasks.sources.suppression_digests import person_digests
from tasks.sources.vault_writer import (
    ERRORS_BY_NAME,
    MAX_MESSAGE_BYTES,
    SOCKET_VARIABLE,
    TokenValue,
    VaultWriter,
    decode_message,
    encode_message,
)
from tasks.stages.data.protect.tokens import is_token_of
from tasks.supervise.process import InheritedResources

MAX_VALUE_LENGTH = 2**16
"""Maximum number of characters in a value. Values that recognisers find are far shorter."""


@contextmanager
def serve_vault(state: Path, suppressed: Collection[str] = ()) -> Iterator[InheritedResources]:
    """Serve one stage's requests to the vault of a state folder until the block ends.

    Args:
        state: State folder.
        suppressed: Digests of the people whose values are refused (`tasks.sources.suppression_digests`).

    Yields:
        File descriptor and environment variable with which the stage accesses the service.
    """
    own, theirs = socket.socketpair()
    with own, theirs:
        thread = threading.Thread(target=_answer_requests, args=(state, own, frozenset(suppressed)), daemon=True)
        thread.start()
        try:
            yield InheritedResources((theirs.fileno(),), {SOCKET_VARIABLE: str(theirs.fileno())})
        finally:
            _shut_down_connection(own)
            thread.join()


def _shut_down_connection(supervisor_socket: socket.socket) -> None:
    """Shut down the connection. A mere close would not suffice if the stage has passed its end to another process."""
    with suppress(OSError):
        supervisor_socket.shutdown(socket.SHUT_RDWR)


def _answer_requests(state: Path, supervisor_socket: socket.socket, suppressed: frozenset[str]) -> None:
    from tasks.sources.vault import open_vault  # takes a fifth of a second, while the stage starts

    vault: VaultWriter | None = None
    ended = (EOFError, OSError, *DOCUMENT_ERRORS)
    try:
        with Connection(supervisor_socket.dup().detach()) as stage, suppress(*ended):
            while True:
                request = decode_message(stage.recv_bytes(MAX_MESSAGE_BYTES))
                try:
                    _require_not_suppressed(request, suppressed)
                    vault = vault or open_vault(state)
                    answer = {"given": REQUEST_HANDLERS[request["do"]](vault, request)}
                except HallmarkError as error:
                    kind = next(name for name, kind in ERRORS_BY_NAME.items() if isinstance(error, kind))
                    answer = {"error": kind, "message": str(error)}
                stage.send_bytes(encode_message(answer))
    finally:
        _shut_down_connection(supervisor_socket)


def _require_not_suppressed(request: Mapping[str, Any], suppressed: frozenset[str]) -> None:
    """Verify that a request adds no value of somebody who is to be forgotten.

    Raises:
        Refused: It does.
    """
    if (
        suppressed
        and request["do"] == "keep"
        and not suppressed.isdisjoint(person_digests(token for token, _ in request["values"]))
    ):
        raise Refused(
            "ingest would keep a value of somebody who is to be forgotten; its code has to leave out the rows that "
            "`suppressed` in inputs/sources.json says"
        )


def _handle_begin(vault: VaultWriter, _: Mapping[str, Any]) -> dict[str, str]:
    keys = vault.keys
    secret = {"tokens": keys.tokens, "seals": keys.seals, "records": keys.records}
    return {name: key.hex() for name, key in secret.items()} | {"fingerprint": keys.fingerprint}


def _handle_keep(vault: VaultWriter, request: Mapping[str, Any]) -> int:
    secrets = [TokenValue(made, value) for made, value in request["values"]]
    for secret in secrets:
        if len(secret.value) > MAX_VALUE_LENGTH:
            raise Refused(
                f"ingest would keep a value of {len(secret.value):,} characters, and may {MAX_VALUE_LENGTH:,}"
            )
        category = secret.token.partition(":")[0]
        if category not in CATEGORIES or not is_token_of(secret.token, category, secret.value, vault.keys.tokens):
            raise Refused(f"ingest would keep a value under {secret.token}, which is not its token")
    return vault.add_values(secrets)


def _handle_missing(vault: VaultWriter, request: Mapping[str, Any]) -> list[str]:
    return vault.find_missing_tokens(request["tokens"])


REQUEST_HANDLERS: Mapping[str, Callable[[VaultWriter, Mapping[str, Any]], Any]] = {
    "begin": _handle_begin,
    "keep": _handle_keep,
    "missing": _handle_missing,
}
