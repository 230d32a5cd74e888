"""All files of a new use case, with guesses and reasons. Before any file is written, all are checked as in a run."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
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
from tasks.scaffold.parameters import PlannedSplit
from tasks.scaffold.paths import EXAMPLES_FOLDER, require_unused_name
from tasks.scaffold.personal_values import find_personal_columns
from tasks.scaffold.sample_statistics import SampledFile
from tasks.sources import expectation_suites, sources
from tasks.sources.column_mapping import ColumnMapping, SourceConstants
from tasks.stages.data.readers.kinds import reader_of

ResultT = TypeVar("ResultT")
CHECKED_VALUES = 20
"""Number of values of a column that are searched for names if the column's own name looks like that of a person."""
DATASET_SUITE = "dataset"
"""Name of the suite for all records together. A source cannot have this name, because both suites would be in the same
file."""


class PlannedFile(NamedTuple):
    path: str
    text: str
    guesses: list[tuple[str, str]]


@dataclass(frozen=True)
class Plan:
    folder: Path
    tier: str
    files: list[PlannedFile]
    requester: str
    environment: str
    warnings: list[str]


def profile_columns(data_file: DataFile) -> list[ColumnProfile]:
    """Return the profiles of all columns.

    Raises:
        InputError: The first line looks like a row of data, not like a header.
        Unavailable: The language model is not installed.
    """
    values = {name: _first_texts(data_file, name) for name in data_file.names}
    if reader_of(data_file.source.kind).has_header and (personal := find_personal_columns(values)):
        raise InputError(
            f"{data_file.source.location}: its first line looks like a row of data (column {personal[0]} has what "
            "looks like a name or a number of a person); write a line with the names of the columns above it"
        )
    made = [columns.profile_column(name, data_file.sample) for name in data_file.names]
    if reader_of(data_file.source.kind).has_header and (
        data_like := [each for each in made if each.name in each.value_counts and each.has_labels]
    ):
        raise InputError(
            f"{data_file.source.location}: its first line looks like a row of data ({data_like[0].name!r} "
            "stands further down in the same column too); write a line with the names of the columns above it"
        )
    return made


def _first_texts(data_file: DataFile, name: str) -> list[str]:
    values = (row.values.get(name) for row in data_file.sample)
    return list(islice((value for value in values if isinstance(value, str) and value), CHECKED_VALUES))


@dataclass(frozen=True)
class PlanInput:
    name: str
    tier: str
    answers: Answers
    guessed_mapping: GuessedMapping
    train: SampledFile
    test: SampledFile | None

    @property
    def files(self) -> dict[str, SampledFile]:
        """Return the data files by the id of their source."""
        return {self.name: self.train} | ({f"{self.name}-test": self.test} if self.test else {})

    @property
    def split(self) -> PlannedSplit:
        return parameters.plan_split(self.train.sample, self.test.sample if self.test else None)


def make_plan(
    root: Path, name: str, tier: str, answers: Answers, guessed_mapping: GuessedMapping, train: DataFile,
    test: DataFile | None = None,
) -> Plan:  # fmt: skip
    """Create the contents of all files, and check them.

    Args:
        root: Root of the checkout.
        name: Name of the use case.
        tier: Risk tier of the use case.
        answers: The user's answers.
        guessed_mapping: Mapping of the columns of both files.
        train: File to train on.
        test: File that is the test set; None if records of the other file are held out.

    Raises:
        InputError: An answer or a name is not valid in one of the files, or the test file lacks a column.
        Refused: No person in people.yaml could request a run that can pass its gates.
    """
    sampled = [_sample_file(each, name, guessed_mapping) for each in (train, test) if each]
    known = PlanInput(name, tier, answers, guessed_mapping, sampled[0], sampled[1] if test else None)
    folder = root / EXAMPLES_FOLDER / name
    rules_files = _policy_and_people_files(known, root / "infra" / "governance")
    judged = _with_temporary_files(
        folder, rules_files, lambda trial: rules.load_governance(trial / "governance", root / ".hallmark")
    )
    requester = _find_requester(judged, tier, answers.owner)
    files = [_params_file(known, judged, requester, root), _sources_file(known), *_suite_files(known), *rules_files]
    _with_temporary_files(folder, files, lambda trial: _check_files(trial, root))
    warnings = explanations.list_warnings(guessed_mapping, known.train, answers.personal)
    if known.test:
        warnings += explanations.list_test_warnings(known.train.sample, known.test)
    return Plan(folder, tier, files, requester, judged.policy.environment, warnings)


def _sample_file(file: DataFile, name: str, guessed_mapping: GuessedMapping) -> SampledFile:
    mapping = ColumnMapping.model_validate(guessed_mapping.columns_by_key)
    if missing := sorted(mapping.mapped_columns() - set(file.names)):
        raise InputError(
            f"{file.source.location}: there is no column {', '.join(map(repr, missing))}; the test file needs the "
            f"columns of the file to train on, and has {', '.join(map(repr, filter(None, file.names)))}"
        )
    said = {"mapping": mapping, "constants": SourceConstants(task=name)}
    return SampledFile(file, sample_statistics.compute_statistics(file, file.source.model_copy(update=said)))


