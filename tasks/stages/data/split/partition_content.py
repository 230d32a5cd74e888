"""Content of a partition, read from the file that training or evaluation reads."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.params.evaluation import Evaluation
from tasks.core.records.record import read_batches
from tasks.stages.data.conversations import prompt_keys, targets
from tasks.stages.data.record_labels import count_labels
from tasks.stages.data.split import record_columns
from tasks.stages.data.split.record_columns import NO_CLUSTER, RandomNumbers, cluster_numbers, derive_random_numbers


@dataclass(frozen=True)
class PartitionContent:
    rows: int
    prompt_numbers: RandomNumbers
    """Random numbers of the prompt keys, without repetitions."""
    clusters: set[int]
    labels: Counter[str]
    rows_with_target: int
    """Number of records with a target. Plain texts have none."""


def read_partition_content(path: Path, clusters: pa.Table, seed: int, evaluation: Evaluation) -> PartitionContent:
    ids = pq.read_table(path, columns=["record_id"])["record_id"]
    prompts, found, answers = [], Counter[str](), 0
    for batch in read_batches(path, ["messages"], record_columns.BATCH):
        messages = batch.column("messages")
        prompts.append(derive_random_numbers(prompt_keys(messages), seed))
        answers += sum(bool(target) for target in targets(messages).to_pylist())
        found.update(count_labels(messages, evaluation))
    return PartitionContent(
        rows=len(ids),
        prompt_numbers=np.unique(np.concatenate(prompts)),
        clusters=set(cluster_numbers(ids, clusters).tolist()) - {NO_CLUSTER},
        labels=found,
        rows_with_target=answers,
    )
