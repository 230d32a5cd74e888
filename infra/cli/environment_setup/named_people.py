"""People whom files of a checkout name by their ids, and who could take over from those who leave."""

from collections.abc import Collection, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from infra.cli.environment_setup.file_names import FILES_IN_WRITE_ORDER, PARAMS, PEOPLE, SOURCES, TESTS, Texts
from tasks.core.documents import config, yaml_edit
from tasks.policy.people import MACHINES, People, Person

PEOPLE_PATHS = {
    PARAMS: ("use_case.owners.*",),
    SOURCES: ("sources.*.owner", "sources.*.steward"),
    TESTS: ("cases.*.requester", "cases.*.owners.*", "cases.*.decisions.*.person"),
}
"""Patterns of the paths of YAML keys at which people are named, by file."""


def named_people(root: Path, before: Texts) -> Iterator[tuple[str, yaml_edit.KeyPath, str]]:
    """Yield file, path of keys and id for each person whom params.yaml, sources.yaml and policy_tests.yaml name."""
    for name in (each for each in (PARAMS, SOURCES, TESTS) if each in before):
        document = config.parse_plain_yaml(before[name], root / name)
        for path, value in _scalars(document):
            if any(_matches(path, pattern) for pattern in PEOPLE_PATHS[name]):
                yield name, path, str(value)


def _scalars(value: Any, path: yaml_edit.KeyPath = ()) -> Iterator[tuple[yaml_edit.KeyPath, Any]]:
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _scalars(item, (*path, key))
    else:
        yield path, value


def _matches(path: yaml_edit.KeyPath, pattern: str) -> bool:
    return fnmatchcase(".".join(map(str, path)), pattern) and len(path) == pattern.count(".") + 1


def absent_people(
    root: Path,
    before: Texts,
    people: Any,
    names: Collection[str] = FILES_IN_WRITE_ORDER,
    at: datetime | None = None,
) -> dict[str, list[str]]:
    """Return the ids that files name and that are not among the people, each with the people who could take over.

    Those who could take over hold a role that the absent person has in people.yaml.

    Args:
        root: Root folder of the checkout, for error messages.
        before: Present texts.
        people: Document of the wanted people.
        names: Files to search.
        at: Time at which whoever takes over must hold the role; None for any time.
    """
    here = config.validate_document(people, People, root / PEOPLE)
    there = People.model_validate(config.parse_plain_yaml(before[PEOPLE], root / PEOPLE))
    named = (who for name, _, who in named_people(root, before) if name in names)
    absent = dict.fromkeys(who for who in named if here.get(who) is None and who not in MACHINES)
    return {who: _with_same_role(there.get(who), here, at) for who in absent}


def require_replaceable(root: Path, before: Texts, leaving: Collection[str]) -> None:
    """Check that the ids of people who leave can be replaced where params.yaml and sources.yaml name them.

    Raises:
        InputError: An id is written in a form that cannot be replaced, such as an alias.
    """
    for name in (PARAMS, SOURCES):
        places = {
            where: f"{who}-replaced"
            for file, where, who in named_people(root, before)
            if file == name and who in leaving
        }
        yaml_edit.replace_scalars(before[name], root / name, places)


def _with_same_role(absent: Person | None, people: People, at: datetime | None) -> list[str]:
    held = set(absent.roles_at(None)) if absent else set()
    return [person.id for person in people.people if held & set(person.roles_at(at))]
