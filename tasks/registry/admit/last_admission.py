"""Last admission on this machine, with its policy and keys, for use while the ledger is unavailable.

The statement and the adoptions are signed, so the release cannot be replaced without the gate key. A process with write
access to this folder can restore an older statement of the same model, but the admission records show which statement
was used.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core import files
from tasks.core.errors import Refused, Unavailable, raise_machine_fault
from tasks.core.json_text import canonical_json, parse
from tasks.ledger.ledger import Ledger
from tasks.policy import adoption, root_of_trust
from tasks.policy.governance import Governance
from tasks.registry.release import promotions
from tasks.registry.release.promotions import SignedPromotion

ADMISSIONS_FOLDER = "admitted"
"""Folder of the stored admissions, relative to `.hallmark/`."""


class LastAdmission(NamedTuple):
    statement: SignedPromotion
    governance: Governance
    """Governance under which the statement is valid."""


def store_admission(governance: Governance, name: str, signed: SignedPromotion) -> None:
    """Replace the stored admission by a promotion statement and the adoptions that make it valid.

    Raises:
        Unavailable: The disk is full or read-only.
    """
    path = _admission_path(governance.state, name)
    try:
        files.write_bytes(path, _serialise_admission(governance, signed))
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be written ({error.strerror}), and without it a ledger that is rolled back would not be "
            "noticed; make room there, and admit again"
        ) from error


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
    newest, people, _ = adoption.verify_chain(chain, root_of_trust.root_fingerprint(state))
    return Governance(folder, newest.policy, people, state, tuple(chain))


def find_lost_admission(ledger: Ledger, governance: Governance, name: str) -> LastAdmission | None:
    """Return the last admission if the ledger lacks what it was based on; None if the ledger has it, or if none counts.

    The ledger was then rolled back, or is another one: it lacks the promotion statement, whatever numbers it has
    reached since, or one of the adoptions that were in force here. An admission whose statement is no longer valid
    under later adoptions does not count.
    """
    try:
        stored = _read_admission(governance.state, name)
        adopted = _governance_of(stored, governance)
        lacks_adoption = governance.chain and governance.chain[: len(adopted.chain)] != adopted.chain
        last = LastAdmission(read_statement(adopted, name), adopted) if lacks_adoption else None
        last = last or LastAdmission(read_statement(governance, name), governance)
    except (Refused, Unavailable):
        return None
    return last if lacks_adoption or not promotions.is_recorded(ledger, last.statement) else None


def _governance_of(stored: dict[str, Any], governance: Governance) -> Governance:
    """Return the stored governance, after verifying its adoptions with the root key.

    If none were stored, because governance came from files that were not adopted, `governance` is returned.
    """
    if stored["governance"] in ([], list(governance.chain)):
        return governance
    newest, people, _ = adoption.verify_chain(stored["governance"], root_of_trust.root_fingerprint(governance.state))
    return replace(governance, policy=newest.policy, people=people, chain=tuple(stored["governance"]))


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
