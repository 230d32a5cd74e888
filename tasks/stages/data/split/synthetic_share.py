"""Share of synthetic records in training and test, by task. Policy caps the highest share."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact, Facts
from tasks.core.records.record import SYNTHETIC, read_batches
from tasks.stages.data.split.partitions import TEST, TRAIN


class TaskShare(FrozenModel):
    task: str
    train_rows: int
    synthetic_train_rows: int
    synthetic_test_rows: int

    @property
    def share(self) -> float:
        """Fraction of the training records that is synthetic."""
        return self.synthetic_train_rows / self.train_rows if self.train_rows else 0.0


def read_shares(folder: Path) -> list[TaskShare]:
    """Return the shares of the partitions in a folder, by task. Tasks without synthetic records are left out."""
    trained, tested = (_count_by_task(folder / f"{side}.parquet") for side in (TRAIN, TEST))
    return [
        TaskShare(
            task=task,
            train_rows=trained[task, True] + trained[task, False],
            synthetic_train_rows=trained[task, True],
            synthetic_test_rows=tested[task, True],
        )
        for task in sorted({task for task, is_synthetic in trained | tested if is_synthetic})
    ]


def to_facts(shares: Sequence[TaskShare]) -> Facts:
    """Return the metrics for the data gate; none if no record is synthetic."""
    if not shares:
        return {}
    highest = max(shares, key=lambda each: each.share)
    return {
        "synthetic_rows": Fact(
            value=sum(each.synthetic_train_rows for each in shares), unit="rows", note="in training"
        ),
        "synthetic_share": Fact(
            value=highest.share, note=f"of the training rows of task {highest.task}, which has the highest share"
        ),
        "synthetic_test_rows": Fact(value=sum(each.synthetic_test_rows for each in shares), unit="rows"),
    }


def _count_by_task(path: Path) -> Counter[tuple[str, bool]]:
    counts = Counter[tuple[str, bool]]()
    for batch in read_batches(path, ["task", "origin"]):
        origins = (origin == SYNTHETIC for origin in batch["origin"].to_pylist())
        counts.update(zip(batch["task"].to_pylist(), origins, strict=True))
    return counts
