"""Texts of the files of a new environment, and their differences."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from infra.cli.environment_setup import named_people
from infra.cli.environment_setup.file_names import (
    FILES_IN_WRITE_ORDER,
    PARAMS,
    PEOPLE,
    POLICY,
    SOURCES,
    TESTS,
    Texts,
)
from tasks.core.documents import config, yaml_edit
from tasks.core.errors import InputError, Refused
from tasks.policy.people import MACHINES, MachineName, People
from tasks.policy.policy import Policy

HEADER = """\
# Who may ask for runs and who may decide at gates, each with their public keys. Changes are proposed with
# `hallmark identity` or by hand, and count once they are adopted: `hallmark policy adopt infra/governance`.
# Who leaves keeps their entry, with `valid_before` on their roles and keys (docs/guides/security.md).
"""
DEMO_COMMENT = "  # They decide at once under --demo-approvals, and on no other run.\n"
"""Comment above the demo identities of the people.yaml that Hallmark ships."""


@dataclass(frozen=True)
class WantedContents:
    """Wanted contents of the files of an environment."""

    environment: str
    people: Any
    """Wanted people, as a document in the form of people.yaml; None to keep the people in the file."""
    successors: Mapping[str, str]
    """Id of the person who takes over, by the id of an owner or steward who leaves."""


def read_texts(root: Path) -> Texts:
    """Return the text of each file that exists.

    Raises:
        InputError: A file that is needed is missing or cannot be read.
    """
    if missing := [name for name in (PARAMS, SOURCES, PEOPLE, POLICY) if not (root / name).exists()]:
        raise InputError(f"{root} has no {', '.join(missing)}; restore it, as in `git checkout -- {missing[0]}`")
    return {name: config.read_yaml_text(root / name) for name in FILES_IN_WRITE_ORDER if (root / name).exists()}


def propose_texts(root: Path, before: Texts, wanted: WantedContents, machine_lines: Mapping[MachineName, str]) -> Texts:
    """Return the new texts of the files. A file that has the wanted contents already keeps its text.

    Args:
        root: Root folder of the checkout, for error messages.
        before: Present texts.
        wanted: Wanted contents.
        machine_lines: Public key line of each machine that has no entry in the wanted people.
    """
    replaced: dict[str, dict[yaml_edit.KeyPath, str]] = {name: {} for name in before}
    replaced[POLICY][("environment",)] = wanted.environment
    for name, place, who in named_people.named_people(root, before):
        if who in wanted.successors:
            replaced[name][place] = wanted.successors[who]
    texts = {name: _replaced_text(text, root / name, replaced[name]) for name, text in before.items()}
    return texts | {PEOPLE: people_text(root / PEOPLE, before[PEOPLE], wanted.people, machine_lines)}


def _replaced_text(text: str, path: Path, values: Mapping[yaml_edit.KeyPath, str]) -> str:
    try:
        return yaml_edit.replace_scalars(text, path, values)
    except InputError:
        if path.name != Path(TESTS).name:
            raise
        return text  # nothing depends on the cases, and what is left to do names them


def policy_for_environment(root: Path, before: Texts, environment: str) -> Policy:
    """Return the policy of policy.yaml as it would be in the environment."""
    wanted: dict[yaml_edit.KeyPath, str] = {("environment",): environment}
    text = yaml_edit.replace_scalars(before[POLICY], root / POLICY, wanted)
    return config.validate_document(config.parse_yaml(text, root / POLICY), Policy, root / POLICY)


def people_in_file(text: str, path: Path) -> Any:
    """Return the document of people.yaml without its demo identities."""
    document = config.parse_yaml(text, path)
    config.validate_document(document, People, path)
    for number in reversed(range(len(document["people"]))):  # deleted one by one, so that comments stay
        if document["people"][number].get("demo"):
            del document["people"][number]
    return document


def names_same_people(root: Path, people: Any) -> bool:
    """Return whether people.yaml has exactly the people of a document, and all of its machines."""
    present = config.to_plain_value(config.read_yaml(root / PEOPLE))
    machines = {**(present.get("machines") or {}), **(config.to_plain_value(people.get("machines")) or {})}
    return bool(present == {**present, **config.to_plain_value(people), "machines": machines})


def without_keys(people: Any) -> list[str]:
    return [str(person["id"]) for person in people["people"] if not person.get("keys")]


def people_with_keys(people: Any) -> Any:
    """Return a document with those of the people who have keys, also with keys that have ended."""
    return CommentedMap(people=CommentedSeq(person for person in people["people"] if person.get("keys")))


def machines_without_entry(people: Any) -> list[MachineName]:
    return [name for name in MACHINES if name not in (people.get("machines") or {})]


def keep_machines(people: Any, present: Any) -> None:
    """Add to the document `people` the machines that only people.yaml has, because they may be other computers."""
    for name, machine in (present.get("machines") or {}).items():
        people.setdefault("machines", CommentedMap()).setdefault(name, machine)


def people_text(path: Path, before: str, wanted: Any, machine_lines: Mapping[MachineName, str]) -> str:
    """Return the new text of people.yaml. If it has the wanted people already, its text is unchanged.

    The last two parameters are those of `propose_texts`.
    """
    document = people_in_file(before, path) if wanted is None else wanted
    machines = {**(document.get("machines") or {}), **{name: _machine(line) for name, line in machine_lines.items()}}
    complete = config.to_plain_value({**document, "machines": machines})
    if config.parse_plain_yaml(before, path) == complete:
        return before
    if wanted is None:
        document.setdefault("machines", CommentedMap()).update(machines)
        return yaml_edit.render_document(document).replace(DEMO_COMMENT, "")
    lines = [f"  - {_inline_text(person)}\n" for person in complete["people"]]
    lines += ["machines:\n", *(f"  {name}: {_inline_text(machine)}\n" for name, machine in machines.items())]
    return "".join([HEADER, "people:\n", *lines])


def _machine(line: str) -> Any:
    return yaml_edit.inline_mapping(keys=[line])


def _inline_text(mapping: Mapping[str, Any]) -> str:
    first = {key: mapping[key] for key in ("id", "name", "roles", "keys") if key in mapping}
    return yaml_edit.render_document(yaml_edit.inline_mapping(**first | config.to_plain_value(mapping))).strip()


def difference_lines(before: Texts, now: Texts) -> Iterator[str]:
    for name in FILES_IN_WRITE_ORDER:
        if name in now and before[name] != now[name]:
            yield from difflib.unified_diff(
                before[name].splitlines(), now[name].splitlines(), name, f"{name} (new)", n=0, lineterm=""
            )


def write_texts(root: Path, before: Texts, now: Texts) -> list[str]:
    """Write the texts that differ, and return the names of their files.

    Raises:
        Refused: Somebody changed a file since it was read, even one that keeps its text. Nothing was written.
    """
    there = read_texts(root)
    if others := [name for name in FILES_IN_WRITE_ORDER if there.get(name) != before.get(name)]:
        raise Refused(
            f"{', '.join(others)} changed after it was read; nothing was written or adopted. Look at the change, then "
            "repeat the command"
        )
    changed = [name for name in FILES_IN_WRITE_ORDER if name in now and before[name] != now[name]]
    for name in changed:
        config.overwrite_if_unchanged(root / name, before[name], now[name])
    return changed
