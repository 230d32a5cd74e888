"""Differences between two runs, released or not, read from their worktrees on this machine.

The files are read without verification: the comparison is for people who work on a model, and no gate uses it.
`tasks.registry.history.comparison` compares two releases from signed documents.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from tasks.core import facts, files
from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Facts
from tasks.core.layout import Layout
from tasks.gates import evidence
from tasks.gates.checks import dataset_diff
from tasks.gates.checks.dataset_diff import DatasetChange, ValueChange
from tasks.inquiry import shared_records
from tasks.inquiry.shared_records import DatasetDiff
from tasks.registry.history import comparison
from tasks.registry.history.comparison import MetricChange
from tasks.registry.history.release_contents import flatten_settings
from tasks.runs import journal
from tasks.runs.git.repository import Repository
from tasks.runs.journal import Journal
from tasks.runs.reporting import paired_comparison, suite_comparison
from tasks.runs.reporting.paired_comparison import PairedComparison
from tasks.runs.reporting.suite_comparison import ComparedSuite
from tasks.runs.run import is_on_this_machine, run_layout, run_ref
from tasks.sources.dataset import Dataset, SettingValue

CODE_PATHS = ["tasks", "dvc.yaml", "constraints.txt"]
"""Paths of the code that, together with parameters and inputs, determines the bytes of a release."""
SEPARATELY_COMPARED_FILES = ("params.yaml", "inputs/request.json")
"""Files whose digests are not compared. Parameters are compared by value instead, and requests always differ."""
METRIC_PREFIXES = {"train": "train", "evaluate": "evaluate", "suites": "suites"}
"""Prefix of a stage's metric names, by the stage's folder."""


class ComparedRun(FrozenModel):
    run: str
    use_case: str
    status: str
    evaluated: bool


class RunDifference(FrozenModel):
    before: ComparedRun
    now: ComparedRun
    lacks: list[str]
    """Parts that could not be compared, each with the reason."""
    outcome: dict[str, ValueChange]
    """Changes in status, release, requester and gate states, by name of the field or gate."""
    parameters: dict[str, ValueChange]
    """Differences in parameters, by dotted key of params.yaml."""
    data: DatasetChange | None
    """Changes in the dataset; null if one of the runs has no dataset."""
    digests: dict[str, ValueChange]
    """Differences in the SHA-256 digests of sources, training records and test records, by name."""
    records: DatasetDiff | None
    made_with: dict[str, ValueChange]
    """Differences in the digests of code, inputs and library versions, by name."""
    code: list[str] | None
    """Code files that differ between the two commits, as listed by `git diff --name-status`; null if a commit is not on
    this machine."""
    figures: dict[str, MetricChange]
    """Metrics of both candidates with their intervals, by name."""
    same_test: bool
    """Whether both runs have a dataset and their test records are identical."""
    paired: PairedComparison | None
    """Paired comparison on the rows that both candidates answered; null if there are no such rows or a run has no
    evaluation."""
    suites: list[ComparedSuite]
    """Paired comparison on the cases of suites that both candidates were asked; empty if a run has no evaluation."""


def compare_runs(root: Path, before: str, now: str) -> tuple[RunDifference, Dataset | None]:
    """Compare two runs, and return the differences and the dataset of the second run.

    Raises:
        InputError: A run is not on this machine, or its files cannot be read.
    """
    first, second = _RunFiles(root, before), _RunFiles(root, now)
    code, why = find_changed_code(root, run_ref(before), run_ref(now))
    lacks = [*first.missing_parts(), *second.missing_parts(), *([f"files of code: {why}"] if why else [])]
    same = bool(first.dataset and second.dataset and first.dataset.digests["test"] == second.dataset.digests["test"])
    try:
        test, why = _paired(first, second, same)
        suites = _suites(first, second)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the evaluations of {before} and {now} cannot be read ({type(error).__name__})") from None
    return RunDifference(
        before=first.as_compared_run,
        now=second.as_compared_run,
        lacks=lacks + [f"paired test: {why}"] * bool(why),
        outcome=dataset_diff.changed_values(first.outcome, second.outcome),
        parameters=dataset_diff.changed_values(first.parameters, second.parameters),
        data=_data(first, second),
        digests=dataset_diff.changed_values(first.digests, second.digests),
        records=_records(first, second),
        made_with=dataset_diff.changed_values(first.made_with, second.made_with),
        code=code,
        figures=comparison.metric_changes(first.figures, second.figures),
        same_test=same,
        paired=test,
        suites=suites,
    ), second.dataset


def find_changed_code(root: Path, before: str, now: str) -> tuple[list[str] | None, str]:
    """Return the code files that differ between two commits; None and a reason if a commit is not in this clone."""
    try:
        return Repository.open(root).changed_files(before, now, CODE_PATHS), ""
    except InputError as error:
        return None, f"{error}; fetch refs/hallmark/runs/RUN to see which files"


class _RunFiles:
    def __init__(self, root: Path, run: str) -> None:
        state = root / ".hallmark"
        known, self.layout = journal.read_journal(state, run), run_layout(root, run)
        if known is None:
            raise InputError(f"there is no run {run!r} here; `hallmark runs list` lists those there are")
        if not is_on_this_machine(self.layout):
            raise InputError(f"run {run} has no worktree here, so there is nothing to compare: it was never resolved")
        self.journal: Journal = journal.with_current_status(state, known)
        try:
            self._read()
        except (OSError, ValueError, ValidationError, AttributeError, TypeError, KeyError) as error:
            raise InputError(f"what run {run} left cannot be read ({type(error).__name__}: {error})") from None

    def _read(self) -> None:
        self.dataset = evidence.read_dataset(self.layout)
        self.parameters = dict(flatten_settings(config.read_plain_yaml(self.layout.params_path)))
        self.made_with = {
            name: of
            for name, of in evidence.input_digests(self.layout).items()
            if name not in SEPARATELY_COMPARED_FILES
        }
        self.figures = _figures(self.layout)
        self.evaluated = (self.layout.artefacts("evaluate") / "result.json").is_file()

    @property
    def as_compared_run(self) -> ComparedRun:
        known = self.journal
        return ComparedRun(run=known.run, use_case=known.use_case, status=known.status, evaluated=self.evaluated)

    @property
    def outcome(self) -> dict[str, SettingValue]:
        known = self.journal
        said: dict[str, SettingValue] = {
            "use case": known.use_case,
            "status": known.status,
            "release": known.release,
            "asked by": known.requested_by,
            "demo": known.demo,
        }
        return said | {f"{name} gate": gate.state for name, gate in known.gates.items()}

    @property
    def digests(self) -> dict[str, SettingValue]:
        if self.dataset is None:
            return {}
        sides: dict[str, SettingValue] = {f"{side} rows": sha256 for side, sha256 in self.dataset.digests.items()}
        return sides | {f"source {name}": origin.sha256 for name, origin in self.dataset.sources.items()}

    def missing_parts(self) -> Iterator[str]:
        if self.dataset is None:
            yield (
                f"run {self.journal.run} has no dataset ({self.journal.status}): "
                "it has not been through the stage split"
            )
        if not self.evaluated:
            yield (
                f"run {self.journal.run} has no evaluation ({self.journal.status}): it has not been through that stage"
            )


def _figures(layout: Layout) -> Facts:
    stated = {f"{name}.{fact}": value for stage, name in METRIC_PREFIXES.items()
              for fact, value in facts.read_facts(layout.artefacts(stage) / "result.json").items()}  # fmt: skip
    measured = facts.read_facts(layout.measurements("predict") / "candidate" / "facts.json")
    return stated | {f"measured.predict.{name}": fact for name, fact in measured.items()}


def _data(before: _RunFiles, now: _RunFiles) -> DatasetChange | None:
    if before.dataset is None or now.dataset is None:
        return None
    return dataset_diff.compare_datasets(before.dataset, now.dataset, before.journal.run, _split(before.layout))


def _records(before: _RunFiles, now: _RunFiles) -> DatasetDiff | None:
    if before.dataset is None or now.dataset is None:
        return None
    if before.dataset.digests == now.dataset.digests:
        return shared_records.IDENTICAL_DATASETS
    return shared_records.compare_runs(before.layout, now.layout)


def _paired(before: _RunFiles, now: _RunFiles, same_test: bool) -> tuple[PairedComparison | None, str]:
    if not (before.evaluated and now.evaluated):
        return None, ""
    return paired_comparison.compare_evaluations(before.layout, now.layout, same_test)


def _suites(before: _RunFiles, now: _RunFiles) -> list[ComparedSuite]:
    if not (before.evaluated and now.evaluated):
        return []
    first, second = (paired_comparison.read_judging_rules(each.layout) for each in (before, now))
    return suite_comparison.compare_suites(before.layout, now.layout) if first == second else []


def _split(layout: Layout) -> str:
    return files.tree_digest(layout.artefacts("split"))
