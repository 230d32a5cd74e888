"""The governance in force: the last adoption in the ledger, verified from the root key every time it is read.

Only the adopted policy and people are used, even if the folder infra/governance of a checkout or of a run's commit says
something else. If the folder differs, a warning on stderr says so once, with the command that adopts the folder.
sources.yaml and the expectation suites are read from the folder, because their owners sign them at the data gate.
"""

import logging
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

from pydantic import ValidationError

from tasks.core.databases.addresses import require_encrypted_connections
from tasks.core.documents.document import document_error_message
from tasks.core.errors import HallmarkError, InputError
from tasks.ledger import quick_check
from tasks.ledger.ledger import Ledger
from tasks.policy import adoption, adoption_entries, governance, root_of_trust
from tasks.policy.adoption_entries import AdoptionChain
from tasks.policy.governance import Governance
from tasks.policy.people import MACHINES, Machine, People
from tasks.policy.policy import Policy
from tasks.policy.signed_times import SignedTime
from tasks.trust.statement_checks import statements_changed_error

GOVERNANCE_FILES = ("policy.yaml", "people.yaml")


def load_in_force(folder: Path, state: Path, ledger: Ledger) -> Governance:
    """Return the governance in force.

    Args:
        folder: Folder with sources.yaml.
        state: Folder `.hallmark`.
        ledger: Ledger with the adoptions.

    Raises:
        InputError: Nothing was adopted yet, or sources.yaml contradicts policy and people.
    """
    governed, chain = read_in_force(folder, state, ledger)
    if problems := governance.source_problems(governed.policy, governed.people, folder / "sources.yaml"):
        raise InputError("\n".join(problems))
    for problem in chain.problems:
        _warn_once(problem)
    if difference := difference_text(governed, chain.adoptions[-1].people):
        _warn_once(difference)
    return governed


def read_in_force(folder: Path, state: Path, ledger: Ledger) -> tuple[Governance, AdoptionChain]:
    """Return the governance in force and the chain of adoptions, without comparing them with the files in the folder.

    Raises:
        InputError: Nothing was adopted yet, or the environment is not `local` and the connection to a database on
            another machine does not have to be encrypted.
    """
    chain = adoption_entries.read_chain(ledger, root_of_trust.root_fingerprint(state))
    governed = governance_of_chain(folder, state, chain)
    if governed is None:
        others = "; ".join((*chain.problems, *chain.foreign_problems))
        reasons = f" ({others})" if others else ""
        raise InputError(
            f"no policy is in force under root key {chain.root_fingerprint}{reasons}: "
            "run `hallmark init`, or where the root key "
            "is kept elsewhere `hallmark policy adopt DIR --root-key PATH`"
        )
    if not governed.is_local:
        require_encrypted_connections()
    return governed, chain


def governance_of_chain(folder: Path, state: Path, chain: AdoptionChain) -> Governance | None:
    """Return the governance that a chain of adoptions leads to; None if nothing was adopted."""
    if chain.in_force is None:
        return None
    times = tuple(
        SignedTime(entry.seq - 1, adopted.time) for entry, adopted in zip(chain.entries, chain.adoptions, strict=True)
    )
    return Governance(folder, chain.in_force.adoption.policy, chain.in_force.people, state, chain.envelopes, times)


def require_unchanged_ledger(ledger: Ledger, governance: Governance, search_places: bool = True) -> None:
    """Verify every entry of the ledger before something is done that relies on it.

    The ledger's keys are those of the governance in force, also if `governance` comes from files that a run brought.

    Args:
        ledger: Ledger to verify.
        governance: Governance of whoever does something.
        search_places: Whether to ask the configured places for heads. Not in a transaction that writes, because a place
            can be slow to answer.

    Raises:
        Refused: The ledger was changed.
        Unavailable: The ledger cannot be reached.
    """
    keyholder = governance
    if not governance.chain:
        with suppress(InputError):  # nothing was adopted
            keyholder = read_in_force(governance.folder, governance.state, ledger)[0]
    quick_check.require_unchanged(ledger, keyholder, search_places=search_places)


