"""Identities: people.yaml."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from tasks import config
from tasks.config import Frozen
from tasks.errors import InputError
from tasks.govern import keys
from tasks.govern.gate_rules import LOCAL, Strength
from tasks.govern.policy import SCHEDULER
from tasks.params import Name, Text

MACHINE = "gate"
"""Id of the installation's own key, which signs gate statements."""
LEDGER = "ledger"
"""Id of the installation's key that signs heads of the ledger."""


def _key_line(value: str) -> str:
    try:
        keys.fingerprint(value)
    except InputError as error:
        raise ValueError(str(error)) from None
    return value


def _person_id(value: str) -> str:
    if value in (MACHINE, LEDGER, SCHEDULER):
        raise ValueError(f"`{value}` is the name of a machine's key; give the person another id")
    return value


PublicKey = Annotated[str, AfterValidator(_key_line)]


class Person(Frozen):
    id: Annotated[Name, AfterValidator(_person_id)]
    name: Text
    roles: Annotated[list[Name], Field(min_length=1)]
    public_key: PublicKey | None = None
    """An OpenSSH ed25519 public key line. Null only in environment `local`: then the key that `hallmark init` made
    under .hallmark/keys/ID counts."""
    demo: bool = False
    """A stand-in who decides at once under --demo-approvals; never counts without it."""
    active: bool = True
    """False: may no longer decide."""

    def too_weak(self, wanted: Strength, environment: str) -> str:
        """Why their key does not do where `wanted` is asked; empty where it does."""
        if wanted == "hardware":
            return "policy asks for keys in hardware, which cannot be told from others yet"
        if self.public_key or (wanted == "installed" and environment == LOCAL):
            return ""
        return f"policy asks for a key that people.yaml gives, and {self.id} has none there"


class People(Frozen):
    """people.yaml."""

    people: Annotated[list[Person], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [person.id for person in self.people]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"each person stands here once; twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _own_keys(self) -> Self:
        """Two ids with one key would let one human be two deciders."""
        owners: dict[str, str] = {}
        for person in self.people:
            if person.public_key:
                mark = keys.fingerprint(person.public_key)
                if mark in owners:
                    raise ValueError(f"{owners[mark]} and {person.id} have the same public key; each needs their own")
                owners[mark] = person.id
        return self

    def get(self, person_id: str) -> Person | None:
        return next((person for person in self.people if person.id == person_id), None)

    def with_role(self, role: str) -> list[Person]:
        return [person for person in self.people if role in person.roles and person.active]


def load(governance: Path) -> People:
    """Read people.yaml of a governance folder."""
    return config.load(governance / "people.yaml", People)
