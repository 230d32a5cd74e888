"""Identities in people.yaml: people with roles and keys, and the keys of machines, each valid for a period.

People who leave keep their entry, with roles and keys that have ended. Without the entry, their signatures would no
longer be valid.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document
from tasks.core.errors import InputError
from tasks.core.params.values import Name, NonEmptyText
from tasks.policy.gate_rules import AUDITOR_ROLE, LOCAL_ENVIRONMENT, KeyStrength
from tasks.trust import hardware_key, keys, passkey
from tasks.trust.validity import HeldRole, Key

MachineName = Literal["gate", "scheduler", "worker", "ledger"]
MACHINES: tuple[MachineName, ...] = get_args(MachineName)
"""Names of machines: `gate` signs gate statements and promotions, `scheduler` run requests, `worker` stage records, and
`ledger` ledger heads and dossiers."""
OPTIONAL_MACHINES: tuple[MachineName, ...] = ("worker",)
RESERVED_IDS = (*MACHINES, "root", "vault", "model-signing")
"""Names of other keys in .hallmark/keys/, which cannot be ids of people."""


def _person_id(value: str) -> str:
    if value in RESERVED_IDS:
        raise ValueError(f"`{value}` is the name of a machine's key; give the person another id")
    return value


def _text_as_mapping(key: str) -> BeforeValidator:
    """Return a validator that converts plain text to a mapping with one key."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


ISSUER_PATTERN = re.compile(
    r"(https://[A-Za-z0-9][A-Za-z0-9.-]*|http://(127\.0\.0\.1|localhost|\[::1\]))(:[0-9]{1,5})?(/[A-Za-z0-9._~%/-]*)?"
)
Keys = list[Annotated[Key, _text_as_mapping("public_key")]]


class SignInAccount(FrozenModel):
    """Account of a person at an OpenID Connect provider."""

    issuer: Annotated[str, Field(max_length=500)]
    """URL of the provider, as in the `iss` claim of its tokens. It begins with https, or with http for this machine."""
    subject: Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]
    """Claim `sub` of the provider's tokens. Unlike an e-mail address, it is never given to another person. If it is a
    number, write it in quotation marks."""

    @field_validator("issuer")
    @classmethod
    def _is_one(cls, value: str) -> str:
        return require_issuer(value)


class Person(FrozenModel):
    """Person who can act in Hallmark, with roles and keys."""

    id: Annotated[Name, AfterValidator(_person_id)]
    """Id of the person in commands and in the ledger."""
    name: NonEmptyText
    """Name of the person, shown on pages."""
    roles: Annotated[list[Annotated[HeldRole, _text_as_mapping("role")]], Field(min_length=1)]
    """Roles, each a name or a mapping with role, valid_after and valid_before. A person whose only role is `auditor`
    can read all pages of the console and change nothing."""
    keys: Keys = []
    """Public keys, each an OpenSSH public key line or a mapping with public_key, valid_after, valid_before,
    revoked_as_of and reason. Keys are ed25519 or in hardware (hardware_key.py, passkey.py). Can be empty only in
    environment `local`, which uses the key that `hallmark init` created under .hallmark/keys/ID."""
    sign_in: list[SignInAccount] = []
    """Accounts at OpenID Connect providers with which the person signs in to the console. An account opens pages but
    cannot sign anything."""
    demo: bool = False
    """Whether the entry is a demo identity, which decides at once on runs with --demo-approvals and is never valid on
    other runs."""

    def roles_at(self, at: datetime | None) -> list[str]:
        """Return the roles that the person holds at a time, or at any time if `at` is None."""
        return list(dict.fromkeys(held.role for held in self.roles if at is None or held.is_valid(at)))

    def is_only_auditor(self, at: datetime) -> bool:
        return set(self.roles_at(at)) == {AUDITOR_ROLE}

    def has_only_passkeys(self) -> bool:
        """Return whether all keys are passkeys. Passkeys work only in a browser, so no command can use them."""
        return bool(self.keys) and all(passkey.is_passkey_line(key.public_key) for key in self.keys)

    def key_weakness(self, required: KeyStrength, environment: str, keyid: str | None = None) -> str:
        """Return the reason why the person's keys are not strong enough; empty if they are.

        Args:
            required: Strength that policy requires.
            environment: Environment named in the policy.
            keyid: Fingerprint of the key to judge; None accepts any of the person's keys.
        """
        if required == "installed" and environment == LOCAL_ENVIRONMENT:
            return ""
        if required == "hardware":
            fits, asked = (
                [key for key in self.keys if keys.is_in_hardware(key.public_key)],
                f"in hardware ({hardware_key.HARDWARE_KEY_TYPE}, {passkey.PASSKEY_TYPE})",
            )
        else:
            fits, asked = [key for key in self.keys if not key.installed], "that people.yaml gives"
        if keyid and fits and keyid not in {key.fingerprint for key in fits}:
            return f"policy asks for a key {asked}, and {self.id} signs with {keyid}, which is none"
        return "" if fits else f"policy asks for a key {asked}, and {self.id} has none there"


