"""People whom files of a checkout name by their ids, and who could take over from those who leave."""

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from infra.cli.environment_setup.file_names import FILES, PARAMS, PEOPLE, SOURCES, TESTS, Texts
from tasks.core.documents import config, yaml_edit
from tasks.policy.people import MACHINES, People, Person

PLACES_OF_PEOPLE = {
    PARAMS: ("use_case.owners.*",),
    SOURCES: ("sources.*.owner", "sources.*.steward"),
    TESTS: ("cases.*.requester", "cases.*.owners.*", "cases.*.decisions.*.person"),
}
"""Patterns of the paths of keys at which a file names people."""


def named_people(root: Path, before: Texts) -> Iterator[tuple[str, yaml_edit.KeyPath, str]]:
    """Yield file, path of keys and id for each person whom params.yaml, sources.yaml and policy_tests.yaml name."""
    for name in (each for each in (PARAMS, SOURCES, TESTS) if each in before):
        document = config.parse_plain_yaml(before[name], root / name)
        for path, value in _scalars(document):
            if any(_matches(path, pattern) for pattern in PLACES_OF_PEOPLE[name]):
                yield name, path, str(value)


def _scalars(value: Any, path: yaml_edit.KeyPath = ()) -> Iterator[tuple[yaml_edit.KeyPath, Any]]:
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _scalars(item, (*path, key))
    else:
        yield path, value


def _matches(path: yaml_edit.KeyPath, pattern: str) -> bool:
    return fnmatchcase(".".join(map(str, path)), pattern) and len(path) == pattern.count(".") + 1


def absent_people(root: Path, before: Texts, people: Any, names: Collection[str] = FILES) -> dict[str, list[str]]:
    """Return the ids in files that are none of the people's, each with the people who could take over.

    These hold a role that the absent person has in people.yaml.

    Args:
        root: Root folder of the checkout, for error messages.
        before: Present texts.
        people: Document of the wanted people.
        names: Files to search.
    """
    here = config.validate_document(people, People, root / PEOPLE)
    there = People.model_validate(config.parse_plain_yaml(before[PEOPLE], root / PEOPLE))
    named = (who for name, _, who in named_people(root, before) if name in names)
    absent = dict.fromkeys(who for who in named if here.get(who) is None and who not in MACHINES)
    return {who: _with_same_role(there.get(who), here) for who in absent}


def _with_same_role(absent: Person | None, people: People) -> list[str]:
    held = set(absent.roles_at(None)) if absent else set()
    return [person.id for person in people.people if held & set(person.roles_at(None))]
