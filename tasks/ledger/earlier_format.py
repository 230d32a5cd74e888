"""Detection of a ledger that an early commit of Hallmark wrote, so that it is not mistaken for a manipulated ledger.

Before commit 9efc2bd the leaf of an entry did not contain its type. No release wrote that format, and no later version
reads heads over it.
"""

from collections.abc import Iterable, Sequence

from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json
from tasks.core.version import VERSION
from tasks.ledger.entry import Row
from tasks.ledger.tree import merkle
from tasks.ledger.tree.merkle import Frontier

FORMAT_COMMIT = "9efc2bd"


def hash_in_earlier_format(rows: Iterable[Row]) -> Frontier:
    made = Frontier()
    for row in rows:
        made = made.append(merkle.leaf_hash(canonical_json(row._asdict())))
    return made


def require_current_format(first_rows: Sequence[Row], root: bytes | None, ledger_url: str) -> None:
    """Verify that the ledger was not written by an early commit of Hallmark.

    Raises:
        Refused: The stored root is the hash of the first entries in the earlier format.
    """
    if first_rows and hash_in_earlier_format(first_rows).root() == root:
        raise Refused(
            f"the ledger at {ledger_url} was written by an early commit of Hallmark 0.1.0 "
            f"(before {FORMAT_COMMIT}), which "
            f"hashed entries in another form; this version, {VERSION}, can neither verify it nor go on with it. Look "
            "at it with the commit that wrote it; to begin anew, move .hallmark/ away and say `hallmark init`"
        )
