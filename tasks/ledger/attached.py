"""What is attached to an entry: a document of some pages, e.g. the evidence of a gate.

The entry's body has the document's SHA-256 under `attached`, so whatever covers the entry covers it: the tree, its
heads, a proof. How it is packed is the database's own affair; exports and proofs have it as it is. Here it is packed by
zlib (RFC 1950), each by itself, so that one which cannot be read leaves every other as it was. Evidence of 4 to 5 KB
takes 1.8 to 2.0 KB. A preset dictionary took it to 1.4 to 1.6 KB, and would have been needed for ever to read anything.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from tasks.core.errors import InputError
from tasks.core.files import sha256_bytes

NAMED = "attached"
"""The key in an entry's body."""
MOST = 16 * 2**20
"""Bytes of a document, as a release takes them too: what unpacks to more was put there by hand."""
LEVEL = 9


def problem(seq: int, body: Mapping[str, Any], document: bytes | None) -> str:
    """What is wrong with what is attached to an entry, in words; empty where nothing is."""
    named = body.get(NAMED)
    if named is None:
        return "" if document is None else f"something is attached to entry {seq} of the ledger that it does not name"
    if document is None:
        return f"what is attached to entry {seq} of the ledger is missing"
    return "" if sha256_bytes(document) == named else f"what is attached to entry {seq} of the ledger was changed"


def require_fits(document: bytes) -> None:
    """Raises InputError for one that is too long."""
    if len(document) > MOST:
        raise InputError(f"{len(document):,} bytes are to be attached to an entry of the ledger, which takes {MOST:,}")


def pack(document: bytes) -> bytes:
    return zlib.compress(document, LEVEL)


def unpack(data: bytes) -> bytes:
    """Empty for what was not packed here."""
    try:
        unpacker = zlib.decompressobj()
        document = unpacker.decompress(data, MOST)
    except (zlib.error, TypeError):
        return b""
    return document if unpacker.eof and not unpacker.unused_data else b""
