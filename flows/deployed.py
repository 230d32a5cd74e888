"""Under which name this checkout's flow is deployed: its own, so that two on one Prefect server keep apart."""

from pathlib import Path

from tasks.runs import installation

FLOW = "retrain"


def name(root: Path) -> str:
    """Of the deployment, for example retrain-1f3a9c02; work, schedules and parked runs are told by it."""
    return f"{FLOW}-{installation.of(root)}"


def full_name(root: Path) -> str:
    """As Prefect's own commands take it: FLOW/DEPLOYMENT."""
    return f"{FLOW}/{name(root)}"
