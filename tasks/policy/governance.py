"""Governance: policy and people that are consistent, as adopted or read from a folder, and their keys."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks.core.documents import config
from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_time
from tasks.ledger.ledger import Entry
from tasks.policy import people as people_file
from tasks.policy import policy as policy_file
from tasks.policy import staffing
from tasks.policy.gate_rules import AUDITOR_ROLE
from tasks.policy.people import MACHINES, OPTIONAL_MACHINES, MachineName, People, Person
from tasks.policy.policy import LOCAL_ENVIRONMENT, Policy
from tasks.policy.signed_times import HeadTimes, SignedTime, newest_before
from tasks.policy.tier import SCHEDULER
from tasks.sources.sources import Source, Sources, find_location_variables
from tasks.trust import keys, model_key, passkey, signing_keys, ssh_agent, validity
from tasks.trust.keys import Signer
from tasks.trust.validity import Key

__all__ = ["LOCAL_ENVIRONMENT", "Governance", "create_vault_and_keys", "load_governance", "source_problems"]


@dataclass(frozen=True)
class Governance:
    folder: Path
    policy: Policy
    people: People
    state: Path
    chain: tuple[dict[str, Any], ...] = ()
    """Envelopes of the adoptions that led to this governance, oldest first (adoption.py).

    Empty if policy and people were read from files that were not adopted, which only environment `local` allows.
    """

    adopted_at: tuple[SignedTime, ...] = ()
    """Signed times at which policy and people were adopted, oldest first."""

    @cached_property
    def policy_sha256(self) -> str:
        return self.policy.digest()

    @cached_property
    def _head_times(self) -> HeadTimes:
        return HeadTimes(self)

    def recorded_at(self, entry: Entry) -> datetime:
        """Return the time at which an entry counts as recorded: its own, or a later signed one (signed_times.py)."""
        time = max(entry.time, newest_before(self.adopted_at, entry.seq) or entry.time)
        return self._head_times.newest_before(entry.seq, time) or time

    @property
    def is_local(self) -> bool:
        return self.policy.environment == LOCAL_ENVIRONMENT

    def keys_of(self, holder: Person | MachineName) -> list[Key]:
        """Return every key of a person or machine, valid or not.

        If people.yaml has no key for this person or machine, the key created by `hallmark init` is returned.

        Raises:
            InputError: There is no key, or no key that is allowed in this environment.
        """
        given = holder.keys if isinstance(holder, Person) else self.people.keys_of_machine(holder)
        if given:
            return list(given)
        name = _signer_name(holder)
        if not self.is_local:
            raise InputError(f"{name} has no key in people.yaml, needed outside environment {LOCAL_ENVIRONMENT}")
        line = _read_public_key(self.state / "keys" / f"{name}.pub", self.init_command)
        return [Key(public_key=line, installed=True)]

    def fingerprints_of(self, person_id: str) -> frozenset[str]:
        person = self.people.get(person_id)
        try:
            return frozenset(key.fingerprint for key in self.keys_of(person)) if person else frozenset()
        except InputError:
            return frozenset()

    def verify_signature(
        self, envelope: Mapping[str, Any], holder: Person | MachineName, at: datetime
    ) -> dict[str, Any]:
        """Verify that a person or machine signed an envelope with a key valid at time `at`, and return its statement.

        Raises:
            Refused: Somebody else signed, or the key was not valid at that time.
            InputError: The person or machine has no key.
        """
        return validity.verify_at_time(envelope, self.keys_of(holder), at, _signer_name(holder))

    def gate_public_keys(self, latest: datetime) -> list[str]:
        """Return the public keys of machine `gate` that could have signed a gate statement before the time `latest`.

        Keys that have expired are included and revoked keys are not, because gate statements have no signing time.
        """
        return validity.possible_key_lines(self.keys_of("gate"), latest)

    def require_actor(self, person_id: str, at: datetime | None = None) -> Person:
        """Return a person who is allowed to act. The caller must check the permission for the specific action.

        Args:
            person_id: Id of the person in people.yaml.
            at: Time at which the person must hold a role; None for now, by this machine's clock.

        Raises:
            Refused: The person is only an auditor, holds no role at that time, or is a demo identity outside
                environment `local`.
            InputError: The person is not in people.yaml.
        """
        at = at or datetime.now(UTC)
        person = self.require_reader(person_id, at)
        if person.is_only_auditor(at):
            raise Refused(
                f"{person.id} is {AUDITOR_ROLE} in people.yaml, "
                "who reads everything and changes nothing; who is to act "
                "holds another role"
            )
        return person

    def require_reader(self, person_id: str, at: datetime | None = None) -> Person:
        """Return a person who is allowed to read. Such a person can be an auditor, who is not allowed to act.

        Raises:
            InputError: The person is not in people.yaml.
            Refused: The person holds no role at that time, or is a demo identity outside environment `local`.
        """
        at = at or datetime.now(UTC)
        person = self.people.get(person_id)
        if person is None:
            known = ", ".join(each.id for each in self.people.people if each.roles_at(at))
            raise InputError(f"{person_id!r} is nobody in people.yaml; it has {known}")
        if not person.roles_at(at):
            raise Refused(f"{person.id} holds no role on {format_time(at)}, as people.yaml says, and may not act")
        if person.demo and not self.is_local:
            raise Refused(f"{person.id} is a demo identity, which counts in environment {LOCAL_ENVIRONMENT} alone")
        return person

    def require_identity_proof(self, person_id: str) -> Person:
        """Verify by a signature that a person has access to their private key, and return the person.

        This is required for reading data and for setting a password.

        Raises:
            InputError: The person is not in people.yaml, or no private key is found.
            Refused: The person holds no role or is a demo identity outside environment `local`, or the key is not
                valid.
        """
        person = self.require_reader(person_id)
        self.find_signer(person).sign(
            b"who acts in hallmark\n" + os.urandom(32)
        )  # an agent may list keys that it cannot use
        return person

    def find_signer(
        self, holder: Person | MachineName, at: datetime | None = None, signer: Signer | None = None
    ) -> Signer:
        """Return the signer of a person or machine.

        The key of a machine is a file in `.hallmark/keys`. The scheduler's key, like a person's key, can be elsewhere
        (tasks/trust/signing_keys.py).

        Args:
            holder: Person or machine.
            at: Time at which the key must be valid; None for now, by this machine's clock.
            signer: Signer to use; None to search for the key.

        Raises:
            InputError: No private key is found.
            Refused: The key is not a valid key of the person or machine at that time.
        """
        at, known, name = at or datetime.now(UTC), self.keys_of(holder), _signer_name(holder)
        path, current = self.state / "keys" / name, validity.valid_key_lines(known, at)
        if signer is None and (isinstance(holder, Person) or holder == SCHEDULER):
            signer = signing_keys.for_person(path, current)
        elif signer is None and path.exists():
            signer = signing_keys.signer_for_machine(path)
        if signer is None:
            raise InputError(f"the private key of {name} is wanted, and none is at {path}; {self._key_advice(holder)}")
        mark = keys.fingerprint(signer.public_line)
        if mark not in {key.fingerprint for key in known if key.is_valid(at)}:
            listed = ", ".join(f"{key.fingerprint}, which {key.describe_state(at)}" for key in known)
            raise Refused(
                f"the key {mark} is not one that {name} can sign with on {format_time(at)}: people.yaml has {listed}"
            )
        return signer

    def _key_advice(self, who: Person | MachineName) -> str:
        if isinstance(who, Person) and who.has_only_passkeys():
            return "their keys are passkeys, which sign in the console; have another key adopted to sign by commands"
        if isinstance(who, str) and who != SCHEDULER:
            return "put it there"
        agent = "which has none of theirs" if ssh_agent.is_running() else f"which {ssh_agent.SOCKET_VARIABLE} names"
        return (
            f"put it there, name its file in {signing_keys.KEY_VARIABLE}, or add it to the ssh-agent, {agent}: "
            "`ssh-add FILE`"
        )

    @property
    def relative_folder(self) -> str:
        folder, root = self.folder.resolve(), self.state.parent.resolve()
        return (folder.relative_to(root) if folder.is_relative_to(root) else folder).as_posix()

    @property
    def governance_option(self) -> str:
        """Option ` --governance FOLDER` for commands that use this folder; empty for the checkout's own folder."""
        own = self.state.parent / "infra" / "governance"
        return "" if self.folder == own else f" --governance {self.folder}"

    @property
    def init_command(self) -> str:
        return f"hallmark init{self.governance_option}"


