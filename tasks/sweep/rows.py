"""The rows of a sweep: those that the last run trains on, with its validation rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from tasks.core.errors import InputError
from tasks.core.files import copy, sha256_file
from tasks.core.layout import Layout
from tasks.core.params import params as params_file
from tasks.core.params.params import Params
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.scratch import source

FILES = ("train.parquet", "validation.parquet")
"""Of the run's split. The test side is for the evaluation gate."""


@dataclass(frozen=True)
class Rows:
    split: Path
    demo: bool
    """Demo identities let the run's data pass."""
    made_with: Mapping[str, str]
    """Parameters by which the run made them, as `--set` takes them, where those of now are others."""

    @property
    def run(self) -> str:
        return self.split.parents[1].name

    def write(self, folder: Path) -> None:
        for name in FILES:
            copy(self.split / name, folder / name)

    def digests(self) -> list[str]:
        return [sha256_file(self.split / name) for name in FILES]


def choose(params: Params, layout: Layout, ledger: Ledger, governance: Governance) -> Rows:
    """Raises Unavailable, Refused as `source.py`, and InputError where the run has no validation rows."""
    run = source.newest(params, layout)
    statement = source.require_passed(run, ledger, governance)
    split = run.stage("split")
    validation = split / "validation.parquet"
    if not validation.is_file() or not pq.read_metadata(validation).num_rows:  # a run of an earlier version has none
        raise InputError(
            f"a sweep goes by the loss on the validation rows, and run {run.root.name} has none; set "
            "data.validation_share in params.yaml, and let a run with it pass its data gate"
        )
    theirs, own = (it.data.model_dump(mode="json") for it in (params_file.load(run.params), params))
    others = {f"data.{name}": json.dumps(value) for name, value in theirs.items() if own[name] != value}
    return Rows(split, statement.demo, others)