def _policy_and_people_files(known: PlanInput, folder: Path) -> list[PlannedFile]:
    sizes = (known.split.train_records, known.split.test_records)
    classes = parameters.target_form(known.train.sample) not in ("text", "none")
    policy, changed = governance_files.adapt_policy(folder, known.tier, sizes, classes)
    people, added = governance_files.add_owner(folder, known.answers.owner)
    copied = [("as in the checkout", "but for what follows")] * bool(changed)
    new = [(f"{known.answers.owner} added, role data_owner", "they were nobody in people.yaml")] * added
    return [
        PlannedFile("governance/policy.yaml", policy, copied + changed),
        PlannedFile("governance/people.yaml", people, new),
    ]


def _params_file(known: PlanInput, governance: Governance, requester: str, root: Path) -> PlannedFile:
    base, business = (
        config.read_plain_yaml(root / "params.yaml"),
        _find_business_owner(governance, known.tier, known.answers.owner),
    )
    longest = known.train.sample.with_lengths_of((known.test or known.train).sample)
    made, remarks = parameters.make_params(
        known.name, known.answers, longest, known.split, known.tier, requester, business, base
    )
    text = commented_yaml.dump_with_comments(made, _params_heading(known.name, requester), remarks)
    return PlannedFile("params.yaml", text, explanations.explain_params(known.train.sample, known.split))


def _sources_file(known: PlanInput) -> PlannedFile:
    made, remarks = governance_files.make_sources(known.name, known.files, known.guessed_mapping, known.answers)
    guessed = explanations.explain_source(known.guessed_mapping, known.train)
    if known.test:
        guessed.append((explanations.describe_format(known.test.file), "read off the test file"))
    return PlannedFile(
        "governance/sources.yaml", commented_yaml.dump_with_comments(made, _SOURCES_HEADING, remarks), guessed
    )


def _suite_files(known: PlanInput) -> list[PlannedFile]:
    mapping = known.guessed_mapping.columns_by_key
    made = [(suites.source_suite(name, each.sample, mapping), _SUITE_HEADING) for name, each in known.files.items()]
    made.append(
        (suites.dataset_suite(DATASET_SUITE, [each.sample for each in known.files.values()]), _DATASET_SUITE_HEADING)
    )
    return [
        PlannedFile(
            f"governance/expectations/{suite['name']}.yaml",
            commented_yaml.dump_with_comments(suite, heading),
            explanations.explain_suite(suite),
        )
        for suite, heading in made
    ]


def write_plan(plan: Plan) -> None:
    """Write all files, or none.

    Raises:
        InputError: The folder exists, its name is taken, or it cannot be written.
        Unavailable: The disk is full.
    """
    require_unused_name(plan.folder)
    try:
        with atomic_folder(plan.folder) as folder:
            _write(folder, plan.files)
    except OSError as error:
        kind = Unavailable if is_disk_full(error) else InputError
        raise kind(f"{plan.folder}: cannot be written ({error.strerror or error}); nothing was written") from None


_SOURCES_HEADING = (
    "Where the data lies, what its columns mean and who answers for it. Its owner signs this at the data gate."
)
_SUITE_HEADING = (
    "What the data owner expects of the file. Drawn from one file, so that its owner has something to correct."
)
_DATASET_SUITE_HEADING = "What the data owner expects of all records together."


def _params_heading(name: str, requester: str) -> str:
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


def _with_temporary_files(folder: Path, files: Sequence[PlannedFile], action: Callable[[Path], ResultT]) -> ResultT:
    """Write files to a temporary folder, and return the result of `action` for it.

    Errors name the files' final paths.
    """
    with tempfile.TemporaryDirectory() as temporary:
        trial = Path(temporary) / folder.name
        _write(trial, files)
        try:
            return action(trial)
        except HallmarkError as error:
            raise type(error)(str(error).replace(str(trial), str(folder))) from None


def _check_files(folder: Path, root: Path) -> None:
    parameters_file.load_params(folder / "params.yaml")
    expectation_suites.load_suites(folder / "governance", sources.load_sources(folder / "governance"))
    rules.load_governance(folder / "governance", root / ".hallmark")


def _find_requester(governance: Governance, tier: str, owner: str) -> str:
    """Return the first person who can request a run that can pass its gates; raise Refused if there is none."""
    now, rules_of, why = datetime.now(UTC), governance.policy.tier(tier), "people.yaml has nobody else"
    for person in governance.people.people:
        if person.demo or person.id == owner or rules_of.request_refusal(person.id, person.roles_at(now)):
            continue
        problem = staffing.run_staffing_problem(
            governance.policy, governance.people, tier, [person.id], [owner], False, now
        )
        if not problem:
            return person.id
        why = problem
    raise Refused(f"nobody could ask for a run of tier {tier} on data of {owner}: {why}; change --owner or people.yaml")


def _find_business_owner(governance: Governance, tier: str, owner: str) -> str:
    """Return the business owner: a person who can decide at the evaluation gate, or else the data owner."""
    gate = governance.policy.tier(tier).gates.get("evaluation")
    roles = {role.role for role in gate.decisions} if gate else set()
    able = [
        each.id for each in governance.people.people if not each.demo and roles & set(each.roles_at(datetime.now(UTC)))
    ]
    return able[0] if able else owner
