"""Rows of a sweep: the training and validation rows of the newest run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from tasks.core.errors import InputError
from tasks.core.files import copy_file, sha256_file
from tasks.core.layout import Layout
from tasks.core.params import params as params_file
from tasks.core.params.params import Params
from tasks.core.records.set_aside import CALIBRATION_FILE, VALIDATION_FILE
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.scratch import source_run

SPLIT_FILES = ("train.parquet", VALIDATION_FILE, CALIBRATION_FILE)
"""Files with the training and validation rows of a run, and the list of its calibration rows, which are not trained on.
The test partition is reserved for the evaluation gate."""


@dataclass(frozen=True)
class SweepRows:
    split_folder: Path
    is_demo: bool
    made_with: Mapping[str, str]
    """Data parameters of the run that differ from the current parameters, named as for option `--set`."""

    @property
    def run(self) -> str:
        return self.split_folder.parents[1].name

    def write(self, folder: Path) -> None:
        for path in self._files():
            copy_file(path, folder / path.name)

    def digests(self) -> list[str]:
        return [sha256_file(path) for path in self._files()]

    def _files(self) -> list[Path]:
        """Return the files that exist; runs of an earlier version have no list of calibration rows."""
        return [path for name in SPLIT_FILES if (path := self.split_folder / name).exists()]


def choose_rows(params: Params, layout: Layout, ledger: Ledger, governance: Governance) -> SweepRows:
    """Choose the rows of the newest run of the use case.

    Raises:
        Unavailable: The use case has no run with rows.
        Refused: The run's data gate has not passed, or an owner has withdrawn a source.
        InputError: The run has no validation rows, or its rows do not match the prompts.
    """
    run = source_run.newest_run_with_rows(params, layout)
    statement = source_run.require_passed_data_gate(run, ledger, governance)
    split = run.artefacts("split")
    validation = split / VALIDATION_FILE
    if not validation.is_file() or not pq.read_metadata(validation).num_rows:  # runs of an earlier version have no file
        raise InputError(
            f"a sweep goes by the loss on the validation rows, and run {run.root.name} has none; set "
            "data.validation_share in params.yaml, and let a run with it pass its data gate"
        )
    theirs, own = (it.data.model_dump(mode="json") for it in (params_file.load_params(run.params_path), params))
    others = {f"data.{name}": json.dumps(value) for name, value in theirs.items() if own.get(name) != value}
    return SweepRows(split, statement.demo, others)
