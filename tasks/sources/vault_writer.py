"""Access of stage `ingest` to the vault.

The stage can add values and ask which tokens the vault does not contain, but it cannot read values. It sends its
requests over an inherited socket to its supervisor (`tasks.supervise.vault_service`), which alone has the vault's key
and database. So the stage, which executes the run's own code, cannot read, change or delete anything in the vault.
"""

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, Protocol

from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.core.json_text import parse
from tasks.sources.vault_keys import WriterKeys

SOCKET_VARIABLE = "HALLMARK_VAULT_SOCKET"
"""Environment variable with the file descriptor number of the socket that a stage inherits."""
VALUES_PER_REQUEST = 200
TOKENS_PER_REQUEST = 10_000
MAX_MESSAGE_BYTES = 2**26
ERRORS_BY_NAME: Mapping[str, type[HallmarkError]] = {kind.__name__: kind for kind in (InputError, Refused, Unavailable)}


@dataclass(frozen=True, slots=True)
class TokenValue:
    token: str
    value: str


class VaultWriter(Protocol):
    @property
    def keys(self) -> WriterKeys: ...

    def add_values(self, values: Iterable[TokenValue]) -> int:
        """Add the values whose tokens are new, and return their number.

        Values that the vault already contains are not replaced.
        """

    def find_missing_tokens(self, tokens: Collection[str]) -> list[str]:
        """Return the tokens that the vault does not contain, sorted."""


class VaultClient:
    """Client of the vault that the supervisor of this stage has opened.

    Every method raises the error that the vault raised in the supervisor, or Unavailable if the supervisor has ended.
    """

    def __init__(self, socket_handle: int) -> None:
        self._supervisor = Connection(socket_handle)
        given = self._send_request({"do": "begin"})
        secret = {name: bytes.fromhex(given[name]) for name in ("tokens", "seals", "records")}
        self.keys = WriterKeys(**secret, fingerprint=given["fingerprint"])

    def add_values(self, values: Iterable[TokenValue]) -> int:
        pairs = [[secret.token, secret.value] for secret in values]
        return sum(
            self._send_request({"do": "keep", "values": part}) for part in _split_into_chunks(pairs, VALUES_PER_REQUEST)
        )

    def find_missing_tokens(self, tokens: Collection[str]) -> list[str]:
        parts = _split_into_chunks(sorted(set(tokens)), TOKENS_PER_REQUEST)
        return sorted(token for part in parts for token in self._send_request({"do": "missing", "tokens": part}))

    def close(self) -> None:
        self._supervisor.close()

    def _send_request(self, request: dict[str, Any]) -> Any:
        try:
            self._supervisor.send_bytes(encode_message(request))
            answer = decode_message(self._supervisor.recv_bytes(MAX_MESSAGE_BYTES))
        except (OSError, EOFError):
            raise Unavailable("the supervisor of this stage, which has the vault, is gone") from None
        if kind := answer.get("error"):
            raise ERRORS_BY_NAME[kind](answer["message"])
        return answer["given"]


def connect_to_vault() -> VaultClient | None:
    """Return a client of the supervisor's vault, or None if the stage is run by hand, without a supervisor."""
    named = os.environ.get(SOCKET_VARIABLE)
    return VaultClient(int(named)) if named else None


def encode_message(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode(errors="surrogatepass")


def decode_message(data: bytes) -> Any:
    return parse(data.decode(errors="surrogatepass"))


def _split_into_chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    source = iter(items)
    while part := list(islice(source, size)):
        yield part
