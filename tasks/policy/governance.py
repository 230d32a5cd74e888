"""The governance folder as a whole: policy and people that fit each other, and the keys that belong to them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks.core import config
from tasks.core.errors import InputError, Refused
from tasks.policy import people as people_file
from tasks.policy import policy as policy_file
from tasks.policy import satisfiable
from tasks.policy.gate_rules import AUDITOR
from tasks.policy.people import MACHINES, OPTIONAL, MachineName, People, Person
from tasks.policy.policy import LOCAL, SCHEDULER, Policy
from tasks.sources.sources import Source, Sources, variables
from tasks.trust import keys, model_key, passkey, signing, ssh_agent, validity
from tasks.trust.keys import Signer
from tasks.trust.validity import Key, shown

__all__ = ["LOCAL", "Governance", "initialise", "load", "misfits"]


@dataclass(frozen=True)
class Governance:
    folder: Path
    policy: Policy
    people: People
    state: Path
    """`.hallmark/`, which holds `keys/`."""
    chain: tuple[dict[str, Any], ...] = ()
    """The adoptions that put it in force, oldest first (adoption.py); empty: proposed files, in environment `local`."""

    @cached_property
    def policy_sha256(self) -> str:
        """`Policy.digest`, worked out once."""
        return self.policy.digest()

    @property
    def local(self) -> bool:
        return self.policy.environment == LOCAL

    def keys_of(self, who: Person | MachineName) -> list[Key]:
        """Every key of a person or machine, whenever it counts; where people.yaml has none, that of `hallmark init`.

        Raises InputError where there is none, or none that may count in this environment.
        """
        given = who.keys if isinstance(who, Person) else self.people.keys_of_machine(who)
        if given:
            return list(given)
        name = _name(who)
        if not self.local:
            raise InputError(f"{name} has no key in people.yaml, needed outside environment {LOCAL}")
        line = _read_public(self.state / "keys" / f"{name}.pub", self.init_command)
        return [Key(public_key=line, installed=True)]

    def fingerprints_of(self, person_id: str) -> frozenset[str]:
        """Of every key of a person, whenever it counts; of nobody, and of who has none, none."""
        person = self.people.get(person_id)
        try:
            return frozenset(key.fingerprint for key in self.keys_of(person)) if person else frozenset()
        except InputError:
            return frozenset()

    def verify(self, envelope: Mapping[str, Any], who: Person | MachineName, at: datetime) -> dict[str, Any]:
        """The statement that a person or machine signed with a key that counted `at` then.

        Raises Refused where it is another's or did not count, InputError as `keys_of`.
        """
        return validity.verify(envelope, self.keys_of(who), at, _name(who))

    def gate_lines(self, by: datetime) -> list[str]:
        """The gate's keys that may have signed a gate statement, which carries no time, that was there `by` then."""
        return validity.lines_by(self.keys_of("gate"), by)

    def actor(self, person_id: str, at: datetime | None = None) -> Person:
        """Who acts, if they may act here at all; what for, and in which role, is for whoever asks.

        `at` is now by this machine's clock where it is left out. Raises as `reader`, and Refused for who is an auditor
        then and nothing else.
        """
        at = at or datetime.now(UTC)
        person = self.reader(person_id, at)
        if person.only_reads(at):
            raise Refused(
                f"{person.id} is {AUDITOR} in people.yaml, who reads everything and changes nothing; who is to act "
                "holds another role"
            )
        return person

    def reader(self, person_id: str, at: datetime | None = None) -> Person:
        """Who reads, if they may read here at all.

        Raises InputError for nobody in people.yaml, Refused for who holds no role then and for a demo identity
        elsewhere than in environment `local`.
        """
        at = at or datetime.now(UTC)
        person = self.people.get(person_id)
        if person is None:
            known = ", ".join(each.id for each in self.people.people if each.roles_at(at))
            raise InputError(f"{person_id!r} is nobody in people.yaml; it has {known}")
        if not person.roles_at(at):
            raise Refused(f"{person.id} holds no role on {shown(at)}, as people.yaml says, and may not act")
        if person.demo and not self.local:
            raise Refused(f"{person.id} is a demo identity, which counts in environment {LOCAL} alone")
        return person

    def identify(self, person_id: str) -> Person:
        """Who is there, as their key shows: to read, or to have a password. Raises as `reader` and `signer`."""
        person = self.reader(person_id)
        self.signer(person).sign(b"who acts in hallmark\n" + os.urandom(32))  # an agent may list a key it cannot use
        return person

    def signer(self, who: Person | MachineName, at: datetime | None = None, given: Signer | None = None) -> Signer:
        """What signs for a person or machine: `given`, else what `signing` finds. A machine has its key as a file here;
        the scheduler's may lie elsewhere.

        Raises InputError where there is none, Refused where it is not one that people.yaml has for them `at` then.
        """
        at, known, name = at or datetime.now(UTC), self.keys_of(who), _name(who)
        path, current = self.state / "keys" / name, validity.lines(known, at)
        if given is None and (isinstance(who, Person) or who == SCHEDULER):
            given = signing.of_person(path, current)
        elif given is None and path.exists():
            given = signing.of_machine(path)
        if given is None:
            raise InputError(f"the private key of {name} is wanted, and none is at {path}; {self._way_to_a_key(who)}")
        mark = keys.fingerprint(given.public_line)
        if mark not in {key.fingerprint for key in known if key.counts(at)}:
            listed = ", ".join(f"{key.fingerprint}, which {key.state_in_words(at)}" for key in known)
            raise Refused(
                f"the key {mark} is not one that {name} can sign with on {shown(at)}: people.yaml has {listed}"
            )
        return given

    def _way_to_a_key(self, who: Person | MachineName) -> str:
        if isinstance(who, Person) and who.signs_in_pages_alone():
            return "their keys are passkeys, which sign in the console; have another key adopted to sign by commands"
        if not (who.keys if isinstance(who, Person) else self.people.keys_of_machine(who)):
            return f"run `{self.init_command}` to make it"
        if isinstance(who, str) and who != SCHEDULER:
            return "put it there"
        agent = "which has none of theirs" if ssh_agent.running() else f"which {ssh_agent.SOCKET} names"
        return f"put it there, name its file in {signing.VARIABLE}, or add it to the ssh-agent, {agent}: `ssh-add FILE`"

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
        problems += _shared(policy, people, folder / "people.yaml")
        problems += misfits(policy, people, folder / "sources.yaml")
        if not problems:
            return Governance(folder, policy, people, state)
    raise InputError("\n".join(problems))


