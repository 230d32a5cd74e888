"""Limit on the size of a payload: a payload much larger than when it was packaged is refused before it is hashed.

The promotion statement lists digests but no sizes. A sparse file of terabytes takes no disk space but hours to hash.
The `result.json` of stage `package`, which the statement lists, contains the size of the payload in bytes. If the size
is missing, the whole payload is hashed.
"""

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from tasks.core.errors import Refused
from tasks.registry.release import bundle, contents

PACKAGE_RESULT = f"{bundle.ATTESTATIONS}/result.json"
TOLERANCE_BYTES = contents.MAX_PARSED
"""Number of excess bytes up to which a payload is still hashed, so that the error message can name the changed file."""


def require_packaged_size(folder: Path, wanted: Mapping[str, str], there: Collection[str]) -> None:
    """Verify that the payload is not much larger than when it was packaged.

    Args:
        folder: Folder of the release.
        wanted: SHA-256 by path of the files that the promotion statement lists.
        there: Names of the files to hash.

    Raises:
        Refused: The payload is too large, or result.json was changed.
    """
    packaged = _packaged_bytes(folder, wanted)
    if packaged is None:
        return
    sizes = {name: os.lstat(folder / name).st_size for name in there if name.startswith(f"{bundle.PAYLOAD}/")}
    if sum(sizes.values()) > packaged + TOLERANCE_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise Refused(
            f"changed: the payload has {sum(sizes.values()):,} bytes, {packaged:,.0f} were packaged, and nothing is "
            f"hashed that has so much more; the largest is {contents.display_names([largest])}"
        )


def _packaged_bytes(folder: Path, wanted: Mapping[str, str]) -> float | None:
    if PACKAGE_RESULT not in wanted:
        return None
    data = contents.read_one(folder, PACKAGE_RESULT)
    if hashlib.sha256(data).hexdigest() != wanted[PACKAGE_RESULT]:
        raise Refused(f"changed: {PACKAGE_RESULT}")
    try:
        value = contents.parse_json(data, PACKAGE_RESULT)["facts"]["bytes"]["value"]
    except (KeyError, TypeError):
        return None
    return value if isinstance(value, int | float) else None
