"""The governance in force: what was adopted, read from the ledger and verified from the root each time.

Policy and people are those adopted last, whatever infra/governance of a checkout or of a run's commit says. Where that
says something else, it is told once on stderr, with the command that adopts it. sources.yaml and the suites are read
from the folder as they lie there, since their owners sign them at the data gate.
"""

import logging
from functools import cache, lru_cache
from pathlib import Path

from tasks.core.errors import HallmarkError, InputError
from tasks.ledger.ledger import Ledger
from tasks.policy import adopting, adoption, governance
from tasks.policy.adopting import Chain
from tasks.policy.governance import Governance
from tasks.policy.people import MACHINES, Machine, People
from tasks.policy.policy import Policy
from tasks.trust.unchanged import changed

FILES = ("policy.yaml", "people.yaml")


def load(folder: Path, state: Path, ledger: Ledger) -> Governance:
    """What is in force; `folder` is where sources.yaml lies. Raises InputError where nothing was adopted yet."""
    governed, chain = read(folder, state, ledger)
    if problems := governance.misfits(governed.policy, governed.people, folder / "sources.yaml"):
        raise InputError("\n".join(problems))
    for problem in chain.problems:
        _say_once(problem)
    if difference := differs(governed, chain.adoptions[-1].people):
        _say_once(difference)
    return governed


def read(folder: Path, state: Path, ledger: Ledger) -> tuple[Governance, Chain]:
    """The same, whatever lies in the folder and wherever else it says something else."""
    chain = adopting.read(ledger, adopting.root_fingerprint(state))
    if chain.in_force is None:
        others = "; ".join((*chain.problems, *chain.foreign))
        reasons = f" ({others})" if others else ""
        raise InputError(
            f"no policy is in force under root key {chain.root}{reasons}: run `hallmark init`, or where the root key "
            "is kept elsewhere `hallmark policy adopt DIR --root-key PATH`"
        )
    return Governance(folder, chain.in_force.adoption.policy, chain.in_force.people, state, chain.envelopes), chain


def require_still(ledger: Ledger, governed: Governance) -> None:
    """Raises Refused where something else was adopted since `governed` was read. Proposed files follow no adoption."""
    if governed.chain and chain(governed.state, ledger).envelopes != governed.chain:
        raise changed()


def proposed(folder: Path, state: Path) -> tuple[Policy, People]:
    """What a folder says, as it would be adopted: with the keys that count. Raises InputError with every problem."""
    loaded = governance.load(folder, state)
    return loaded.policy, resolved(loaded)


def resolved(loaded: Governance) -> People:
    """People and machines each with the keys that count: where people.yaml has none, those of `hallmark init`."""
    if not loaded.local:
        return loaded.people
    people = [
        person if person.keys else person.model_copy(update={"keys": loaded.keys_of(person)})
        for person in loaded.people.people
    ]
    machines = {name: loaded.people.machines.get(name) or Machine(keys=loaded.keys_of(name)) for name in MACHINES}
    return People(people=people, machines=machines)


def differs(governed: Governance, said: People | None = None) -> str:
    """That the folder says something else than what is in force, and what to do; empty where it says the same.

    `said`: the people as they were adopted last, read from the chain where it is left out, which takes a while.
    """
    where, said = governed.place, said or _said(governed)
    try:
        texts = tuple((governed.folder / name).read_bytes() for name in FILES)
        keys = tuple(sorted(path.read_bytes() for path in (governed.state / "keys").glob("*.pub")))
        policy, people = _read(governed.folder, governed.state, texts, keys)
    except (HallmarkError, OSError) as error:
        return f"{where} cannot be read, and what was adopted before stays in force: {error}"
    if (policy, people) == (governed.policy, said):
        return ""
    return f"{where} says something else than what is in force; to adopt it: {_how(governed, policy, people != said)}"


def _how(governed: Governance, policy: Policy, people_differ: bool) -> str:
    """The command that adopts other files."""
    changes = governed.policy.changes
    asked = [
        *(changes.policy if policy != governed.policy else []),
        *(changes.people if people_differ else []),
    ]
    able = [p.id for role in asked for p in governed.people.with_role(role.role, None) if not p.demo]
    return f"hallmark policy adopt {governed.place}" + (f" --as {able[0]}" if able else "")


def _said(governed: Governance) -> People:
    """The people that were adopted last, as they were put down; since when they count is not part of that."""
    return adoption.read(governed.chain[-1]).people if governed.chain else governed.people


@lru_cache(maxsize=4)
def _read(folder: Path, state: Path, texts: tuple[bytes, ...], keys: tuple[bytes, ...]) -> tuple[Policy, People]:
    """Parsed again only where the files or the keys made here have changed."""
    return proposed(folder, state)


@cache
def _say_once(text: str) -> None:
    logging.getLogger("hallmark").warning("hallmark: %s", text)


def chain(state: Path, ledger: Ledger) -> Chain:
    """Everything adopted here. Raises InputError where nothing says under which root key."""
    return adopting.read(ledger, adopting.root_fingerprint(state))
