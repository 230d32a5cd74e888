"""Questions about a new environment at a terminal. A wrong answer is explained, and the question is asked again."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from infra.cli.environment_setup import given_people
from infra.cli.shared import console
from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.params.values import NAME_PATTERN
from tasks.policy import needed_roles
from tasks.policy.people import RESERVED_IDS, Person
from tasks.policy.policy import Policy


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask_until_valid(text: str, check: Callable[[str], Any], optional: bool = False) -> Any:
    """Ask until `check` accepts the answer, and return its result, or None if an optional answer is empty."""
    while True:
        said = str(typer.prompt(text, default="", show_default=False)).strip()
        if not said and optional:
            return None
        try:
            return check(said)
        except InputError as error:
            console.print(f"  {error}")


def ask_people(policy: Policy, people: Any, at: datetime) -> None:
    """Ask who holds each role that the policy needs, and add the answers to a document in the form of people.yaml.

    If enough people of the document hold a role already, nothing is asked about that role.
    """
    present = [Person.model_validate(config.to_plain_value(person)) for person in people["people"]]
    able = [person for person in present if any(key.is_valid(at) for key in person.keys)]
    console.print("Who decides here? One person may hold several roles, unless policy.yaml wants different people.")
    for needed in needed_roles.needed_roles(policy):
        console.print(f"role {needed.role}: {'; '.join(needed.duties)}")
        if holders := [person.id for person in able if needed.role in person.roles_at(at)]:
            console.print(f"  held by {', '.join(holders)}")
        held = len(holders)
        if holders and held >= needed.minimum:
            continue
        while person := _ask_id(people, needed.role, optional=held >= needed.minimum):
            _add_role(people, person, needed.role)
            held += 1


def ask_another_person(people: Any) -> bool:
    """Ask for one more person with roles, and return False if there is none."""
    person = _ask_id(people, "", optional=True)
    if person is None:
        return False
    for role in ask_until_valid(f"  roles of {person}, with spaces between them", _roles):
        _add_role(people, person, role)
    return True


def _roles(said: str) -> list[str]:
    wrong = [role for role in said.split() if not NAME_PATTERN.fullmatch(role)]
    if wrong or not said:
        raise InputError(f"{' '.join(wrong)!r} cannot be a role; expected lower-case letters, digits, - and _")
    return said.split()


def ask_successor(who: str, candidates: list[str], people: Any) -> str:
    known = [str(person["id"]) for person in people["people"]]

    def check(said: str) -> str:
        if said not in known:
            raise InputError(f"{said!r} is none of the people: {', '.join(known)}")
        return said

    said = f"{who} owns sources or the use case, and is none of these people. Who takes over?"
    return str(ask_until_valid(f"{said} ({', '.join(candidates) or ', '.join(known)})", check))


def _ask_id(people: Any, role: str, optional: bool) -> str | None:
    """Ask for the id of a person, and return it. A new person is asked for name and key, and added to `people`."""

    def check(said: str) -> str:
        known = next((person for person in people["people"] if person["id"] == said), None)
        if known is not None and role in _role_names(known):
            raise InputError(f"{said} holds role {role} already; name another person")
        return said if known is not None else _new_id(said)

    held = f" with role {role}" if role else ""
    question = f"  id of {'another person' if optional else 'a person'}{held}{' (Enter: nobody else)' * optional}"
    person_id = ask_until_valid(question, check, optional)
    if person_id is None:
        return None
    if any(person["id"] == person_id for person in people["people"]):
        return str(person_id)
    name = ask_until_valid(f"  name of {person_id}", _name)
    line = ask_until_valid(f"  public key of {person_id}: its line, or its file", lambda said: _key(people, said))
    people["people"].append(CommentedMap(id=person_id, name=name, roles=CommentedSeq(), keys=CommentedSeq([line])))
    return str(person_id)


def _key(people: Any, said: str) -> str:
    line = given_people.public_key_line(said, Path.cwd(), "this key")
    for person in people["people"]:
        given = (key if isinstance(key, str) else str(key["public_key"]) for key in person["keys"])
        if any(key.split()[:2] == line.split()[:2] for key in given):
            raise InputError(f"this key is {person['id']}'s already; each person has a key of their own")
    return line


def _add_role(people: Any, person_id: str, role: str) -> None:
    person = next(person for person in people["people"] if person["id"] == person_id)
    if role not in _role_names(person):
        person["roles"].append(role)


def _role_names(person: Any) -> list[str]:
    return [role if isinstance(role, str) else str(role["role"]) for role in person["roles"]]


def _new_id(said: str) -> str:
    if not NAME_PATTERN.fullmatch(said) or said in RESERVED_IDS:
        raise InputError(
            f"{said!r} cannot be an id; expected lower-case letters, digits, - and _, such as ada, and none of "
            f"{', '.join(RESERVED_IDS)}"
        )
    return said


def _name(said: str) -> str:
    if not said:
        raise InputError("a name is shown on pages; it cannot be empty")
    return config.refuse_hidden_characters(said, "this name")