class Machine(FrozenModel):
    """Keys of one machine."""

    keys: Annotated[Keys, Field(min_length=1)]
    """Public keys, written like those of a person. Hardware keys are not allowed, because a person must touch them."""

    @model_validator(mode="after")
    def _untouched(self) -> Self:
        if any(keys.is_in_hardware(key.public_key) for key in self.keys):
            raise ValueError("a machine signs by itself: give a key of ssh-ed25519, not one in hardware")
        return self


class People(Document):
    """Contents of people.yaml."""

    people: Annotated[list[Person], Field(min_length=1)]
    """People who act or have acted, including people who have left."""
    machines: dict[MachineName, Machine] = {}
    """Keys of machines. In environment `local`, a machine without an entry has the key that `hallmark init` created
    under .hallmark/keys/."""

    @model_validator(mode="after")
    def _require_unique(self) -> Self:
        """Reject ids, accounts and keys that occur twice. With one key under two ids, one human could decide twice."""
        repeated = [
            *_duplicates([(["people", i, "id"], person.id) for i, person in enumerate(self.people)], "each person")
        ]
        repeated += _duplicates(list(self._accounts()), "each account at a provider")
        repeated += _duplicates(
            [(where, key.fingerprint) for where, key in self.keys_by_path()], "each key", self._holder_of_key
        )
        if repeated:
            raise config.make_validation_error(repeated)
        return self

    def all_keys(self) -> list[Key]:
        return [key for _, key in self.keys_by_path()]

    def keys_by_holder(self) -> Iterator[tuple[str, Key]]:
        return ((self._holder_of_key(where), key) for where, key in self.keys_by_path())

    def keys_by_path(self) -> Iterator[tuple[list[str | int], Key]]:
        for i, person in enumerate(self.people):
            for j, key in enumerate(person.keys):
                yield ["people", i, "keys", j], key
        for name, machine in self.machines.items():
            for j, key in enumerate(machine.keys):
                yield ["machines", name, "keys", j], key

    def _holder_of_key(self, where: Sequence[str | int]) -> str:
        return self.people[where[1]].id if isinstance(where[1], int) else str(where[1])

    def _accounts(self) -> Iterator[tuple[list[str | int], str]]:
        for i, person in enumerate(self.people):
            for j, account in enumerate(person.sign_in):
                yield ["people", i, "sign_in", j], f"{account.issuer} {account.subject}"

    def find_by_account(self, issuer: str, subject: str) -> Person | None:
        for person in self.people:
            if any((each.issuer, each.subject) == (issuer, subject) for each in person.sign_in):
                return person
        return None

    def get(self, person_id: str) -> Person | None:
        return next((person for person in self.people if person.id == person_id), None)

    def keys_of_machine(self, name: MachineName) -> list[Key]:
        machine = self.machines.get(name)
        return machine.keys if machine else []

    def holders_of(self, role: str, at: datetime | None) -> list[Person]:
        return [person for person in self.people if role in person.roles_at(at)]


def require_issuer(value: str) -> str:
    if not ISSUER_PATTERN.fullmatch(value):
        raise ValueError(
            "expected a provider's address without a query, as in https://login.example.com (http on loopback alone), "
            f"got {value!r}"
        )
    return value


def _duplicates(
    placed: list[tuple[list[str | int], str]], what: str, whose: Any = None
) -> Iterator[tuple[list[Any], str]]:
    first: dict[str, list[str | int]] = {}
    for where, value in placed:
        if value in first:
            owners = f" ({whose(first[value])} and {whose(where)})" if whose else ""
            yield where, f"{what} stands here once; twice: {value}{owners}"
        first.setdefault(value, where)


def load_people(governance: Path) -> People:
    path = governance / "people.yaml"
    people = config.load_settings(path, People, merge_keys=False)
    if any(key.installed for key in people.all_keys()):
        raise InputError(f"{path}: `installed` is what adoptions say of keys that `hallmark init` made; leave it out")
    return people
