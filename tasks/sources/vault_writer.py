"""Access of stage `ingest` to the vault: it adds values and asks which tokens are missing, but cannot read any value.

The supervisor of the stage has the vault's key and database. It answers over a socket that the stage inherits
(`tasks.supervise.vault_service`). So the stage, which is the run's own code, cannot read, change or delete anything in
the vault.
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
ERRORS: Mapping[str, type[HallmarkError]] = {kind.__name__: kind for kind in (InputError, Refused, Unavailable)}


@dataclass(frozen=True, slots=True)
class Secret:
    token: str
    value: str


class VaultWriter(Protocol):
    @property
    def keys(self) -> WriterKeys: ...

    def keep(self, values: Iterable[Secret]) -> int:
        """Add the values whose tokens are new, and return their number. The values of known tokens are not replaced."""

    def missing(self, tokens: Collection[str]) -> list[str]:
        """Return the tokens that the vault does not contain, sorted."""


class VaultClient:
    """Client of the vault, which is opened by the supervisor of this stage.

    Every method raises the error that the vault raised in the supervisor, or Unavailable if the supervisor has ended.
    """

    def __init__(self, handle: int) -> None:
        self._supervisor = Connection(handle)
        given = self._ask({"do": "begin"})
        secret = {name: bytes.fromhex(given[name]) for name in ("tokens", "seals", "records")}
        self.keys = WriterKeys(**secret, fingerprint=given["fingerprint"])

    def keep(self, values: Iterable[Secret]) -> int:
        pairs = [[secret.token, secret.value] for secret in values]
        return sum(self._ask({"do": "keep", "values": part}) for part in _chunks(pairs, VALUES_PER_REQUEST))

    def missing(self, tokens: Collection[str]) -> list[str]:
        parts = _chunks(sorted(set(tokens)), TOKENS_PER_REQUEST)
        return sorted(token for part in parts for token in self._ask({"do": "missing", "tokens": part}))

    def close(self) -> None:
        self._supervisor.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        try:
            self._supervisor.send_bytes(encode(request))
            answer = decode(self._supervisor.recv_bytes(MAX_MESSAGE_BYTES))
        except (OSError, EOFError):
            raise Unavailable("the supervisor of this stage, which has the vault, is gone") from None
        if kind := answer.get("error"):
            raise ERRORS[kind](answer["message"])
        return answer["given"]


def connect() -> VaultClient | None:
    """Return a client of the supervisor's vault, or None if the stage is run by hand, without a supervisor."""
    named = os.environ.get(SOCKET_VARIABLE)
    return VaultClient(int(named)) if named else None


def encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode(errors="surrogatepass")


def decode(data: bytes) -> Any:
    return parse(data.decode(errors="surrogatepass"))


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    source = iter(items)
    while part := list(islice(source, size)):
        yield part
