"""Pinning a source: what a run will read, fixed before its first stage."""

import hashlib
from pathlib import Path

from tasks.data.readers.content import BLOCK, opened
from tasks.govern.sources import ResolvedSource, Source


def resolve_source(source: Source, root: Path) -> ResolvedSource:
    """The source with the SHA-256 and the size in bytes of its content now, a local file or an S3 object.

    `root` is where relative locations start. Raises InputError where there is nothing to read, Unavailable where the
    store is out of reach.
    """
    digest, size = hashlib.sha256(), 0
    with opened(source, root) as file:
        while block := file.read(BLOCK):
            digest.update(block)
            size += len(block)
    return ResolvedSource(source=source, sha256=digest.hexdigest(), bytes=size)
