"""Rows that base models are compared on, all from the training partition of a run whose data gate has passed.

The test partition is reserved for the evaluation gate: if a base model were chosen on it, its metrics there would be
too good.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.core.errors import InputError
from tasks.core.files import sha256_bytes, sha256_file
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.records.record import VALIDATION, read_batches, read_rows, read_table, write_table
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.scratch import source_run
from tasks.sources.sources import load_resolved
from tasks.stages.data.conversations import targets
from tasks.stages.data.split import record_columns
from tasks.stages.data.split.draw import draw
from tasks.stages.data.split.record_columns import Positions

Mask = npt.NDArray[np.bool_]
DEFAULT_ASKED, DEFAULT_TRAINED_ON = 100, 200
"""Default numbers of rows to answer and to train on. By default, at most a third of all rows are used for answering."""


@dataclass(frozen=True)
class RowCounts:
    """Requested numbers of rows; None for the defaults."""

    asked: int | None = None
    trained_on: int | None = None


@dataclass(frozen=True)
class ChosenRows:
    """Rows of a run's training partition, by position in its table. No prompt is both answered and trained on."""

    run: str
    demo: bool
    """Whether a demo identity approved the run's data."""
    table: Path
    asked: Positions
    trained_on: Positions
    regions: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write the files of the stage `split`, with the rows to answer as the test partition.

        There are no validation rows, because the fine-tune is too short to choose between checkpoints.
        """
        for name, places in (("train", self.trained_on), ("test", self.asked)):
            write_table(read_rows(self.table, places), folder / f"{name}.parquet")
        write_table(VALIDATION.empty_table(), folder / "validation.parquet")

    @property
    def sha256(self) -> str:
        places = [self.asked.tolist(), self.trained_on.tolist()]
        return sha256_bytes(canonical_json([sha256_file(self.table), *places]))


def choose_rows(
    params: Params, layout: Layout, ledger: Ledger, governance: Governance, wanted: RowCounts
) -> ChosenRows:
    """Choose rows from the newest run of the use case that has rows. The choice is deterministic.

    Raises:
        Unavailable: There is no such run.
        Refused: The run's data gate has not passed, or an owner has withdrawn a source.
        InputError: There are fewer rows than requested.
    """
    run = source_run.newest_run(params, layout)
    statement = source_run.require_passed(run, ledger, governance)
    table = run.artefacts("split") / "train.parquet"
    clusters = read_table(run.artefacts("deduplicate") / "clusters.parquet")
    records = record_columns.read(table, clusters, params.data.seed)
    asked, rest = _held_out(records, have_targets(table)[records.table_position], wanted.asked)
    trained_on = draw(records, rest, DEFAULT_TRAINED_ON if wanted.trained_on is None else wanted.trained_on)
    if wanted.trained_on is not None and len(trained_on) < wanted.trained_on:
        raise InputError(
            f"--train-rows {wanted.trained_on}: {len(trained_on)} rows of run {run.root.name} are left beside the "
            f"{len(asked)} that are asked; give a lower number"
        )
    return ChosenRows(
        run=run.root.name,
        demo=statement.demo,
        table=table,
        asked=records.table_position[asked],
        trained_on=records.table_position[trained_on],
        regions=tuple(sorted({item.source.region for item in load_resolved(run.sources).sources})),
    )


def have_targets(table: Path) -> Mask:
    """Return a mask of the rows of a table that have a target. Plain texts have none."""
    parts = (targets(batch.column("messages")).to_pylist() for batch in read_batches(table, ["messages"]))
    return np.array([bool(target) for part in parts for target in part], bool)


def _held_out(records: record_columns.SplitRecords, able: Mask, wanted: int | None) -> tuple[Positions, Positions]:
    """Draw the rows to answer, and return them with all rows that share no prompt with them.

    Raises:
        InputError: One of the two parts would be empty, or smaller than requested.
    """
    every = np.arange(len(records))
    asked = draw(records, every[able], min(DEFAULT_ASKED, max(1, len(every) // 3)) if wanted is None else wanted)
    rest = every[~np.isin(records.group_number, records.group_number[asked])]
    if not len(asked) or not len(rest) or (wanted is not None and len(asked) < wanted):
        raise InputError(
            f"--rows: {len(asked)} rows asked of the {len(every)} of the training partition leave {len(rest)} with "
            "other prompts to train on; give a lower number"
        )
    return asked, rest
