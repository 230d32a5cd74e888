"""What was admitted last on this machine, and under whose policy and keys, for when the ledger is away.

Statement and adoptions are signed, so nobody without the gate's key can put another release in its place. An older
statement of the same model could be put back by who may write here; which one was followed is in the records of
admission.
"""

import json
from pathlib import Path
from typing import Any

from tasks.core import files
from tasks.core.errors import Refused, Unavailable
from tasks.policy import adopting, adoption
from tasks.policy.governance import Governance
from tasks.registry.release import promotions
from tasks.registry.release.promotions import Signed

FOLDER = "admitted"
"""Below `.hallmark/`."""


def write(governance: Governance, name: str, signed: Signed) -> None:
    """Remember a statement, and under whose policy and keys it counts, in place of what was remembered before."""
    files.write_bytes(_path(governance.state, name), _spell(governance, signed))


def is_last(governance: Governance, name: str, signed: Signed) -> bool:
    """Whether the statement is the one remembered, under this very policy and people."""
    path = _path(governance.state, name)
    return path.is_file() and path.read_bytes() == _spell(governance, signed)


def governance_of(folder: Path, state: Path, name: str) -> Governance:
    """The policy and people that were in force at the last admission, verified from the root key on.

    `folder` is where sources.yaml lies. Raises Unavailable where nothing was admitted here before, Refused where what
    is remembered does not follow from the root key.
    """
    chain = _read(state, name)["governance"]
    newest, people, _ = adoption.verify_chain(chain, adopting.root_fingerprint(state))
    return Governance(folder, newest.policy, people, state, tuple(chain))


def newer(governance: Governance, name: str, newest: Signed | None) -> Signed | None:
    """The statement remembered, where it came after the newest one that the ledger has: then that was rolled back."""
    try:
        last = read(governance, name)
    except (Refused, Unavailable):
        return None
    return last if newest is None or last.promotion.sequence > newest.promotion.sequence else None


def read(governance: Governance, name: str) -> Signed:
    """The statement remembered, verified. Raises Unavailable where there is none, Refused where it is no promotion of
    this model in this environment."""
    signed = promotions.verify(_read(governance.state, name)["statement"], governance)
    if (signed.promotion.name, signed.promotion.environment) != (name, governance.policy.environment):
        path = _path(governance.state, name)
        raise Refused(f"{path} promotes {signed.promotion.label} in environment {signed.promotion.environment}")
    return signed


def _read(state: Path, name: str) -> dict[str, Any]:
    path = _path(state, name)
    try:
        document = json.loads(path.read_bytes())
        if not isinstance(document, dict) or set(document) != {"statement", "governance"}:
            raise ValueError("expected a statement and the governance that it counts under")
    except FileNotFoundError:
        raise Unavailable(
            f"the ledger is away, and no release of {name!r} was admitted here before; bring the ledger back"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"{path}: is not what was written there ({error}); bring the ledger back") from None
    return document


def _spell(governance: Governance, signed: Signed) -> bytes:
    return files.canonical_json({"statement": signed.envelope, "governance": list(governance.chain)})


def _path(state: Path, name: str) -> Path:
    return state / FOLDER / f"{name}.json"
