"""Names of this checkout's deployments and work pools, which are unique on a Prefect server that many checkouts use.

The name of the runner's deployment contains the id of the installation. The names of work pools and their deployments
contain the id of the ledger instead, because machines that share a ledger also share its work pools.
"""

from pathlib import Path

from tasks.core.errors import Unavailable
from tasks.ledger.ledger import Ledger
from tasks.runs import installation

FLOW_NAME = "retrain"
TAGS = ["hallmark"]
"""Tags of all deployments, which their flow runs get too."""


def runner_deployment_name(root: Path) -> str:
    """Return the name of the deployment that the checkout's runner serves, such as retrain-1f3a9c02."""
    return f"{FLOW_NAME}-{installation.installation_id(root)}"


def full_runner_deployment_name(root: Path) -> str:
    """Return the name of the runner's deployment in the format of Prefect's commands: FLOW/DEPLOYMENT."""
    return f"{FLOW_NAME}/{runner_deployment_name(root)}"


def ledger_id(ledger: Ledger) -> str:
    """Return the id of a ledger: the first eight hexadecimal digits of the hash of its first entry.

    All machines that share the ledger get the same id.

    Raises:
        Unavailable: The ledger has no entry yet.
    """
    for row in ledger.rows(after=0, upto=1):
        return row.leaf_hash().hex()[:8]
    raise Unavailable("the ledger has no entry yet, and nothing is known by it; `hallmark init` makes the first")


def work_pool_name(ledger: Ledger, pool: str) -> str:
    """Return the name of a work pool in Prefect, such as hallmark-5d2e77a1-gpu for the pool `gpu`."""
    return f"hallmark-{ledger_id(ledger)}-{pool}"


def pool_deployment_name(ledger: Ledger, pool: str) -> str:
    """Return the name of a work pool's deployment, such as retrain-5d2e77a1-gpu for the pool `gpu`."""
    return f"{FLOW_NAME}-{ledger_id(ledger)}-{pool}"


def full_deployment_name(root: Path, ledger: Ledger, pool: str | None) -> str:
    """Return the full name of the deployment that executes a run.

    It is the deployment of the work pool named `pool`, or the runner's deployment if `pool` is None.
    """
    return f"{FLOW_NAME}/{pool_deployment_name(ledger, pool)}" if pool else full_runner_deployment_name(root)
