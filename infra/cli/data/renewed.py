"""An index of lineage that an earlier version wrote wrongly: written anew, and told to who asks and on the ledger."""

import sys
from pathlib import Path

from tasks.inquiry.lineage import build
from tasks.ledger.ledger import Ledger

RENEWED = "lineage.renewed"
"""In the ledger, of a dataset's digest."""
WHY = (
    "the earlier index named other sources than its records came from, wherever sources.yaml did not list them "
    "alphabetically"
)


def renew(state: Path, ledger: Ledger) -> None:
    """Have every index that can be read say what is true, before anybody is answered from it."""
    for sha256 in build.renew(state):
        ledger.append(RENEWED, sha256, {"why": WHY})
        print(
            f"the index of dataset {sha256[:12]} was written anew: {WHY}. What `data where`, `data records` and "
            "`releases diff` said of this dataset's sources before may be wrong; ask again what you relied on",
            file=sys.stderr,
        )