def initialise(state: Path, people: People) -> None:
    """Make a key for each person and machine without one, and the vault's, in `state/keys/`, and the vault.

    Existing ones stay. A vault that is there gets no other key, which would open nothing in it: raises InputError where
    its own is not here, Unavailable where its database is away.
    """
    machines = [name for name in MACHINES if not people.keys_of_machine(name)]
    for name in [*machines, *(person.id for person in people.people if not person.keys)]:
        keys.create(state / "keys", name)
    model_key.create(state / "keys")
    from tasks.sources import vault, vault_keys

    if not vault.exists(state):
        vault_keys.create(state)
    vault.open_vault(state)


def _keyless(policy: Policy, people: People, path: Path) -> list[str]:
    """Who has no key where keys of `hallmark init` do not count."""
    if policy.environment == LOCAL:
        return []
    document: Any = config.read_yaml(path)
    lacking: list[tuple[list[str | int], str]] = [
        (["people", i], person.id) for i, person in enumerate(people.people) if not person.keys
    ]
    lacking += [(["machines"], name) for name in MACHINES if not (name in OPTIONAL or people.keys_of_machine(name))]
    return [
        f"{path}:{config.line_of(document, where)}: {'.'.join(map(str, where))}: {name} needs a key in environment "
        f"{policy.environment}; only environment {LOCAL} takes keys made by `hallmark init`"
        for where, name in lacking
    ]


def _shared(policy: Policy, people: People, path: Path) -> list[str]:
    """Passkeys of a name that every page of a machine shares, where that is not good enough."""
    if policy.environment == LOCAL:
        return []
    places = [
        where
        for where, key in people.placed_keys()
        if passkey.is_line(key.public_key) and passkey.load(key.public_key).rp_id == passkey.LOCALHOST
    ]
    document: Any = config.read_yaml(path) if places else None
    told = (
        f"a passkey of {passkey.LOCALHOST} counts in environment {LOCAL} alone, since every page of a machine has that "
        "name; make one where the console has a name of its own"
    )
    return [f"{path}:{config.line_of(document, where)}: {'.'.join(map(str, where))}: {told}" for where in places]


def misfits(policy: Policy, people: People, path: Path) -> list[str]:
    """Sources whose owner or steward is nobody, or that are found by variables which policy doesn't list. A folder
    without sources.yaml (to verify a release, say) is fine."""
    if not path.exists():
        return []
    try:
        inventory = config.load(path, Sources)
    except InputError as error:
        return [str(error)]
    faults = [
        (i, key, wrong)
        for i, source in enumerate(inventory.sources)
        for key, wrong in _faults(source, policy, people).items()
    ]
    document = config.read_yaml(path) if faults else None
    return [
        f"{path}:{config.line_of(document, ['sources', i, key])}: sources.{i}.{key}: {wrong}"
        for i, key, wrong in faults
    ]


def _faults(source: Source, policy: Policy, people: People) -> dict[str, str]:
    """What is wrong with a source, by its key."""
    faults = {
        who: f"{named} is not in people.yaml; add the person or name another"
        for who, named in (("owner", source.owner), ("steward", source.steward))
        if people.get(named) is None
    }
    if unlisted := sorted(variables([source]) - set(policy.location_variables)):
        faults["location"] = (
            f"it names the environment variable {', '.join(unlisted)}, and policy.yaml does not; add it to "
            "`location_variables` there, or write where the source lies"
        )
    return faults


def _name(who: Person | MachineName) -> str:
    return who.id if isinstance(who, Person) else who


def _read_public(path: Path, command: str) -> str:
    try:
        line = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: no public key here; run `{command}` to make it") from None
    keys.load_public(line)
    return line
