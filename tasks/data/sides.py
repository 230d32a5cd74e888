"""Which side of the split a record stands on: as its source fixed it, else by a hash of its prompt."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tasks.prompts import prompt_key

TRAIN, TEST = "train", "test"
APART: Mapping[str, str] = MappingProxyType({})
"""No record is near another."""


@dataclass(frozen=True)
class Sides:
    by_record: dict[str, str]
    """TRAIN or TEST, by record_id."""
    clashes: dict[str, str]
    """Records fixed for training whose prompt is in the fixed test set: the test record_id, by their record_id."""


def assign(
    records: Sequence[Mapping[str, Any]], test_share: float, seed: int, clusters: Mapping[str, str] = APART
) -> Sides:
    """Sides for all records; those of a group get the same one. A group is a cluster, or a prompt key outside of them.

    `clusters` are near-identical prompts by record_id; records with the same prompt key are in the same. A prompt
    without a fixed side is hashed on its own (of a cluster the smallest): it keeps its side whatever comes or goes
    beside it, and about `test_share` of the prompts are held out. A prompt in a fixed test set draws free records to it
    and shuts fixed training records out.
    """
    fixed_test: dict[str, str] = {}
    fixed_train: set[str] = set()
    prompts = {record["record_id"]: prompt_key(record) for record in records}
    keys: dict[str, str] = {}
    for record_id, prompt in sorted(prompts.items(), key=lambda item: item[1]):
        keys.setdefault(clusters.get(record_id, prompt), prompt)
    keys = {record_id: keys[clusters.get(record_id, prompt)] for record_id, prompt in prompts.items()}
    for record_id, side in sorted((record["record_id"], record["split"]) for record in records):
        if side == TEST:
            fixed_test.setdefault(keys[record_id], record_id)
        elif side == TRAIN:
            fixed_train.add(keys[record_id])
    by_record, clashes = {}, {}
    for record in records:
        record_id, key = record["record_id"], keys[record["record_id"]]
        if key in fixed_test and record["split"] == TRAIN:
            clashes[record_id] = fixed_test[key]
        elif key in fixed_test:
            by_record[record_id] = TEST
        elif key in fixed_train:
            by_record[record_id] = TRAIN
        else:
            by_record[record_id] = TEST if _uniform(key, seed) < test_share else TRAIN
    return Sides(by_record, clashes)


def _uniform(key: str, seed: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.sha256(f"{seed}\n{key}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
