"""Adoption of an environment's first policy and people with its root key."""

import os
from pathlib import Path
from typing import NamedTuple

from infra.cli.environment_setup.file_names import GOVERNANCE
from tasks.core.errors import Refused
from tasks.ledger import quick_check
from tasks.ledger.ledger import ledger_exists
from tasks.policy import adoption_entries, fact_names_check, in_force
from tasks.policy.adoption_entries import ROOT_KEY_NAME, ROOT_VARIABLE, AdoptionChain, SigningOutcome
from tasks.policy.governance import LOCAL_ENVIRONMENT, Governance
from tasks.policy.machine_keys import require_machine_keys_kept
from tasks.runs.checkout import Checkout
from tasks.trust import keys
from tasks.trust.keys import Signer


class InForce(NamedTuple):
    chain: AdoptionChain
    entry: int
    """Number of the ledger entry of the newest adoption."""


def find_in_force(here: Checkout, environment: str) -> InForce | None:
    """Return the adoption in force in this checkout; None if there is none yet.

    Raises:
        Refused: The checkout is that of another environment.
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


def require_adoptable(here: Checkout, governed: Governance, root: Signer) -> None:
    """Check all that would refuse the adoption, before a file is written.

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


def adopt(here: Checkout, root: Signer) -> SigningOutcome:
    """Trust the root key in this checkout, and adopt its governance files with it."""
    adoption_entries.store_root_key(here.state, root.public_line)
    policy, people = in_force.load_proposed(here.root / GOVERNANCE, here.state)
    return adoption_entries.sign_adoption(here.ledger, keys.fingerprint(root.public_line), policy, people, root)
