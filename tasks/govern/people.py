"""Identities: people.yaml."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from tasks import config
from tasks.config import Frozen
from tasks.params import Name, Text


class Person(Frozen):
    id: Name
    name: Text
    roles: Annotated[list[Name], Field(min_length=1)]
    public_key: str | None = None
    """An OpenSSH ed25519 public key line. Null only in environment `local`: then the key that `hallmark init` made
    under .hallmark/keys/ID counts."""
    demo: bool = False
    """A stand-in who decides at once under --demo-approvals; never counts without it."""
    active: bool = True
    """False: may no longer decide."""


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

    def get(self, person_id: str) -> Person | None:
        return next((person for person in self.people if person.id == person_id), None)

    def with_role(self, role: str) -> list[Person]:
        return [person for person in self.people if role in person.roles and person.active]


def load(governance: Path) -> People:
    """Read people.yaml of a governance folder."""
    return config.load(governance / "people.yaml", People)
