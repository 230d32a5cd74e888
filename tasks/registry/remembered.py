"""The promotion statement that was admitted last on this machine, for when the ledger is away.

The statement is signed, so nobody without the gate's key can put another release in its place. An older statement of
the same model could be put back by who may write here; which one was followed is in the records of admission.
"""

import json
from pathlib import Path

from tasks import files
from tasks.errors import Refused, Unavailable
from tasks.govern.governance import Governance
from tasks.registry import succession
from tasks.registry.succession import Signed

FOLDER = "admitted"
"""Below `.hallmark/`."""


def write(governance: Governance, name: str, signed: Signed) -> None:
    """Remember a statement in place of the one before it."""
    files.write_bytes(_path(governance, name), files.canonical_json(signed.envelope))


def is_last(governance: Governance, name: str, signed: Signed) -> bool:
    """Whether it is the one remembered."""
    path = _path(governance, name)
    return path.is_file() and path.read_bytes() == files.canonical_json(signed.envelope)


def newer(governance: Governance, name: str, found: Signed | None) -> Signed | None:
    """The statement remembered, where it came after the newest one that the ledger has: then that was rolled back."""
    try:
        last = read(governance, name)
    except (Refused, Unavailable):
        return None
    return last if found is None or last.promotion.sequence > found.promotion.sequence else None


def read(governance: Governance, name: str) -> Signed:
    """The statement remembered, verified. Raises Unavailable where there is none, Refused where it is no promotion of
    this model in this environment."""
    path = _path(governance, name)
    try:
        envelope = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise Unavailable(
            f"the ledger is away, and no release of {name!r} was admitted here before; bring the ledger back"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"{path}: is no promotion statement any more ({error}); bring the ledger back") from None
    signed = succession.verify(envelope, governance.keys_of("gate"))
    if (signed.promotion.name, signed.promotion.environment) != (name, governance.policy.environment):
        raise Refused(f"{path} promotes {signed.promotion.label} in environment {signed.promotion.environment}")
    return signed


def _path(governance: Governance, name: str) -> Path:
    return governance.state / FOLDER / f"{name}.json"
