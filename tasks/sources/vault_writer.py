"""What stage `ingest` may ask of the vault: to keep a value, and whether it has a token. It never gets a value back.

The supervisor of the stage has the vault's key and its database. It answers over a socket that the stage inherits
(`tasks.supervise.vault_service`), so that the stage, which is the run's own code, can read, change or delete nothing
that stands there.
"""

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, Protocol

from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.sources.vault_keys import WriterKeys

SOCKET = "HALLMARK_VAULT_SOCKET"
"""Environment variable: the file descriptor of a connected socket that a stage inherits."""
VALUES_TOGETHER = 200
TOKENS_TOGETHER = 10_000
"""… of a request."""
MOST = 2**26
"""Bytes of a request or an answer."""
ERRORS: Mapping[str, type[HallmarkError]] = {kind.__name__: kind for kind in (InputError, Refused, Unavailable)}
"""Errors of the vault that an answer may name."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value and the token that stands in its place."""

    token: str
    value: str


class VaultWriter(Protocol):
    @property
    def keys(self) -> WriterKeys: ...

    def keep(self, values: Iterable[Secret]) -> int:
        """Put in what is not there yet; a token that is there stays as it is. Returns how many."""

    def missing(self, tokens: Collection[str]) -> list[str]:
        """Those of the tokens that the vault does not know, sorted."""


class RemoteWriter:
    """The vault as the supervisor of this stage has it.

    Every method raises what the vault raised there, and Unavailable where the supervisor has gone.
    """

    def __init__(self, handle: int) -> None:
        self._supervisor = Connection(handle)
        given = self._ask({"do": "begin"})
        secret = {name: bytes.fromhex(given[name]) for name in ("tokens", "seals", "records")}
        self.keys = WriterKeys(**secret, fingerprint=given["fingerprint"])

    def keep(self, values: Iterable[Secret]) -> int:
        pairs = [[secret.token, secret.value] for secret in values]
        return sum(self._ask({"do": "keep", "values": part}) for part in _parts(pairs, VALUES_TOGETHER))

    def missing(self, tokens: Collection[str]) -> list[str]:
        parts = _parts(sorted(set(tokens)), TOKENS_TOGETHER)
        return sorted(token for part in parts for token in self._ask({"do": "missing", "tokens": part}))

    def close(self) -> None:
        self._supervisor.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        try:
            self._supervisor.send_bytes(encode(request))
            answer = decode(self._supervisor.recv_bytes(MOST))
        except (OSError, EOFError):
            raise Unavailable("the supervisor of this stage, which has the vault, is gone") from None
        if kind := answer.get("error"):
            raise ERRORS[kind](answer["message"])
        return answer["given"]


def inherited() -> RemoteWriter | None:
    """The vault of the supervisor; None for a stage by hand, which has none."""
    named = os.environ.get(SOCKET)
    return RemoteWriter(int(named)) if named else None


def encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode(errors="surrogatepass")


def decode(data: bytes) -> Any:
    return json.loads(data.decode(errors="surrogatepass"))


def _parts(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    source = iter(items)
    while part := list(islice(source, size)):
        yield part
