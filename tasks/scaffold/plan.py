"""All files of a new use case, with guesses and reasons, checked as a run checks them before any is written."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from tasks.core import config
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable, is_full_disk
from tasks.core.files import whole_folder
from tasks.core.params import params as parameters_file
from tasks.policy import governance as rules
from tasks.policy import satisfiable
from tasks.policy.governance import Governance
from tasks.scaffold import columns, document, expected, governed, parameters, sampled, told
from tasks.scaffold.answers import Answers
from tasks.scaffold.columns import Column
from tasks.scaffold.mapping import Mapped
from tasks.scaffold.opened import Opened
from tasks.scaffold.place import FOLDER, refuse_taken
from tasks.scaffold.sampled import Sampled
from tasks.sources import sources
from tasks.sources.sources import Constants, Mapping

Read = TypeVar("Read")
WHOLE = "dataset"
"""Suite of all records together. A source of this name would have its suite in the same file."""


class Planned(NamedTuple):
    path: str
    """Path below the folder of the use case."""
    text: str
    guessed: list[tuple[str, str]]
    """Guesses in the file, each with its reason."""


@dataclass(frozen=True)
class Plan:
    folder: Path
    files: list[Planned]
    requester: str
    """Person who may request its runs."""
    environment: str
    look: list[str]
    """Warnings to check before the first run."""


def profile(opened: Opened) -> list[Column]:
    """Return profiles of all columns.

    Raises:
        InputError: The first line looks like a row of data.
    """
    made = [columns.profiled(name, opened.sample) for name in opened.names]
    if opened.source.kind == "csv" and (stray := [each for each in made if each.name in each.values and each.repeats]):
        raise InputError(
            f"{opened.source.location}: its first line looks like a row of data ({stray[0].name!r} stands further down "
            "in the same column too); write a line with the names of the columns above it"
        )
    return made


@dataclass(frozen=True)
class Known:
    """Input from which all files are made."""

    name: str
    tier: str
    answers: Answers
    opened: Opened
    mapped: Mapped
    sample: Sampled

    @property
    def rows(self) -> int:
        """Number of rows that can be read."""
        return self.opened.rows - self.opened.malformed


def make(root: Path, name: str, tier: str, answers: Answers, opened: Opened, mapped: Mapped) -> Plan:
    """Make and check all files.

    Raises:
        InputError: An answer or a name is not valid in a file.
        Refused: Nobody could request a run that can pass its gates.
    """
    said = {"mapping": Mapping.model_validate(mapped.keys), "constants": Constants(task=name)}
    sample = sampled.take(opened.sample, opened.source.model_copy(update=said))
    known, folder = Known(name, tier, answers, opened, mapped, sample), root / FOLDER / name
    rules_files = _policy_and_people(known, root / "infra" / "governance")
    judged = _read_aside(folder, rules_files, lambda trial: rules.load(trial / "governance", root / ".hallmark"))
    requester = _requester(judged, tier, answers.owner)
    files = [_params(known, judged, requester, root), _sources(known), *_suites(known), *rules_files]
    _read_aside(folder, files, lambda trial: _load(trial, root))
    return Plan(
        folder, files, requester, judged.policy.environment, told.look(opened, mapped, sample, answers.personal)
    )


def _policy_and_people(known: Known, folder: Path) -> list[Planned]:
    _, *sides = parameters.shares(known.rows, known.sample)
    classes = parameters.form(known.sample) != "text"
    policy, changed = governed.policy(folder, known.tier, (sides[0], sides[1]), classes)
    people, added = governed.people(folder, known.answers.owner)
    copied = [("as in the checkout", "but for what follows")] * bool(changed)
    new = [(f"{known.answers.owner} added, role data_owner", "they were nobody in people.yaml")] * added
    return [
        Planned("governance/policy.yaml", policy, copied + changed),
        Planned("governance/people.yaml", people, new),
    ]


def _params(known: Known, judged: Governance, requester: str, root: Path) -> Planned:
    share, *sides = parameters.shares(known.rows, known.sample)
    base, business = (
        config.read_plain(root / "params.yaml"),
        _business(judged, known.tier, known.answers.owner),
    )
    made, remarks = parameters.made(
        known.name, known.answers, known.sample, known.rows, known.tier, requester, business, base
    )
    text = document.text(made, _heading(known.name, requester), remarks)
    return Planned("params.yaml", text, told.of_params(known.sample, share, sides))


def _sources(known: Known) -> Planned:
    made, remarks = governed.sources(known.name, known.opened, known.mapped, known.answers, known.sample)
    guessed = told.of_source(known.opened, known.mapped, known.sample)
    return Planned("governance/sources.yaml", document.text(made, _SOURCES, remarks), guessed)


def _suites(known: Known) -> list[Planned]:
    own = expected.of_source(known.name, known.sample, known.rows, known.mapped.keys)
    whole = expected.of_dataset(WHOLE, known.sample)
    return [
        Planned(f"governance/expectations/{known.name}.yaml", document.text(own, _SUITE), told.of_suite(own)),
        Planned(f"governance/expectations/{WHOLE}.yaml", document.text(whole, _DATASET), told.of_suite(whole)),
    ]


def write(plan: Plan) -> None:
    """Write all files, or none.

    Raises:
        InputError: The folder or the name is taken, or the folder cannot be written.
        Unavailable: The disk is full.
    """
    refuse_taken(plan.folder)
    try:
        with whole_folder(plan.folder) as folder:
            _write(folder, plan.files)
    except OSError as error:
        kind = Unavailable if is_full_disk(error) else InputError
        raise kind(f"{plan.folder}: cannot be written ({error.strerror or error}); nothing was written") from None


_SOURCES = "Where the data lies, what its columns mean and who answers for it. Its owner signs this at the data gate."
_SUITE = "What the data owner expects of the file. Drawn from one file, so that its owner has something to correct."
_DATASET = "What the data owner expects of all records together."


def _heading(name: str, requester: str) -> str:
    return (
        f"Parameters of {name}, written by `hallmark new`. `hallmark params --schema` says what each key means.\n"
        f"  hallmark run --as {requester} --params {FOLDER}/{name}/params.yaml --governance {FOLDER}/{name}/governance"
    )


def _write(folder: Path, files: Sequence[Planned]) -> None:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")


def _read_aside(folder: Path, files: Sequence[Planned], read: Callable[[Path], Read]) -> Read:
    """Return `read` of the files in a temporary folder. Errors name the paths that the files will have."""
    with tempfile.TemporaryDirectory() as aside:
        trial = Path(aside) / folder.name
        _write(trial, files)
        try:
            return read(trial)
        except HallmarkError as error:
            raise type(error)(str(error).replace(str(trial), str(folder))) from None


def _load(trial: Path, root: Path) -> None:
    parameters_file.load(trial / "params.yaml")
    sources.load_suites(trial / "governance", sources.load(trial / "governance"))
    rules.load(trial / "governance", root / ".hallmark")


def _requester(judged: Governance, tier: str, owner: str) -> str:
    """Return the first person who may request a run that can pass its gates; raise Refused if there is none."""
    now, rules_of, why = datetime.now(UTC), judged.policy.tier(tier), "people.yaml has nobody else"
    for person in judged.people.people:
        if person.demo or person.id == owner or rules_of.may_not_request(person.id, person.roles_at(now)):
            continue
        hopeless = satisfiable.for_run(judged.policy, judged.people, tier, [person.id], [owner], False, now)
        if not hopeless:
            return person.id
        why = hopeless
    raise Refused(f"nobody could ask for a run of tier {tier} on data of {owner}: {why}; change --owner or people.yaml")


def _business(judged: Governance, tier: str, owner: str) -> str:
    """Return a person who decides on evaluations, and so owns the use case; the data owner if there is none."""
    gate = judged.policy.tier(tier).gates.get("evaluation")
    roles = {role.role for role in gate.decisions} if gate else set()
    able = [each.id for each in judged.people.people if not each.demo and roles & set(each.roles_at(datetime.now(UTC)))]
    return able[0] if able else owner