def load_governance(folder: Path, state: Path) -> Governance:
    """Read policy.yaml and people.yaml.

    Raises:
        InputError: A file is not valid. The message lists all problems of both files, and all contradictions between
            them and sources.yaml.
    """
    problems, policy, people = [], None, None
    try:
        policy = policy_file.load_policy(folder)
    except InputError as error:
        problems.append(str(error))
    try:
        people = people_file.load_people(folder)
    except InputError as error:
        problems.append(str(error))
    if policy is not None and people is not None:
        problems += staffing.policy_problems(policy, people, folder / "policy.yaml")
        problems += _missing_key_problems(policy, people, folder / "people.yaml")
        problems += _localhost_passkey_problems(policy, people, folder / "people.yaml")
        problems += source_problems(policy, people, folder / "sources.yaml")
        if not problems:
            return Governance(folder, policy, people, state)
    raise InputError("\n".join(problems))


def create_vault_and_keys(state: Path, people: People) -> None:
    """Create the vault with its key, and a key for each person and machine that has none.

    The keys are created in the folder keys/ of `state`. Existing keys are kept. An existing vault gets no new key,
    because a new key could not decrypt its values. If an error is raised, no key was created.

    Raises:
        InputError: The key of an existing vault, or the private key of an existing public key, is missing.
        Unavailable: The vault's database cannot be reached.
    """
    machines = [name for name in MACHINES if not people.keys_of_machine(name)]
    names = [*machines, *(person.id for person in people.people if not person.keys)]
    keys.require_private_keys(state / "keys", names)
    from tasks.sources import vault, vault_keys

    if not vault.vault_exists(state):
        vault_keys.create_key(state)
    vault.open_vault(state)
    for name in names:
        keys.create_key_pair(state / "keys", name)
    model_key.create_model_key(state / "keys")


