"""Limit on the size of a payload. A payload that is much larger than when it was packaged is refused before hashing.

The limit prevents attacks with huge sparse files, which take no disk space but hours to hash. The promotion statement
contains digests but no sizes. The size of the payload in bytes is read from the `result.json` of stage `package`, which
the statement lists. If the size is missing there, the whole payload is hashed.
"""

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from tasks.core.errors import Refused
from tasks.registry.release import bundle, contents

PACKAGE_RESULT = f"{bundle.ATTESTATIONS}/result.json"
TOLERANCE_BYTES = contents.MAX_PARSED_BYTES
"""Number of bytes by which a payload may exceed its packaged size and still be hashed. If it is hashed, the error
message can name the changed file."""


def require_packaged_size(folder: Path, listed_digests: Mapping[str, str], names_to_hash: Collection[str]) -> None:
    """Verify that the payload is not much larger than when it was packaged.

    Args:
        folder: Folder of the release.
        listed_digests: SHA-256 by path of the files that the promotion statement lists.
        names_to_hash: Names of the files to hash.

    Raises:
        Refused: The payload is too large, or result.json was changed.
    """
    packaged = _packaged_bytes(folder, listed_digests)
    if packaged is None:
        return
    sizes = {name: os.lstat(folder / name).st_size for name in names_to_hash if name.startswith(f"{bundle.PAYLOAD}/")}
    if sum(sizes.values()) > packaged + TOLERANCE_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise Refused(
            f"changed: the payload has {sum(sizes.values()):,} bytes, {packaged:,.0f} were packaged, and nothing is "
            f"hashed that has so much more; the largest is {contents.format_names([largest])}"
        )


def _packaged_bytes(folder: Path, listed_digests: Mapping[str, str]) -> float | None:
    if PACKAGE_RESULT not in listed_digests:
        return None
    data = contents.read_file(folder, PACKAGE_RESULT)
    if hashlib.sha256(data).hexdigest() != listed_digests[PACKAGE_RESULT]:
        raise Refused(f"changed: {PACKAGE_RESULT}")
    try:
        value = contents.parse_json(data, PACKAGE_RESULT)["facts"]["bytes"]["value"]
    except (KeyError, TypeError):
        return None
    return value if isinstance(value, int | float) else None
