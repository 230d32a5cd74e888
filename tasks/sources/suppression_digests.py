"""Digests by which stage `ingest` recognises rows about people who are to be forgotten.

A digest is computed from a keyed token or from a record's protected text. So inputs/sources.json, which has these
digests, contains no token, and nobody without the vault's key can find out whom a digest stands for.
"""

import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json


def person_digest(token: str) -> str:
    """Return the digest of a person's token. It differs from every other digest that Hallmark makes of a token."""
    return sha256_bytes(b"hallmark suppression\n" + token.encode())


def row_digest(source_id: str, messages: Sequence[Mapping[str, Any]], record_key: bytes) -> str:
    """Return the digest of a record's source and protected texts, which a refresh of the source does not change.

    Args:
        source_id: Id of the source.
        messages: Turns of the record, as `ingest` writes them.
        record_key: HMAC key from which record ids are derived (`tasks.sources.vault_keys.WriterKeys.records`).
    """
    turns = [[turn["role"], turn["content"]] for turn in messages]
    return hmac.digest(record_key, canonical_json(["suppression", source_id, turns]), "sha256").hex()


def is_suppressed(record: Mapping[str, Any], suppressed: Collection[str], record_key: bytes) -> bool:
    """Return whether a protected record mentions a suppressed person, or is a suppressed row itself."""
    return bool(suppressed) and (
        any(digest in suppressed for digest in person_digests(record["subjects"]))
        or row_digest(record["source_id"], record["messages"], record_key) in suppressed
    )


def person_digests(tokens: Iterable[str]) -> list[str]:
    return [person_digest(token) for token in tokens]
