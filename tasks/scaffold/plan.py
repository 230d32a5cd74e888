"""All files of a new use case, with guesses and reasons. They are checked as in a run before any file is written."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from tasks.core.documents import config
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable, is_disk_full
from tasks.core.files import atomic_folder
from tasks.core.params import params as parameters_file
from tasks.policy import governance as rules
from tasks.policy import staffing
from tasks.policy.governance import Governance
from tasks.scaffold import (
    columns,
    commented_yaml,
    explanations,
    governance_files,
    parameters,
    sample_statistics,
    suites,
)
from tasks.scaffold.answers import Answers
from tasks.scaffold.columns import ColumnProfile
from tasks.scaffold.data_file import DataFile
from tasks.scaffold.mapping import GuessedMapping
from tasks.scaffold.paths import EXAMPLES_FOLDER, require_free
from tasks.scaffold.sample_statistics import SampleStatistics
from tasks.sources import sources
from tasks.sources.sources import ColumnMapping, Constants
from tasks.stages.data.readers.kinds import reader_of

Read = TypeVar("Read")
DATASET_SUITE = "dataset"
"""Name of the suite for all records together. A source of this name would have its suite in the same file."""


class PlannedFile(NamedTuple):
    path: str
    text: str
    guesses: list[tuple[str, str]]


@dataclass(frozen=True)
class Plan:
    folder: Path
    files: list[PlannedFile]
    requester: str
    environment: str
    warnings: list[str]


def profile_columns(opened: DataFile) -> list[ColumnProfile]:
    """Return profiles of all columns.

    Raises:
        InputError: The first line looks like a row of data.
    """
    made = [columns.profile_column(name, opened.sample) for name in opened.names]
    if reader_of(opened.source.kind).has_header and (
        data_like := [each for each in made if each.name in each.values and each.has_labels]
    ):
        raise InputError(
            f"{opened.source.location}: its first line looks like a row of data ({data_like[0].name!r} stands further "
            "down in the same column too); write a line with the names of the columns above it"
        )
    return made


@dataclass(frozen=True)
class PlanInput:
    name: str
    tier: str
    answers: Answers
    opened: DataFile
    mapped: GuessedMapping
    sample: SampleStatistics

    @property
    def rows(self) -> int:
        """Number of rows that can be read."""
        return self.opened.rows - self.opened.malformed


def make_plan(root: Path, name: str, tier: str, answers: Answers, opened: DataFile, mapped: GuessedMapping) -> Plan:
    """Create the contents of all files, and check them.

    Raises:
        InputError: An answer or a name is not valid in a file.
        Refused: Nobody could request a run that can pass its gates.
    """
    said = {"mapping": ColumnMapping.model_validate(mapped.keys), "constants": Constants(task=name)}
    sample = sample_statistics.compute_statistics(opened.sample, opened.source.model_copy(update=said))
    known, folder = PlanInput(name, tier, answers, opened, mapped, sample), root / EXAMPLES_FOLDER / name
    rules_files = _policy_and_people(known, root / "infra" / "governance")
    judged = _read_temporarily(folder, rules_files, lambda trial: rules.load(trial / "governance", root / ".hallmark"))
    requester = _requester(judged, tier, answers.owner)
    files = [_params(known, judged, requester, root), _sources(known), *_suites(known), *rules_files]
    _read_temporarily(folder, files, lambda trial: _load(trial, root))
    return Plan(
        folder,
        files,
        requester,
        judged.policy.environment,
        explanations.list_warnings(opened, mapped, sample, answers.personal),
    )


def _policy_and_people(known: PlanInput, folder: Path) -> list[PlannedFile]:
    _, *sides = parameters.split_sizes(known.rows, known.sample)
    classes = parameters.target_form(known.sample) != "text"
    policy, changed = governance_files.adapt_policy(folder, known.tier, (sides[0], sides[1]), classes)
    people, added = governance_files.add_owner(folder, known.answers.owner)
    copied = [("as in the checkout", "but for what follows")] * bool(changed)
    new = [(f"{known.answers.owner} added, role data_owner", "they were nobody in people.yaml")] * added
    return [
        PlannedFile("governance/policy.yaml", policy, copied + changed),
        PlannedFile("governance/people.yaml", people, new),
    ]


def _params(known: PlanInput, judged: Governance, requester: str, root: Path) -> PlannedFile:
    share, *sides = parameters.split_sizes(known.rows, known.sample)
    base, business = (
        config.read_plain(root / "params.yaml"),
        _business_owner(judged, known.tier, known.answers.owner),
    )
    made, remarks = parameters.make_params(
        known.name, known.answers, known.sample, known.rows, known.tier, requester, business, base
    )
    text = commented_yaml.dump(made, _heading(known.name, requester), remarks)
    return PlannedFile("params.yaml", text, explanations.explain_params(known.sample, share, sides))


def _sources(known: PlanInput) -> PlannedFile:
    made, remarks = governance_files.make_sources(known.name, known.opened, known.mapped, known.answers, known.sample)
    guessed = explanations.explain_source(known.opened, known.mapped, known.sample)
    return PlannedFile("governance/sources.yaml", commented_yaml.dump(made, _SOURCES, remarks), guessed)


def _suites(known: PlanInput) -> list[PlannedFile]:
    own = suites.source_suite(known.name, known.sample, known.rows, known.mapped.keys)
    whole = suites.dataset_suite(DATASET_SUITE, known.sample)
    return [
        PlannedFile(
            f"governance/expectations/{known.name}.yaml",
            commented_yaml.dump(own, _SUITE),
            explanations.explain_suite(own),
        ),
        PlannedFile(
            f"governance/expectations/{DATASET_SUITE}.yaml",
            commented_yaml.dump(whole, _DATASET),
            explanations.explain_suite(whole),
        ),
    ]


def write_plan(plan: Plan) -> None:
    """Write all files, or none.

    Raises:
        InputError: The folder exists or its name is taken, or the folder cannot be written.
        Unavailable: The disk is full.
    """
    require_free(plan.folder)
    try:
        with atomic_folder(plan.folder) as folder:
            _write(folder, plan.files)
    except OSError as error:
        kind = Unavailable if is_disk_full(error) else InputError
        raise kind(f"{plan.folder}: cannot be written ({error.strerror or error}); nothing was written") from None


_SOURCES = "Where the data lies, what its columns mean and who answers for it. Its owner signs this at the data gate."
_SUITE = "What the data owner expects of the file. Drawn from one file, so that its owner has something to correct."
_DATASET = "What the data owner expects of all records together."


def _heading(name: str, requester: str) -> str:
    return (
        f"Parameters of {name}, written by `hallmark new`. `hallmark params schema` says what each key means.\n"
        f"  hallmark run --as {requester} --params {EXAMPLES_FOLDER}/{name}/params.yaml --governance "
        f"{EXAMPLES_FOLDER}/{name}/governance"
    )


def _write(folder: Path, files: Sequence[PlannedFile]) -> None:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")


def _read_temporarily(folder: Path, files: Sequence[PlannedFile], read: Callable[[Path], Read]) -> Read:
    """Write files to a temporary folder and return the result of `read`. Errors name the final paths of the files."""
    with tempfile.TemporaryDirectory() as temporary:
        trial = Path(temporary) / folder.name
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
    """Return the first person who can request a run that can pass its gates; raise Refused if there is none."""
    now, rules_of, why = datetime.now(UTC), judged.policy.tier(tier), "people.yaml has nobody else"
    for person in judged.people.people:
        if person.demo or person.id == owner or rules_of.request_refusal(person.id, person.roles_at(now)):
            continue
        problem = staffing.run_problem(judged.policy, judged.people, tier, [person.id], [owner], False, now)
        if not problem:
            return person.id
        why = problem
    raise Refused(f"nobody could ask for a run of tier {tier} on data of {owner}: {why}; change --owner or people.yaml")


def _business_owner(judged: Governance, tier: str, owner: str) -> str:
    """Return a person who decides at the evaluation gate, as owner of the use case; the data owner if there is none."""
    gate = judged.policy.tier(tier).gates.get("evaluation")
    roles = {role.role for role in gate.decisions} if gate else set()
    able = [each.id for each in judged.people.people if not each.demo and roles & set(each.roles_at(datetime.now(UTC)))]
    return able[0] if able else owner
