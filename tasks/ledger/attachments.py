"""Documents of a few pages that are attached to entries, for example the evidence of a gate.

The entry's body has the document's SHA-256 under `attached`, so everything that covers the entry also covers the
document: the tree, its heads and proofs. Only the database stores documents compressed; exports and proofs contain them
uncompressed. Each document is compressed separately with zlib (RFC 1950), so that a damaged one does not affect the
others. Evidence of 4 to 5 KB takes 1.8 to 2.0 KB. A preset dictionary reduced that to 1.4 to 1.6 KB, but if it were
lost, no document could be read.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from tasks.core.errors import InputError
from tasks.core.files import sha256_bytes

DIGEST_KEY = "attached"
"""Key in an entry's body whose value is the SHA-256 of the attached document."""
MAX_DOCUMENT_BYTES = 16 * 2**20
"""Maximum size of an attached document in bytes. The same limit applies to the documents of a release."""
COMPRESSION_LEVEL = 9


def find_mismatch(seq: int, body: Mapping[str, Any], document: bytes | None) -> str:
    """Return an error message if a document does not match the digest in its entry's body, else an empty string."""
    named = body.get(DIGEST_KEY)
    if named is None:
        return "" if document is None else f"something is attached to entry {seq} of the ledger that it does not name"
    if document is None:
        return f"what is attached to entry {seq} of the ledger is missing"
    return "" if sha256_bytes(document) == named else f"what is attached to entry {seq} of the ledger was changed"


def require_document_size(document: bytes) -> None:
    if len(document) > MAX_DOCUMENT_BYTES:
        raise InputError(
            f"{len(document):,} bytes are to be attached to an entry of the ledger, which takes {MAX_DOCUMENT_BYTES:,}"
        )


def compress_document(document: bytes) -> bytes:
    return zlib.compress(document, COMPRESSION_LEVEL)


def decompress_document(data: bytes) -> bytes:
    """Decompress a stored document. Return empty bytes if `data` is not a compressed document."""
    try:
        unpacker = zlib.decompressobj()
        document = unpacker.decompress(data, MAX_DOCUMENT_BYTES)
    except (zlib.error, TypeError):
        return b""
    return document if unpacker.eof and not unpacker.unused_data else b""
