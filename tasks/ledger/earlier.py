"""A ledger whose entries an earlier Hallmark hashed in another form, told from one that somebody changed.

Before commit 9efc2bd the leaf of an entry did not name its type. Nothing of that form was released, and no later
version reads its heads.
"""

from collections.abc import Iterable, Sequence

from tasks.core.errors import Refused
from tasks.core.files import canonical_json
from tasks.core.version import HALLMARK
from tasks.ledger.entry import Row
from tasks.ledger.tree import merkle
from tasks.ledger.tree.merkle import Frontier

CHANGED_BY = "9efc2bd"
"""The commit that gave entries their form of today."""


def tree(rows: Iterable[Row]) -> Frontier:
    """The tree that a Hallmark of before made of these rows."""
    made = Frontier()
    for row in rows:
        made = made.append(merkle.leaf_hash(canonical_json(row._asdict())))
    return made


def require_this_form(first: Sequence[Row], root: bytes | None, where: str) -> None:
    """Raises Refused if the first entries of a ledger have, in the form of before, the root that is kept of them."""
    if first and tree(first).root() == root:
        raise Refused(
            f"the ledger at {where} was written by an early commit of Hallmark 0.1.0 (before {CHANGED_BY}), which "
            f"hashed entries in another form; this version, {HALLMARK}, can neither verify it nor go on with it. Look "
            "at it with the commit that wrote it; to begin anew, move .hallmark/ away and say `hallmark init`"
        )