def require_still_in_force(ledger: Ledger, governance: Governance) -> None:
    """Verify that nothing was adopted since `governance` was read.

    Governance from files that were not adopted always passes.

    Raises:
        Refused: Another adoption is in force now.
    """
    if governance.chain and read_chain(governance.state, ledger).envelopes != governance.chain:
        raise statements_changed_error()


def load_proposed(folder: Path, state: Path) -> tuple[Policy, People]:
    """Return a folder's policy and people in the form in which they would be adopted, with their valid keys.

    Raises:
        InputError: The files are not valid. The message lists all problems.
    """
    loaded = governance.load_governance(folder, state)
    return loaded.policy, with_resolved_keys(loaded)


def with_resolved_keys(proposed: Governance) -> People:
    """Return people and machines with their keys: those in people.yaml, or else those created by `hallmark init`.

    Raises:
        InputError: A key in people.yaml is one that `hallmark init` created for somebody else.
    """
    if not proposed.is_local:
        return proposed.people
    people = [
        person if person.keys else person.model_copy(update={"keys": proposed.keys_of(person)})
        for person in proposed.people.people
    ]
    machines = {name: proposed.people.machines.get(name) or Machine(keys=proposed.keys_of(name)) for name in MACHINES}
    try:
        return People(people=people, machines=machines)
    except ValidationError as error:
        raise InputError(
            f"{proposed.folder / 'people.yaml'}: {document_error_message(error)}; "
            "expected a key of the person's own, and not one "
            "that `hallmark init` made for another person or a machine; `hallmark identity create` makes one"
        ) from None


def difference_text(in_force: Governance, adopted_people: People | None = None) -> str:
    """Return a message if the folder's files differ from the governance in force, with the command to adopt them.

    The message is empty if the files do not differ.

    Args:
        in_force: Governance in force.
        adopted_people: People in the last adoption; None to read them from the chain, which is slow.
    """
    where, adopted_people = in_force.relative_folder, adopted_people or _adopted_people(in_force)
    try:
        texts = tuple((in_force.folder / name).read_bytes() for name in GOVERNANCE_FILES)
        keys = tuple(sorted(path.read_bytes() for path in (in_force.state / "keys").glob("*.pub")))
        policy, people = _cached_proposed(in_force.folder, in_force.state, texts, keys)
    except (HallmarkError, OSError) as error:
        return f"{where} cannot be read, and what was adopted before stays in force: {error}"
    if (policy, people) == (in_force.policy, adopted_people):
        return ""
    return (
        f"{where} says something else than what is in force; to adopt it: "
        f"{_adopt_command(in_force, policy, people != adopted_people)}"
    )


def _adopt_command(governed: Governance, policy: Policy, people_differ: bool) -> str:
    changes = governed.policy.changes
    asked = [
        *(changes.policy if policy != governed.policy else []),
        *(changes.people if people_differ else []),
    ]
    able = [p.id for role in asked for p in governed.people.holders_of(role.role, None) if not p.demo]
    return f"hallmark policy adopt {governed.relative_folder}" + (f" --as {able[0]}" if able else "")


def _adopted_people(in_force: Governance) -> People:
    """Return the people in the last adoption as they were written, without the times from which they are valid."""
    return adoption.read_adoption(in_force.chain[-1]).people if in_force.chain else in_force.people


@lru_cache(maxsize=4)
def _cached_proposed(
    folder: Path, state: Path, texts: tuple[bytes, ...], keys: tuple[bytes, ...]
) -> tuple[Policy, People]:
    """Return policy and people of a folder, from a cache if nothing has changed.

    The contents of the files and of the local public keys are arguments because they are part of the cache key.
    """
    return load_proposed(folder, state)


@cache
def _warn_once(text: str) -> None:
    logging.getLogger("hallmark").warning("hallmark: %s", text)


def read_chain(state: Path, ledger: Ledger) -> AdoptionChain:
    return adoption_entries.read_chain(ledger, root_of_trust.root_fingerprint(state))
