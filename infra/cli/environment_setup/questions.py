"""Questions about a new environment at a terminal. A wrong answer is explained, and the question is asked again."""

import sys
from collections.abc import Callable
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
from tasks.policy.people import RESERVED_IDS
from tasks.policy.policy import Policy


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask_until_valid(text: str, check: Callable[[str], Any], optional: bool = False) -> Any:
    """Ask until `check` accepts the answer, and return its result. An optional answer can be empty: then None."""
    while True:
        said = str(typer.prompt(text, default="", show_default=False)).strip()
        if not said and optional:
            return None
        try:
            return check(said)
        except InputError as error:
            console.print(f"  {error}")


def ask_people(policy: Policy) -> Any:
    """Ask who holds each role that the policy needs, and return the answers in the form of people.yaml."""
    people = CommentedMap(people=CommentedSeq())
    console.print("Who decides here? One person may hold several roles, unless policy.yaml wants different people.")
    for needed in needed_roles.needed_roles(policy):
        console.print(f"role {needed.role}: {'; '.join(needed.duties)}")
        held = 0
        while person := _ask_id(people, needed.role, optional=held >= needed.minimum):
            _add_role(people, person, needed.role)
            held += 1
    return people


def ask_another_person(people: Any) -> bool:
    """Ask for one more person with roles, and return False if there is none."""
    person = _ask_id(people, "", optional=True)
    if person is None:
        return False
    for role in str(typer.prompt(f"  roles of {person}, with spaces between them")).split():
        _add_role(people, person, role)
    return True


def ask_successor(who: str, candidates: list[str], people: Any) -> str:
    known = [str(person["id"]) for person in people["people"]]

    def check(said: str) -> str:
        if said not in known:
            raise InputError(f"{said!r} is none of the people: {', '.join(known)}")
        return said

    said = f"{who} owns sources or the use case, and is none of these people. Who takes over?"
    return str(ask_until_valid(f"{said} ({', '.join(candidates) or ', '.join(known)})", check))


def _ask_id(people: Any, role: str, optional: bool) -> str | None:
    """Return the id of a person, who is added to the people if they are new there."""

    def check(said: str) -> str:
        known = next((person for person in people["people"] if person["id"] == said), None)
        if known is not None and role in known["roles"]:
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
        if any(key.split()[:2] == line.split()[:2] for key in person["keys"]):
            raise InputError(f"this key is {person['id']}'s already; each person has a key of their own")
    return line


def _add_role(people: Any, person_id: str, role: str) -> None:
    person = next(person for person in people["people"] if person["id"] == person_id)
    if role not in person["roles"]:
        person["roles"].append(role)


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
