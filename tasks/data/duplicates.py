"""Exact duplicates: the same task, turns and target, evenly spaced; case counts."""

from collections.abc import Iterable, Mapping
from typing import Any

Key = tuple[str, ...]


def winners(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """For each record that is a duplicate, by record_id, the record_id of the one to keep.

    The first in order is kept. A record without a side gives way to one that its source has fixed on a side. A fixed
    test set stays whole, since figures on it compare with others' only so, and takes no fixed training record out
    (`split` sees to those).
    """
    first: dict[Key, dict[str, str]] = {}
    keyed = [(record, _key(record)) for record in records]
    for record, key in keyed:
        first.setdefault(key, {}).setdefault(record["split"], record["record_id"])
    lost = {}
    for record, key in keyed:
        sides = first[key]
        order = ["train"] if record["split"] == "train" else ["test", "train", ""]
        winner = next(sides[side] for side in order if side in sides)
        if winner != record["record_id"] and record["split"] != "test":
            lost[record["record_id"]] = winner
    return lost


def _key(record: Mapping[str, Any]) -> Key:
    turns = [f"{turn['role']}:{' '.join(turn['content'].split())}" for turn in record["messages"]]
    return (record["task"], *turns)
