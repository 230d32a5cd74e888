"""Names of this checkout's deployments and work pools, which distinguish many checkouts on one Prefect server.

The deployment that a runner serves has the id of the installation in its name. Work pools and their deployments have
the id of the ledger, because machines that share a ledger also share its work pools.
"""

from pathlib import Path

from tasks.core.errors import Unavailable
from tasks.ledger.ledger import Ledger
from tasks.runs import installation

FLOW_NAME = "retrain"


def runner_deployment(root: Path) -> str:
    """Return the name of the deployment that the checkout's runner serves, such as retrain-1f3a9c02."""
    return f"{FLOW_NAME}-{installation.installation_id(root)}"


def full_runner_deployment(root: Path) -> str:
    """Return the name of the runner's deployment in the format of Prefect's commands: FLOW/DEPLOYMENT."""
    return f"{FLOW_NAME}/{runner_deployment(root)}"


def ledger_id(ledger: Ledger) -> str:
    """Return the id of a ledger, which is the same on each machine: eight hexadecimal digits of its first entry's hash.

    Raises:
        Unavailable: The ledger has no entry yet.
    """
    for row in ledger.rows(after=0, upto=1):
        return row.leaf_hash().hex()[:8]
    raise Unavailable("the ledger has no entry yet, and nothing is known by it; `hallmark init` makes the first")


def work_pool(ledger: Ledger, called: str) -> str:
    """Return the name of a work pool in Prefect, such as hallmark-5d2e77a1-gpu for the pool `gpu`."""
    return f"hallmark-{ledger_id(ledger)}-{called}"


def pool_deployment(ledger: Ledger, called: str) -> str:
    """Return the name of a work pool's deployment, such as retrain-5d2e77a1-gpu for the pool `gpu`."""
    return f"{FLOW_NAME}-{ledger_id(ledger)}-{called}"


def full_run_deployment(root: Path, ledger: Ledger, called: str | None) -> str:
    """Return the full name of the deployment for a run: that of the work pool `called`, or else the runner's."""
    return f"{FLOW_NAME}/{pool_deployment(ledger, called)}" if called else full_runner_deployment(root)
