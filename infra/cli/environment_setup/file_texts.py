"""Texts of the files of a new environment. All are checked before one is written."""

import difflib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ruamel.yaml.comments import CommentedMap

from infra.cli.environment_setup import named_people
from infra.cli.environment_setup.file_names import FILES, GOVERNANCE, PARAMS, PEOPLE, POLICY, TESTS, Texts
from tasks.core.documents import config, yaml_edit
from tasks.core.errors import InputError
from tasks.policy import governance, staffing
from tasks.policy.governance import Governance
from tasks.policy.people import MACHINES, MachineName, People
from tasks.policy.policy import Policy
from tasks.trust import keys

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
    """Document in the form of people.yaml; None for the people who are in the file."""
    successors: Mapping[str, str]
    """Id of the person who takes over, by the id of an owner or steward who leaves."""


def read_texts(root: Path) -> Texts:
    return {name: config.read_yaml_text(root / name) for name in FILES if (root / name).exists()}


def propose_texts(root: Path, before: Texts, wanted: WantedContents, machine_lines: Mapping[MachineName, str]) -> Texts:
    """Return the texts of the files as they shall be. A file that says so already keeps its text.

    Args:
        root: Root folder of the checkout, for error messages.
        before: Present texts.
        wanted: Wanted contents.
        machine_lines: Public key lines of the machines that the people have no entry for.
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


def policy_in(root: Path, before: Texts, environment: str) -> Policy:
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
    """Return whether people.yaml has these people, and the machines that the document names."""
    present = config.to_plain_value(config.read_yaml(root / PEOPLE))
    machines = {**(present.get("machines") or {}), **(config.to_plain_value(people.get("machines")) or {})}
    return bool(present == {**present, **config.to_plain_value(people), "machines": machines})


def without_keys(people: Any) -> list[str]:
    return [str(person["id"]) for person in people["people"] if not person.get("keys")]


def machines_without_entry(people: Any) -> list[MachineName]:
    return [name for name in MACHINES if name not in (people.get("machines") or {})]


def keep_machines(people: Any, present: Any) -> None:
    """Add the machines of people.yaml that the people do not name: their keys may be those of other computers."""
    for name, machine in (present.get("machines") or {}).items():
        people.setdefault("machines", CommentedMap()).setdefault(name, machine)


def people_text(path: Path, before: str, wanted: Any, machine_lines: Mapping[MachineName, str]) -> str:
    """Return the text of people.yaml as `propose_texts` does. If it says so already, it stays as it is."""
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


def require_staffed(root: Path, policy: Policy, people: Any) -> None:
    """Check whether the people can do what the policy asks for.

    Raises:
        InputError: The people are not valid, or nobody could satisfy a rule. The message lists all problems.
    """
    here = config.validate_document(people, People, root / PEOPLE)
    if keyless := without_keys(people):
        raise InputError(
            f"{', '.join(keyless)} needs a key in environment {policy.environment}; give the public one of each"
        )
    if problems := staffing.policy_problems(policy, here, root / POLICY):
        raise InputError("\n".join(problems))


def require_valid(root: Path, texts: Texts) -> Governance:
    """Check the texts as `hallmark policy check` does, and return the governance that they would be.

    Raises:
        InputError: A text is not valid, or together they ask for something that nobody could do. The message lists all
            problems.
    """
    with tempfile.TemporaryDirectory() as place:
        aside = Path(place) / "governance"
        aside.mkdir()
        for name in set(texts) - {PARAMS}:
            (aside / Path(name).name).write_text(texts[name], encoding="utf-8")
        try:
            loaded = governance.load_governance(aside, root / ".hallmark")
        except InputError as error:
            raise InputError(str(error).replace(str(aside), str(root / GOVERNANCE))) from None
    return replace(loaded, folder=root / GOVERNANCE)


def temporary_machine_lines(names: Iterable[MachineName], state: Path) -> dict[MachineName, str]:
    """Return the public keys of machines: those in `.hallmark/keys`, else keys for a check, which nobody keeps."""
    lines = {}
    for name in names:
        file = state / "keys" / f"{name}.pub"
        line = file.read_text("utf-8").strip() if file.exists() else ""
        lines[name] = line or keys.make_public_line(Ed25519PrivateKey.generate(), name)
    return lines


def difference_lines(before: Texts, now: Texts) -> Iterator[str]:
    for name in FILES:
        if name in now and before[name] != now[name]:
            yield from difflib.unified_diff(
                before[name].splitlines(), now[name].splitlines(), name, f"{name} (new)", n=0, lineterm=""
            )


def write_texts(root: Path, before: Texts, now: Texts) -> list[str]:
    """Write the texts that differ, and return the names of their files.

    Raises:
        Refused: Somebody changed a file since it was read.
    """
    changed = [name for name in FILES if name in now and before[name] != now[name]]
    for name in changed:
        config.overwrite_if_unchanged(root / name, before[name], now[name])
    return changed
