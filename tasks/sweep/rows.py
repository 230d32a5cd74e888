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
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.scratch import source_run

SPLIT_FILES = ("train.parquet", "validation.parquet")
"""Files with the training and validation rows of a run. The test partition is reserved for the evaluation gate."""


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
        for name in SPLIT_FILES:
            copy_file(self.split_folder / name, folder / name)

    def digests(self) -> list[str]:
        return [sha256_file(self.split_folder / name) for name in SPLIT_FILES]


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
    validation = split / "validation.parquet"
    if not validation.is_file() or not pq.read_metadata(validation).num_rows:  # runs of an earlier version have no file
        raise InputError(
            f"a sweep goes by the loss on the validation rows, and run {run.root.name} has none; set "
            "data.validation_share in params.yaml, and let a run with it pass its data gate"
        )
    theirs, own = (it.data.model_dump(mode="json") for it in (params_file.load_params(run.params_path), params))
    others = {f"data.{name}": json.dumps(value) for name, value in theirs.items() if own[name] != value}
    return SweepRows(split, statement.demo, others)
