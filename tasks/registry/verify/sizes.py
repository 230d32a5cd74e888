"""How much there is to hash: a payload of far more bytes than were packaged is refused before any is read.

The promotion statement lists digests and no sizes. A file that is terabytes of nothing takes no space on a disk, and
hours to hash. `result.json` of stage `package`, which the statement lists, says how many bytes the payload has. Where
it does not, all of it is hashed.
"""

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from tasks.core.errors import Refused
from tasks.registry.release import bundle, contents

PACKAGED = f"{bundle.ATTESTATIONS}/result.json"
MORE = contents.MAX_PARSED
"""Bytes above that which are hashed all the same, so that whoever changed a file is told which."""


def require_bounded(folder: Path, wanted: Mapping[str, str], there: Collection[str]) -> None:
    """Raises Refused where the payload among the files `there` has far more bytes than were packaged.

    `wanted`: the files that the statement lists, by SHA-256.
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
