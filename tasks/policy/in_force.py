"""The governance in force: the last adoption, read from the ledger and verified from the root key at each reading.

Only the adopted policy and people are used, even if the folder infra/governance of a checkout or of a run's commit says
something else. If the folder differs, a warning on stderr says so once, with the command that adopts the folder.
sources.yaml and the expectation suites are read from the folder, because their owners sign them at the data gate.
"""

import logging
from functools import cache, lru_cache
from pathlib import Path

from pydantic import ValidationError

from tasks.core.documents.document import error_text
from tasks.core.errors import HallmarkError, InputError
from tasks.ledger.ledger import Ledger
from tasks.policy import adoption, adoption_entries, governance
from tasks.policy.adoption_entries import Chain
from tasks.policy.governance import Governance
from tasks.policy.people import MACHINES, Machine, People
from tasks.policy.policy import Policy
from tasks.trust.statement_checks import changed_error

GOVERNANCE_FILES = ("policy.yaml", "people.yaml")


def load(folder: Path, state: Path, ledger: Ledger) -> Governance:
    """Return the governance in force.

    Args:
        folder: Folder with sources.yaml.
        state: Folder `.hallmark`.
        ledger: Ledger with the adoptions.

    Raises:
        InputError: Nothing was adopted yet, or sources.yaml contradicts policy and people.
    """
    governed, chain = read(folder, state, ledger)
    if problems := governance.source_problems(governed.policy, governed.people, folder / "sources.yaml"):
        raise InputError("\n".join(problems))
    for problem in chain.problems:
        _say_once(problem)
    if difference := difference_text(governed, chain.adoptions[-1].people):
        _say_once(difference)
    return governed


def read(folder: Path, state: Path, ledger: Ledger) -> tuple[Governance, Chain]:
    """Return the governance in force and the chain of adoptions, without comparing them with the files in the folder.

    Raises:
        InputError: Nothing was adopted yet.
    """
    chain = adoption_entries.read(ledger, adoption_entries.root_fingerprint(state))
    if chain.in_force is None:
        others = "; ".join((*chain.problems, *chain.foreign_problems))
        reasons = f" ({others})" if others else ""
        raise InputError(
            f"no policy is in force under root key {chain.root}{reasons}: run `hallmark init`, or where the root key "
            "is kept elsewhere `hallmark policy adopt DIR --root-key PATH`"
        )
    return Governance(folder, chain.in_force.adoption.policy, chain.in_force.people, state, chain.envelopes), chain


def require_unchanged(ledger: Ledger, governed: Governance) -> None:
    """Verify that nothing was adopted since `governed` was read.

    Governance from files that were not adopted always passes.

    Raises:
        Refused: Another adoption is in force now.
    """
    if governed.chain and chain(governed.state, ledger).envelopes != governed.chain:
        raise changed_error()


def load_proposed(folder: Path, state: Path) -> tuple[Policy, People]:
    """Return a folder's policy and people in the form in which they would be adopted, with their valid keys.

    Raises:
        InputError: The files are not valid. The message lists all problems.
    """
    loaded = governance.load(folder, state)
    return loaded.policy, with_resolved_keys(loaded)


def with_resolved_keys(loaded: Governance) -> People:
    """Return people and machines with their keys: those in people.yaml, or else those created by `hallmark init`.

    Raises:
        InputError: A key in people.yaml is one that `hallmark init` created for somebody else.
    """
    if not loaded.local:
        return loaded.people
    people = [
        person if person.keys else person.model_copy(update={"keys": loaded.keys_of(person)})
        for person in loaded.people.people
    ]
    machines = {name: loaded.people.machines.get(name) or Machine(keys=loaded.keys_of(name)) for name in MACHINES}
    try:
        return People(people=people, machines=machines)
    except ValidationError as error:
        raise InputError(
            f"{loaded.folder / 'people.yaml'}: {error_text(error)}; expected a key of the person's own, and not one "
            "that `hallmark init` made for another person or a machine; `hallmark identity create` makes one"
        ) from None


def difference_text(governed: Governance, said: People | None = None) -> str:
    """Return a message with the command to run if the folder's files differ from the governance in force; else empty.

    Args:
        governed: Governance in force.
        said: People in the last adoption; None to read them from the chain, which is slow.
    """
    where, said = governed.relative_folder, said or _adopted_people(governed)
    try:
        texts = tuple((governed.folder / name).read_bytes() for name in GOVERNANCE_FILES)
        keys = tuple(sorted(path.read_bytes() for path in (governed.state / "keys").glob("*.pub")))
        policy, people = _read(governed.folder, governed.state, texts, keys)
    except (HallmarkError, OSError) as error:
        return f"{where} cannot be read, and what was adopted before stays in force: {error}"
    if (policy, people) == (governed.policy, said):
        return ""
    return (
        f"{where} says something else than what is in force; to adopt it: "
        f"{_adopt_command(governed, policy, people != said)}"
    )


def _adopt_command(governed: Governance, policy: Policy, people_differ: bool) -> str:
    changes = governed.policy.changes
    asked = [
        *(changes.policy if policy != governed.policy else []),
        *(changes.people if people_differ else []),
    ]
    able = [p.id for role in asked for p in governed.people.with_role(role.role, None) if not p.demo]
    return f"hallmark policy adopt {governed.relative_folder}" + (f" --as {able[0]}" if able else "")


def _adopted_people(governed: Governance) -> People:
    """Return the people in the last adoption as they were written, without the times from which they are valid."""
    return adoption.read(governed.chain[-1]).people if governed.chain else governed.people


@lru_cache(maxsize=4)
def _read(folder: Path, state: Path, texts: tuple[bytes, ...], keys: tuple[bytes, ...]) -> tuple[Policy, People]:
    """Return policy and people of a folder.

    All arguments together are the cache key: the files and the local public keys.
    """
    return load_proposed(folder, state)


@cache
def _say_once(text: str) -> None:
    logging.getLogger("hallmark").warning("hallmark: %s", text)


def chain(state: Path, ledger: Ledger) -> Chain:
    return adoption_entries.read(ledger, adoption_entries.root_fingerprint(state))
