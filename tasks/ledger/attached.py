"""What is attached to an entry: a document of some pages, e.g. the evidence of a gate.

The entry's body has the document's SHA-256 under `attached`, so whatever covers the entry covers it: the tree, its
heads, a proof. How it is packed is the database's own affair; exports and proofs have it as it is. Here it is packed by
zlib against `words.txt` (RFC 1950, preset dictionary), which says what most evidence says: a third less remains. Each
stands alone, so that one which cannot be read leaves every other as it was. Packed against an earlier one it would take
half of that, and one row lost would take many gates with it.
"""

import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
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
    packer = zlib.compressobj(LEVEL, zdict=words())
    return packer.compress(document) + packer.flush()


def unpack(data: bytes) -> bytes:
    """Empty for what was not packed here."""
    try:
        unpacker = zlib.decompressobj(zdict=words())
        document = unpacker.decompress(data, MOST)
    except (zlib.error, TypeError):
        return b""
    return document if unpacker.eof and not unpacker.unused_data else b""


@cache
def words() -> bytes:
    """What documents are packed against. With other words in their place nothing that was packed can be read, so new
    ones go into a file of their own; what is packed names its own by their Adler-32."""
    return Path(__file__).with_name("words.txt").read_bytes().replace(b"\n", b"")
