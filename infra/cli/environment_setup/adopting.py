"""Adoption of an environment's first policy and people with its root key."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import Refused
from tasks.ledger import quick_check
from tasks.ledger.ledger import ledger_exists
from tasks.policy import adoption_entries, adoption_signing, fact_names_check, in_force, root_of_trust
from tasks.policy.adoption_entries import AdoptionChain
from tasks.policy.adoption_signing import SigningOutcome
from tasks.policy.governance import LOCAL_ENVIRONMENT, Governance
from tasks.policy.machine_keys import require_machine_keys_kept
from tasks.policy.root_of_trust import ROOT_KEY_NAME, ROOT_VARIABLE
from tasks.runs.checkout import Checkout
from tasks.trust import keys
from tasks.trust.keys import Signer


class InForce(NamedTuple):
    chain: AdoptionChain
    entry: int
    """Number of the ledger entry of the newest adoption."""


def find_adoption_in_force(here: Checkout, environment: str) -> InForce | None:
    """Return the adoption in force in this checkout; None if there is none yet.

    Raises:
        Refused: The checkout belongs to another environment.
    """
    public = here.state / "keys" / f"{ROOT_KEY_NAME}.pub"
    newest = None
    if ledger_exists(here.state) and (public.exists() or os.environ.get(ROOT_VARIABLE)):
        chain = in_force.read_chain(here.state, here.ledger)
        newest = chain.newest_adoption
    if newest is None:
        if public.with_suffix("").exists():  # `hallmark init` made it, which it does in environment local alone
            raise _other_environment_error(here.root, LOCAL_ENVIRONMENT, environment)
        return None
    if newest.environment != environment:
        raise _other_environment_error(here.root, newest.environment, environment)
    return InForce(chain, chain.entries[-1].seq)


def _other_environment_error(root: Path, present: str, wanted: str) -> Refused:
    return Refused(
        f"{root} is a checkout of environment {present}: its ledger or its root key is. Environment {wanted} has a "
        "ledger and a root key of its own. Make another clone for it, or move .hallmark away"
    )


def present_time(here: Checkout) -> datetime:
    """Return the ledger's time, or this machine's if there is no ledger yet. Asking a ledger would make it."""
    return here.ledger_time if ledger_exists(here.state) else datetime.now(UTC)


def require_trusted_root(here: Checkout, environment: str) -> None:
    """Check that this checkout would begin no second root of trust; see `root_of_trust.require_trusted_root`."""
    if ledger_exists(here.state):
        command = f"hallmark init --environment {environment}"
        root_of_trust.require_trusted_root(here.ledger, here.state, command)


def require_adoptable(here: Checkout, governed: Governance, root: Signer) -> None:
    """Check everything for which the adoption would be refused, before a file is written.

    Raises:
        HallmarkError: The adoption would be refused.
    """
    fact_names_check.require_known_facts(governed.policy, governed.folder / "policy.yaml", None)
    quick_check.require_unchanged(here.ledger, governed)
    mark = keys.fingerprint(root.public_line)
    if holder := next((who for who, key in governed.people.keys_by_holder() if key.fingerprint == mark), None):
        raise Refused(f"the root key is nobody's, and people.yaml gives it to {holder}; give {holder} another key")
    chain = adoption_entries.read_chain(here.ledger, mark)
    require_machine_keys_kept(governed.people, chain.newest_adoption)


def adopt(
    here: Checkout, governed: Governance, root: Signer, require_allowed: Callable[[], None] | None
) -> SigningOutcome:
    """Make this checkout trust the root key, and adopt policy and people with that key.

    Args:
        here: Checkout to set up.
        governed: Policy and people as they were checked and shown. The files are not read again.
        root: Root key.
        require_allowed: Further check in the transaction of the adoption; see `adoption_signing.sign_adoption`.

    Raises:
        Refused: The adoption is not allowed. A root key that was not trusted before is not trusted afterwards either.
    """
    public = here.state / "keys" / f"{ROOT_KEY_NAME}.pub"
    trusted_before, mark = public.exists(), keys.fingerprint(root.public_line)
    root_of_trust.store_root_key(here.state, root.public_line)
    try:
        return adoption_signing.sign_adoption(
            here.ledger, mark, governed.policy, governed.people, root, require_allowed
        )
    except Refused:
        if not trusted_before:
            public.unlink()
        raise
