"""Under which names this checkout's flow is deployed, so that many on one Prefect server keep apart.

What a runner serves has the installation in its name. What a work pool serves has the ledger in it: machines that share
a ledger share its pools, and no others do.
"""

from pathlib import Path

from tasks.core.errors import Unavailable
from tasks.ledger.ledger import Ledger
from tasks.runs import installation

FLOW = "retrain"


def name(root: Path) -> str:
    """Of the deployment, for example retrain-1f3a9c02; work, schedules and parked runs are told by it."""
    return f"{FLOW}-{installation.of(root)}"


def full_name(root: Path) -> str:
    """As Prefect's own commands take it: FLOW/DEPLOYMENT."""
    return f"{FLOW}/{name(root)}"


def shared(ledger: Ledger) -> str:
    """What a ledger is known by: eight hexadecimal digits of its first entry's hash, the same on each machine."""
    for row in ledger.rows(after=0, upto=1):
        return row.leaf_hash().hex()[:8]
    raise Unavailable("the ledger has no entry yet, and nothing is known by it; `hallmark init` makes the first")


def pool(ledger: Ledger, called: str) -> str:
    """Of a work pool, for example hallmark-5d2e77a1-gpu."""
    return f"hallmark-{shared(ledger)}-{called}"


def in_pool(ledger: Ledger, called: str) -> str:
    """Of the deployment that a work pool serves, for example retrain-5d2e77a1-gpu."""
    return f"{FLOW}-{shared(ledger)}-{called}"


def for_run(root: Path, ledger: Ledger, called: str | None) -> str:
    """The full name of the deployment that executes a run of a pool, or of none."""
    return f"{FLOW}/{in_pool(ledger, called)}" if called else full_name(root)
