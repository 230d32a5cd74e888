"""Limit on the size of a payload: one with far more bytes than were packaged is refused before any file is hashed.

The promotion statement lists digests and no sizes. A sparse file of terabytes takes no space on a disk, and hours to
hash. `result.json` of stage `package`, which the statement lists, contains the number of bytes of the payload. If it
lacks that number, the whole payload is hashed.
"""

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from tasks.core.errors import Refused
from tasks.registry.release import bundle, contents

PACKAGED = f"{bundle.ATTESTATIONS}/result.json"
MORE = contents.MAX_PARSED
"""Tolerance in bytes. A payload that exceeds its size by less is hashed, so that the message can name the changed
file."""


def require_bounded(folder: Path, wanted: Mapping[str, str], there: Collection[str]) -> None:
    """Verify that the payload is not much larger than it was when it was packaged.

    Args:
        folder: Folder of the release.
        wanted: SHA-256 by path of the files that the promotion statement lists.
        there: Names of the files to hash.

    Raises:
        Refused: The payload is too large, or result.json was changed.
    """
    packaged = _packaged(folder, wanted)
    if packaged is None:
        return
    sizes = {name: os.lstat(folder / name).st_size for name in there if name.startswith(f"{bundle.PAYLOAD}/")}
    if sum(sizes.values()) > packaged + MORE:
        largest = max(sizes, key=lambda name: sizes[name])
        raise Refused(
            f"changed: the payload has {sum(sizes.values()):,} bytes, {packaged:,.0f} were packaged, and nothing is "
            f"hashed that has so much more; the largest is {contents.shown([largest])}"
        )


def _packaged(folder: Path, wanted: Mapping[str, str]) -> float | None:
    if PACKAGED not in wanted:
        return None
    data = contents.read_one(folder, PACKAGED)
    if hashlib.sha256(data).hexdigest() != wanted[PACKAGED]:
        raise Refused(f"changed: {PACKAGED}")
    try:
        value = contents.parse(data, PACKAGED)["facts"]["bytes"]["value"]
    except (KeyError, TypeError):
        return None
    return value if isinstance(value, int | float) else None
