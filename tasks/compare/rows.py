"""The rows that base models are compared on: of the training side of a run whose data gate has passed, and of no other.

The test side is for the evaluation gate. A base model that was chosen by it would look better there than it is.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.core.errors import InputError
from tasks.core.files import canonical_json, sha256_bytes, sha256_file
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.record import VALIDATION, batches, read_table, rows_at, write_table
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.scratch import source
from tasks.sources.sources import load_resolved
from tasks.stages.data.conversations import targets
from tasks.stages.data.split import placed
from tasks.stages.data.split.draw import draw
from tasks.stages.data.split.placed import Places

Mask = npt.NDArray[np.bool_]
ASKED, TRAINED_ON = 100, 200
"""Rows, where nobody says how many; a third of them at most are asked, where there are few."""


@dataclass(frozen=True)
class Wanted:
    """How many rows; None: as many as ASKED and TRAINED_ON say."""

    asked: int | None = None
    trained_on: int | None = None


@dataclass(frozen=True)
class Chosen:
    """Rows of a run's training side, as their places in its table. No prompt stands on both sides."""

    run: str
    demo: bool
    """Demo identities let the run's data pass."""
    table: Path
    asked: Places
    trained_on: Places
    regions: tuple[str, ...]
    """Where the run's sources lie."""

    def write(self, folder: Path) -> None:
        """As stage `split` leaves them: what is trained on, what is asked in place of the test side, and nothing that
        says which weights were best, since the steps are few."""
        for name, places in (("train", self.trained_on), ("test", self.asked)):
            write_table(rows_at(self.table, places), folder / f"{name}.parquet")
        write_table(VALIDATION.empty_table(), folder / "validation.parquet")

    @property
    def sha256(self) -> str:
        """Of which rows they are."""
        places = [self.asked.tolist(), self.trained_on.tolist()]
        return sha256_bytes(canonical_json([sha256_file(self.table), *places]))


def choose(params: Params, layout: Layout, ledger: Ledger, governance: Governance, wanted: Wanted) -> Chosen:
    """Of the newest run of the use case that has rows; the same rows each time.

    Raises Unavailable where there is no such run, Refused where its data gate has not passed or an owner has withdrawn
    a source, InputError for more rows than there are.
    """
    run = source.newest(params, layout)
    statement = source.require_passed(run, ledger, governance)
    table = run.stage("split") / "train.parquet"
    clusters = read_table(run.stage("deduplicate") / "clusters.parquet")
    records = placed.read(table, clusters, params.data.seed)
    asked, rest = _held_out(records, answered(table)[records.place], wanted.asked)
    trained_on = draw(records, rest, TRAINED_ON if wanted.trained_on is None else wanted.trained_on)
    if wanted.trained_on is not None and len(trained_on) < wanted.trained_on:
        raise InputError(
            f"--train-rows {wanted.trained_on}: {len(trained_on)} rows of run {run.root.name} are left beside the "
            f"{len(asked)} that are asked; give a lower number"
        )
    return Chosen(
        run=run.root.name,
        demo=statement.demo,
        table=table,
        asked=records.place[asked],
        trained_on=records.place[trained_on],
        regions=tuple(sorted({item.source.region for item in load_resolved(run.sources).sources})),
    )


def answered(table: Path) -> Mask:
    """Of each row of a table, whether it has an answer: all but plain texts, which say nothing of a model's answers."""
    parts = (targets(batch.column("messages")).to_pylist() for batch in batches(table, ["messages"]))
    return np.array([bool(target) for part in parts for target in part], bool)


def _held_out(records: placed.Placed, able: Mask, wanted: int | None) -> tuple[Places, Places]:
    """The rows that are asked, of those that are `able`, and those that share no prompt with one of them. Raises
    InputError where a side would be empty."""
    every = np.arange(len(records))
    asked = draw(records, every[able], min(ASKED, max(1, len(every) // 3)) if wanted is None else wanted)
    rest = every[~np.isin(records.lot, records.lot[asked])]
    if not len(asked) or not len(rest) or (wanted is not None and len(asked) < wanted):
        raise InputError(
            f"--rows: {len(asked)} rows asked of the {len(every)} of the training side leave {len(rest)} with other "
            "prompts to train on; give a lower number"
        )
    return asked, rest
