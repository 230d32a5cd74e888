"""The governance folder as a whole: policy and people that fit each other, and the keys that belong to them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks import config
from tasks.errors import InputError, Refused
from tasks.govern import keys, model_key, satisfiable, vault, vault_keys
from tasks.govern import people as people_file
from tasks.govern import policy as policy_file
from tasks.govern.gate_rules import Strength
from tasks.govern.people import LEDGER, MACHINE, People, Person
from tasks.govern.policy import LOCAL, SCHEDULER, Policy
from tasks.govern.sources import Sources

__all__ = ["LOCAL", "Governance", "initialise", "load"]


@dataclass(frozen=True)
class Governance:
    folder: Path
    policy: Policy
    people: People
    state: Path
    """`.hallmark/`, which holds `keys/`."""

    @property
    def local(self) -> bool:
        return self.policy.environment == LOCAL

    def public_key(self, person: Person) -> str:
        """The person's public key line. Raises InputError where they have none."""
        if person.public_key:
            return person.public_key
        if not self.local:
            raise InputError(f"{person.id} has no public_key in people.yaml, needed outside environment {LOCAL}")
        return _read_public(self.state / "keys" / f"{person.id}.pub", self.init_command)

    def gate_public_key(self) -> str:
        """Public key line of the machine's key. Raises InputError before `hallmark init`."""
        return self.machine_public_key(MACHINE)

    def machine_public_key(self, name: str) -> str:
        """Public key line of one of the machine's keys. Raises InputError before `hallmark init`."""
        return _read_public(self.state / "keys" / f"{name}.pub", "hallmark init")

    def gate_private_key(self) -> Ed25519PrivateKey:
        return keys.load_private(self.state / "keys" / MACHINE)

    def ledger_public_key(self) -> str:
        """Public key line of whoever signs heads of the ledger. Raises InputError before `hallmark init`."""
        return self.machine_public_key(LEDGER)

    def ledger_private_key(self) -> Ed25519PrivateKey:
        return keys.load_private(self.state / "keys" / LEDGER)

    def scheduler_private_key(self) -> Ed25519PrivateKey:
        return keys.load_private(self.state / "keys" / SCHEDULER)

    def actor(self, person_id: str) -> Person:
        """Who acts, if they may act here at all; what for, and in which role, is for whoever asks.

        Raises InputError for nobody in people.yaml, Refused for who is not active and for a demo identity elsewhere
        than in environment `local`.
        """
        person = self.people.get(person_id)
        if person is None:
            known = ", ".join(one.id for one in self.people.people if one.active)
            raise InputError(f"{person_id!r} is nobody in people.yaml; it has {known}")
        if not person.active:
            raise Refused(f"{person.id} is not active in people.yaml and may no longer act")
        if person.demo and not self.local:
            raise Refused(f"{person.id} is a demo identity, which counts in environment {LOCAL} alone")
        return person

    def identify(self, person_id: str) -> Person:
        """Who acts, as their key shows. Raises as `actor` and `signing_key`."""
        person = self.actor(person_id)
        self.signing_key(person)
        return person

    def signing_key(self, person: Person, given: Ed25519PrivateKey | None = None) -> Ed25519PrivateKey:
        """The key that the person signs with: `given`, else the one in `.hallmark/keys`.

        Raises InputError where there is none, Refused where it is not the one that people.yaml has for them.
        """
        path = self.state / "keys" / person.id
        if given is None and not path.exists():
            way = "put it there" if person.public_key else f"run `{self.init_command}` to make it"
            raise InputError(f"the private key of {person.id} is wanted, and none is at {path}; {way}")
        key = given or keys.load_private(path)
        wanted, found = keys.fingerprint(self.public_key(person)), keys.fingerprint(keys.public_line(key))
        if found != wanted:
            raise Refused(f"the key {found} is not that of {person.id}, who has {wanted} in people.yaml")
        return key

    def may_not_request(self, who: str, tier: str) -> str:
        """Why somebody may not ask for a run of a risk tier; empty where they may. See `Tier.may_not_request`."""
        person = self.people.get(who)
        return self.policy.tier(tier).may_not_request(who, person.roles if person else [])

    def too_weak(self, person: Person, wanted: Strength) -> str:
        """Why the key that counts for a person does not do at a gate that wants `wanted`; empty where it does."""
        return person.too_weak(wanted, self.policy.environment)

    @property
    def place(self) -> str:
        """The folder as seen from the checkout, the same wherever that lies."""
        folder, root = self.folder.resolve(), self.state.parent.resolve()
        return (folder.relative_to(root) if folder.is_relative_to(root) else folder).as_posix()

    @property
    def option(self) -> str:
        """What a command needs besides where it is about these files: other ones than the checkout's own are named."""
        own = self.state.parent / "infra" / "governance"
        return "" if self.folder == own else f" --governance {self.folder}"

    @property
    def init_command(self) -> str:
        """The command that makes the keys of these people."""
        return f"hallmark init{self.option}"


def load(folder: Path, state: Path) -> Governance:
    """Read policy.yaml and people.yaml. Raises InputError with every problem of both and between the three files."""
    problems, policy, people = [], None, None
    try:
        policy = policy_file.load(folder)
    except InputError as error:
        problems.append(str(error))
    try:
        people = people_file.load(folder)
    except InputError as error:
        problems.append(str(error))
    if policy is not None and people is not None:
        problems += satisfiable.problems(policy, people, folder / "policy.yaml")
        problems += _keyless(policy, people, folder / "people.yaml")
        problems += _ownerless(people, folder / "sources.yaml")
        if not problems:
            return Governance(folder, policy, people, state)
    raise InputError("\n".join(problems))


def initialise(state: Path, people: People) -> None:
    """Make the machine's keys, one for each person without a public key, the vault's, in `state/keys/`, and the vault.

    Existing ones stay. A vault that is there gets no other key, which would open nothing in it: raises InputError where
    its own is not here, Unavailable where its database is away.
    """
    for name in [MACHINE, LEDGER, SCHEDULER, *(person.id for person in people.people if person.public_key is None)]:
        keys.create(state / "keys", name)
    model_key.create(state / "keys")
    if not vault.exists(state):
        vault_keys.create(state)
    vault.open_vault(state)


def _keyless(policy: Policy, people: People, path: Path) -> list[str]:
    if policy.environment == LOCAL:
        return []
    document: Any = config.read_yaml(path)
    return [
        f"{path}:{config.line_of(document, ['people', i])}: people.{i}.public_key: {person.id} needs a public key in "
        f"environment {policy.environment}; only environment {LOCAL} takes keys made by `hallmark init`"
        for i, person in enumerate(people.people)
        if person.public_key is None
    ]


def _ownerless(people: People, path: Path) -> list[str]:
    """Sources whose owner or steward is nobody; a folder without sources.yaml (to verify a release, say) is fine."""
    if not path.exists():
        return []
    document = config.read_yaml(path)
    try:
        inventory = config.validate(document, Sources, path)
    except InputError as error:
        return [str(error)]
    return [
        f"{path}:{config.line_of(document, ['sources', i, who])}: sources.{i}.{who}: {named} is not in people.yaml; "
        "add the person or name another"
        for i, source in enumerate(inventory.sources)
        for who, named in (("owner", source.owner), ("steward", source.steward))
        if people.get(named) is None
    ]


def _read_public(path: Path, command: str) -> str:
    try:
        line = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: no public key here; run `{command}` to make it") from None
    keys.load_public(line)
    return line
