"""Documents of a few pages that are attached to entries, for example the evidence of a gate.

The entry's body has the document's SHA-256 under `attached`, so everything that covers the entry covers the document:
the tree, its heads, a proof. Only the database holds documents compressed; exports and proofs hold them as they are.
Each is compressed separately by zlib (RFC 1950), so that one that cannot be read affects no other. Evidence of 4 to 5
KB takes 1.8 to 2.0 KB. A preset dictionary reduced that to 1.4 to 1.6 KB, but nothing could ever be read without it.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from tasks.core.errors import InputError
from tasks.core.files import sha256_bytes

DIGEST_KEY = "attached"
"""Key in an entry's body for the SHA-256 of the attached document."""
MAX_DOCUMENT_BYTES = 16 * 2**20
"""Maximum size of a document in bytes, which also applies to documents of a release.

`unpack` returns no longer ones.
"""
COMPRESSION_LEVEL = 9


def find_mismatch(seq: int, body: Mapping[str, Any], document: bytes | None) -> str:
    """Return an error message if a document is not the one that the body of its entry names; else an empty text."""
    named = body.get(DIGEST_KEY)
    if named is None:
        return "" if document is None else f"something is attached to entry {seq} of the ledger that it does not name"
    if document is None:
        return f"what is attached to entry {seq} of the ledger is missing"
    return "" if sha256_bytes(document) == named else f"what is attached to entry {seq} of the ledger was changed"


def require_fits(document: bytes) -> None:
    if len(document) > MAX_DOCUMENT_BYTES:
        raise InputError(
            f"{len(document):,} bytes are to be attached to an entry of the ledger, which takes {MAX_DOCUMENT_BYTES:,}"
        )


def pack(document: bytes) -> bytes:
    return zlib.compress(document, COMPRESSION_LEVEL)


def unpack(data: bytes) -> bytes:
    """Return the document in `data`, or empty bytes if `data` was not made by `pack`."""
    try:
        unpacker = zlib.decompressobj()
        document = unpacker.decompress(data, MAX_DOCUMENT_BYTES)
    except (zlib.error, TypeError):
        return b""
    return document if unpacker.eof and not unpacker.unused_data else b""
