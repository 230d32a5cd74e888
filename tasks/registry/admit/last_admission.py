"""Last admission on this machine, with its policy and keys, for use while the ledger is unavailable.

The statement and the adoptions are signed, so the release cannot be replaced without the gate key. A process with write
access to this folder can restore an older statement of the same model, but the admission records show which statement
was used.
"""

from pathlib import Path
from typing import Any

from tasks.core import files
from tasks.core.errors import Refused, Unavailable, raise_machine_fault
from tasks.core.json_text import canonical_json, parse
from tasks.policy import adoption, adoption_entries
from tasks.policy.governance import Governance
from tasks.registry.release import promotions
from tasks.registry.release.promotions import SignedPromotion

ADMISSIONS_FOLDER = "admitted"
"""Folder of the stored admissions, relative to `.hallmark/`."""


def store_admission(governance: Governance, name: str, signed: SignedPromotion) -> None:
    """Replace the stored admission by a promotion statement and the adoptions that make it valid."""
    files.write_bytes(_admission_path(governance.state, name), _serialise_admission(governance, signed))


def is_stored(governance: Governance, name: str, signed: SignedPromotion) -> bool:
    """Return whether the stored admission consists of exactly this promotion statement and the current adoptions."""
    path = _admission_path(governance.state, name)
    return path.is_file() and path.read_bytes() == _serialise_admission(governance, signed)


def stored_governance(folder: Path, state: Path, name: str) -> Governance:
    """Return the governance of the last admission, after verifying its adoptions with the root key.

    Args:
        folder: Folder of sources.yaml.
        state: Folder `.hallmark` of the checkout.
        name: Name of the model.

    Raises:
        Unavailable: No release of the model has been admitted on this machine before.
        Refused: The stored adoptions cannot be traced to the root key.
    """
    chain = _read_admission(state, name)["governance"]
    newest, people, _ = adoption.verify_chain(chain, adoption_entries.root_fingerprint(state))
    return Governance(folder, newest.policy, people, state, tuple(chain))


def stored_statement_if_newer(
    governance: Governance, name: str, newest_statement: SignedPromotion | None
) -> SignedPromotion | None:
    """Return the stored statement if it is newer than `newest_statement`; None otherwise.

    `newest_statement` is the newest statement in the ledger. If the stored statement is newer, the ledger has been
    rolled back.
    """
    try:
        last = read_statement(governance, name)
    except (Refused, Unavailable):
        return None
    return last if newest_statement is None or last.promotion.sequence > newest_statement.promotion.sequence else None


def read_statement(governance: Governance, name: str) -> SignedPromotion:
    """Read and verify the stored promotion statement.

    Raises:
        Unavailable: No release of the model has been admitted on this machine before.
        Refused: The statement is about another model or environment, or its signature is not valid.
    """
    signed = promotions.verify_promotion(_read_admission(governance.state, name)["statement"], governance)
    if (signed.promotion.name, signed.promotion.environment) != (name, governance.policy.environment):
        path = _admission_path(governance.state, name)
        raise Refused(f"{path} promotes {signed.promotion.label} in environment {signed.promotion.environment}")
    return signed


def _read_admission(state: Path, name: str) -> dict[str, Any]:
    path = _admission_path(state, name)
    try:
        document = parse(path.read_bytes())
        if not isinstance(document, dict) or set(document) != {"statement", "governance"}:
            raise ValueError("expected a statement and the governance that it counts under")
    except FileNotFoundError:
        raise Unavailable(
            f"the ledger is away, and no release of {name!r} was admitted here before; bring the ledger back"
        ) from None
    except (OSError, ValueError) as error:
        raise_machine_fault(path, error)
        raise Refused(f"{path}: is not what was written there ({error}); bring the ledger back") from None
    return document


def _serialise_admission(governance: Governance, signed: SignedPromotion) -> bytes:
    return canonical_json({"statement": signed.envelope, "governance": list(governance.chain)})


def _admission_path(state: Path, name: str) -> Path:
    return state / ADMISSIONS_FOLDER / f"{name}.json"
