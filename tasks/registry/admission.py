"""The only way to a model for serving. It verifies first, and believes no alias, folder name or unsigned record."""

from pathlib import Path

from tasks.errors import Refused
from tasks.govern.governance import Governance
from tasks.govern.ledger import Ledger
from tasks.registry import bundle, succession, verification


def admit(ledger: Ledger, governance: Governance, name: str) -> Path:
    """The model folder of the release that is in production: safetensors, JSON and a chat template, nothing else.

    Follows the newest valid promotion statement of the environment that policy.yaml names. Raises Refused where there
    is none, or where the release's folder is not byte for byte what was promoted; no older release takes its place.
    """
    newest = succession.read(ledger, governance, name).newest
    environment = governance.policy.environment
    if newest is None:
        raise Refused(f"no release of {name!r} is promoted in environment {environment}; there is nothing to serve")
    label = newest.promotion.label
    if newest.promotion.demo and not governance.local:
        raise Refused(f"{label} was approved by demo identities, which do not count in environment {environment}")
    folder = bundle.folder(governance.state, label)
    signed = verification.require(folder, governance)
    if signed.release_sha256 != newest.release_sha256:
        raise Refused(f"{folder} holds another release than the one that was promoted as {label}")
    return folder / bundle.PAYLOAD / "model"