def _missing_key_problems(policy: Policy, people: People, path: Path) -> list[str]:
    if policy.environment == LOCAL_ENVIRONMENT:
        return []
    document: Any = config.read_yaml(path)
    lacking: list[tuple[list[str | int], str]] = [
        (["people", i], person.id) for i, person in enumerate(people.people) if not person.keys
    ]
    lacking += [
        (["machines"], name) for name in MACHINES if not (name in OPTIONAL_MACHINES or people.keys_of_machine(name))
    ]
    return [
        f"{path}:{config.find_line_number(document, where)}: {'.'.join(map(str, where))}: {name} "
        "needs a key in environment "
        f"{policy.environment}; only environment {LOCAL_ENVIRONMENT} takes keys made by `hallmark init`"
        for where, name in lacking
    ]


def _localhost_passkey_problems(policy: Policy, people: People, path: Path) -> list[str]:
    if policy.environment == LOCAL_ENVIRONMENT:
        return []
    places = [
        where
        for where, key in people.keys_by_path()
        if passkey.is_passkey_line(key.public_key) and passkey.load_passkey(key.public_key).rp_id == passkey.LOCALHOST
    ]
    document: Any = config.read_yaml(path) if places else None
    told = (
        f"a passkey of {passkey.LOCALHOST} counts in environment {LOCAL_ENVIRONMENT} alone, "
        "since every page of a machine has that "
        "name; make one where the console has a name of its own"
    )
    return [
        f"{path}:{config.find_line_number(document, where)}: {'.'.join(map(str, where))}: {told}" for where in places
    ]


def source_problems(policy: Policy, people: People, path: Path) -> list[str]:
    """Return messages about sources that have an unknown owner or steward, or an unlisted variable in their location.

    The list is empty if there is no sources.yaml, as in the verification of a release.
    """
    if not path.exists():
        return []
    try:
        inventory = config.load_settings(path, Sources)
    except InputError as error:
        return [str(error)]
    faults = [
        (i, key, wrong)
        for i, source in enumerate(inventory.sources)
        for key, wrong in _source_field_problems(source, policy, people).items()
    ]
    document = config.read_yaml(path) if faults else None
    return [
        f"{path}:{config.find_line_number(document, ['sources', i, key])}: sources.{i}.{key}: {wrong}"
        for i, key, wrong in faults
    ]


def _source_field_problems(source: Source, policy: Policy, people: People) -> dict[str, str]:
    faults = {
        who: f"{named} is not in people.yaml; add the person or name another"
        for who, named in (("owner", source.owner), ("steward", source.steward))
        if people.get(named) is None
    }
    if unlisted := sorted(find_location_variables([source]) - set(policy.location_variables)):
        faults["location"] = (
            f"it names the environment variable {', '.join(unlisted)}, and policy.yaml does not; add it to "
            "`location_variables` there, or write where the source lies"
        )
    return faults


def _signer_name(who: Person | MachineName) -> str:
    return who.id if isinstance(who, Person) else who


def _read_public_key(path: Path, command: str) -> str:
    try:
        line = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: no public key here; run `{command}` to make it") from None
    keys.load_public_key(line)
    return line
