"""Share of synthetic records in training and test, by task. Policy caps the highest share."""

from collections import Counter
from pathlib import Path

from tasks.core.facts import Fact, Facts
from tasks.core.records.record import SYNTHETIC, read_batches
from tasks.stages.data.split.partitions import TEST, TRAIN

MAX_NAMED_TASKS = 20


def read_facts(folder: Path) -> Facts:
    """Return the metrics of the partitions in a folder; none if no record is synthetic."""
    trained, tested = (_count_by_task(folder / f"{side}.parquet") for side in (TRAIN, TEST))
    shares = {
        task: trained[task, True] / total
        for task in sorted({task for task, _ in trained})
        if (total := trained[task, True] + trained[task, False])
    }
    in_train, in_test = (sum(rows for (_, is_made), rows in each.items() if is_made) for each in (trained, tested))
    if not in_train + in_test:
        return {}
    highest = max(shares, key=lambda task: shares[task])
    return {
        "synthetic_rows": Fact(value=in_train, unit="rows", note=_by_task(trained)),
        "synthetic_share": Fact(
            value=shares[highest], note=f"of the training rows of task {highest}, the highest share"
        ),
        "synthetic_test_rows": Fact(value=in_test, unit="rows", note="synthetic records that test the model"),
    }


def _count_by_task(path: Path) -> Counter[tuple[str, bool]]:
    counts = Counter[tuple[str, bool]]()
    for batch in read_batches(path, ["task", "origin"]):
        origins = (origin == SYNTHETIC for origin in batch["origin"].to_pylist())
        counts.update(zip(batch["task"].to_pylist(), origins, strict=True))
    return counts


def _by_task(trained: Counter[tuple[str, bool]]) -> str:
    named = sorted({task for task, _ in trained})
    texts = [
        f"{task} {trained[task, True]:,} of {trained[task, True] + trained[task, False]:,}"
        for task in named[:MAX_NAMED_TASKS]
    ]
    return f"of the training rows: {', '.join(texts)}{', …' if len(named) > MAX_NAMED_TASKS else ''}"
