"""Earlier runs of a checkout whose outputs an estimate or a recommendation can use.

Only outputs that match the signed stage records are used. Estimates for governed runs use governed runs only, because
the unreviewed code of an experiment can write arbitrary metrics and rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from tasks.core.errors import DOCUMENT_ERRORS, HallmarkError, InputError, Refused
from tasks.core.files import sha256_file
from tasks.core.layout import EXPERIMENT_TIER, Layout
from tasks.core.params import params as params_file
from tasks.core.params.params import Params
from tasks.gates import record_chain
from tasks.ledger.ledger import open_ledger
from tasks.policy import in_force
from tasks.runs import journal
from tasks.trust.stage_record import SignedRecord

MAX_RUNS = 20
MAX_JOURNALS = 500


@dataclass(frozen=True)
class EarlierRun:
    layout: Layout
    params: Params
    is_for_experiment: bool
    """Whether the outputs are used for an experiment. Only then are signed outputs of other experiments accepted."""

    @property
    def id(self) -> str:
        return self.layout.root.name

    def has_signed_files(self, stage: str, *paths: Path) -> bool:
        """Return whether all files exist with the digests in the signed record of a stage."""
        record = self._records.get(stage)
        if record is None or (record.record.environment.experiment and not self.is_for_experiment):
            return False
        signed = {path: record.outputs.get(path.relative_to(self.layout.root).as_posix()) for path in paths}
        return all(path.is_file() and sha256 == sha256_file(path) for path, sha256 in signed.items())

    def has_signed_folder(self, stage: str, folder: Path) -> bool:
        """Return whether a folder contains exactly the files in the signed record of a stage."""
        record, prefix = self._records.get(stage), f"{folder.relative_to(self.layout.root).as_posix()}/"
        signed = {self.layout.root / name for name in (record.outputs if record else ()) if name.startswith(prefix)}
        return signed == {path for path in folder.rglob("*") if not path.is_dir()} and self.has_signed_files(
            stage, *signed
        )

    @cached_property
    def _records(self) -> Mapping[str, SignedRecord]:
        state = self.layout.state
        try:
            ledger = open_ledger(state)
            governance = in_force.load_in_force(state.parent / "infra" / "governance", state, ledger)
            return record_chain.records_of_run(ledger, governance, self.id)
        except (InputError, Refused):  # no keys, or no governance in force: no signature counts
            return {}


def find_earlier_runs(layout: Layout, params: Params, governed_only: bool = False) -> Iterator[EarlierRun]:
    """Yield the newest runs whose outputs an estimate can use.

    Runs of incompatible versions are skipped.

    Args:
        layout: Layout of the checkout or of one of its worktrees.
        params: Parameters of the run to estimate. Experiments are only included if these are for an experiment.
        governed_only: Whether to exclude experiments in any case.
    """
    for_experiment = params.use_case.risk_tier == EXPERIMENT_TIER and not governed_only
    yield from islice(_readable_runs(layout.state, for_experiment), MAX_RUNS)


def _readable_runs(state: Path, for_experiment: bool) -> Iterator[EarlierRun]:
    for known in journal.read_newest_journals(state, MAX_JOURNALS):
        other = Layout(state / "runs" / known.run)
        try:
            if for_experiment or not other.is_experiment:
                yield EarlierRun(other, params_file.load_params(other.params_path), for_experiment)
        except (HallmarkError, OSError, *DOCUMENT_ERRORS):
            continue  # the run is of another version or was removed


def find_similar_runs(layout: Layout, params: Params, governed_only: bool = False) -> Iterator[EarlierRun]:
    """Yield the earlier runs with the same prompts and the same base model as the parameters of a new run."""
    for other in find_earlier_runs(layout, params, governed_only):
        if (other.params.base_model, other.params.prompts) == (params.base_model, params.prompts):
            yield other
