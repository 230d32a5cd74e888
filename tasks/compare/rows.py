"""Choice of the rows on which base models are compared, from the training partition of a run.

The run's data gate must have passed. The test partition is reserved for the evaluation gate: if a base model were
chosen by its metrics on that partition, these metrics would be too optimistic.
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
from tasks.core.records import set_aside
from tasks.core.records.record import VALIDATION_SCHEMA, read_batches, read_rows_at, read_table, write_table
from tasks.core.records.set_aside import CALIBRATION_FILE, VALIDATION_FILE
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.scratch import source_run
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data.conversations import targets
from tasks.stages.data.split import record_columns
from tasks.stages.data.split.draw import draw_stratified
from tasks.stages.data.split.record_columns import Positions

Mask = npt.NDArray[np.bool_]
DEFAULT_ROWS_TO_ANSWER, DEFAULT_TRAINING_ROWS = 100, 200
"""Default numbers of rows to answer and to train on. By default, at most a third of all rows are answered."""


@dataclass(frozen=True)
class RowCounts:
    """Requested numbers of rows; None for the defaults."""

    to_answer: int | None = None
    to_train_on: int | None = None


@dataclass(frozen=True)
class ChosenRows:
    """Rows chosen from a run's training partition, as positions in its table.

    No row that the models answer has the same prompt as a row that they are trained on.
    """

    run_id: str
    is_demo: bool
    """Whether a demo identity approved the run's data."""
    table_path: Path
    positions_to_answer: Positions
    positions_to_train_on: Positions
    regions: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write the files of the stage `split`, with the rows to answer as the test partition.

        There are no validation rows, because the fine-tune is too short to choose between checkpoints.
        """
        for name, places in (("train", self.positions_to_train_on), ("test", self.positions_to_answer)):
            write_table(read_rows_at(self.table_path, places), folder / f"{name}.parquet")
        write_table(VALIDATION_SCHEMA.empty_table(), folder / VALIDATION_FILE)

    @property
    def sha256(self) -> str:
        places = [self.positions_to_answer.tolist(), self.positions_to_train_on.tolist()]
        return sha256_bytes(canonical_json([sha256_file(self.table_path), *places]))


def choose_rows(
    params: Params, layout: Layout, ledger: Ledger, governance: Governance, requested: RowCounts
) -> ChosenRows:
    """Choose rows from the newest run of the use case that has completed stage `split`. The choice is deterministic.

    Raises:
        Unavailable: No run of the use case has completed stage `split`.
        Refused: The run has not passed its data gate, or an owner has withdrawn a source.
        InputError: There are fewer rows than requested.
    """
    run = source_run.newest_run_with_rows(params, layout)
    statement = source_run.require_passed_data_gate(run, ledger, governance)
    table = run.artefacts("split") / "train.parquet"
    clusters = read_table(run.artefacts("deduplicate") / "clusters.parquet")
    records = record_columns.read_split_records(table, clusters, params.data.seed)
    # The calibration rows must have no influence on the model, so its base is not chosen by them either.
    free = ~np.isin(records.table_position, set_aside.read_indices(table.parent, CALIBRATION_FILE))
    has_target = target_mask(table)[records.table_position]
    asked, rest = _draw_rows_to_answer(records, has_target, requested.to_answer, free)
    trained_on = draw_stratified(
        records, rest, DEFAULT_TRAINING_ROWS if requested.to_train_on is None else requested.to_train_on
    )
    if requested.to_train_on is not None and len(trained_on) < requested.to_train_on:
        raise InputError(
            f"--train-rows {requested.to_train_on}: {len(trained_on)} rows of run {run.root.name} are left beside the "
            f"{len(asked)} that are asked; give a lower number"
        )
    return ChosenRows(
        run_id=run.root.name,
        is_demo=statement.demo,
        table_path=table,
        positions_to_answer=records.table_position[asked],
        positions_to_train_on=records.table_position[trained_on],
        regions=tuple(sorted({item.source.region for item in load_resolved(run.sources_path).sources})),
    )


def target_mask(table_path: Path) -> Mask:
    """Return a mask of the table's rows that is true for rows with a target. Plain texts have no target."""
    parts = (targets(batch.column("messages")).to_pylist() for batch in read_batches(table_path, ["messages"]))
    return np.array([bool(target) for part in parts for target in part], bool)


def _draw_rows_to_answer(
    records: record_columns.SplitRecords, has_target: Mask, requested: int | None, free: Mask | None = None
) -> tuple[Positions, Positions]:
    """Draw the rows to answer. Return their positions, and the positions of all rows with other prompts.

    Only rows in the mask `free` are used, or all by default.

    Raises:
        InputError: Either part is empty, or there are fewer rows to answer than requested.
    """
    every = np.arange(len(records)) if free is None else np.flatnonzero(free)
    asked = draw_stratified(
        records,
        every[has_target[every]],
        min(DEFAULT_ROWS_TO_ANSWER, max(1, len(every) // 3)) if requested is None else requested,
    )
    rest = every[~np.isin(records.group_number[every], records.group_number[asked])]
    if not len(asked) or not len(rest) or (requested is not None and len(asked) < requested):
        raise InputError(
            f"--rows: {len(asked)} rows asked of the {len(every)} of the training partition leave {len(rest)} with "
            "other prompts to train on; give a lower number"
        )
    return asked, rest
