"""Pairs of kept records whose prompts may be paraphrases, and whose targets differ."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.progress import print_progress
from tasks.core.records.record import read_batches
from tasks.stages.data import conversations
from tasks.stages.data.deduplicate.paraphrases.candidates import MAX_COMPARED, Candidate, find_candidates
from tasks.stages.data.deduplicate.record_columns import BATCH_ROWS, RecordColumns
from tasks.stages.data.deduplicate.verdicts import CONTRADICTION_RULES, Verdict
from tasks.stages.data.protect.placeholders import reduce_placeholders

DistinctPrompts = dict[str, dict[tuple[str, int], tuple[str, int]]]
"""Smallest record id, and its position, for each prompt and id of an answer, by task."""


@dataclass(frozen=True)
class Paraphrases:
    shown: list[Candidate]
    """Pairs of positions of records, most alike first."""
    found: int
    """Number of pairs, those beyond the limit among them."""
    not_compared: int
    """Number of prompts that were not compared, since they are too long or too many."""


def find_paraphrases(
    records: RecordColumns, path: Path, keep: np.ndarray, verdicts: Iterable[Verdict], limit: int
) -> Paraphrases:
    """Return the pairs of kept records that may answer the same question differently.

    Of records with equal prompts and answers, the one with the smallest id stands for all. Contradictions by the words
    are left out. The result does not depend on the order of the records.

    Args:
        records: All records.
        path: Parquet file of the records.
        keep: Whether each record is kept.
        verdicts: Verdicts on the records.
        limit: Maximum number of pairs to show.
    """
    print_progress("deduplicate", "contradictions between paraphrases")
    known = {frozenset((each.record, each.other_record)) for each in verdicts if each.rule in CONTRADICTION_RULES}
    by_task, not_compared = _distinct_prompts(records, path, keep)
    found = list[Candidate]()
    for _, distinct in sorted(by_task.items()):
        # By digest, so that which prompts are too many depends on nothing else.
        in_order = sorted((conversations.text_digest(prompt), *own, prompt) for (prompt, _), own in distinct.items())
        positions = [position for _, _, position, _ in in_order]
        search = find_candidates([prompt for *_, prompt in in_order], records.target_id_without_values[positions])
        not_compared += search.not_compared
        found += [Candidate(positions[a], positions[b], likeness) for a, b, likeness in search.candidates]
    found = [pair for pair in found if frozenset(pair[:2]) not in known]
    ids = records.record_id
    found.sort(key=lambda pair: (-pair.likeness, ids[pair.first].as_py(), ids[pair.second].as_py()))
    return Paraphrases(found[:limit], len(found), not_compared)


def _distinct_prompts(records: RecordColumns, path: Path, keep: np.ndarray) -> tuple[DistinctPrompts, int]:
    """Return the distinct prompts of kept records, and the number of records left out because they are too many.

    Of more than MAX_COMPARED records those are taken whose prompts have the smallest digests, so that a million records
    take no more memory.
    """
    by_task, left_out, begin = DistinctPrompts(), 0, 0
    share = min(1.0, MAX_COMPARED / max(1, int(keep.sum())))
    for batch in read_batches(path, ["record_id", "task", "messages"], BATCH_ROWS):
        prompts = conversations.prompts(batch["messages"]).to_pylist()
        answers = records.target_id_without_values[begin : begin + len(batch)].tolist()
        for place in np.flatnonzero(keep[begin : begin + len(batch)]).tolist():
            prompt = conversations.normalise_spaces(reduce_placeholders(prompts[place]))
            if share < 1 and int.from_bytes(conversations.text_digest(prompt)[:8]) >= share * 2**64:
                left_out += 1
                continue
            own = by_task.setdefault(batch["task"][place].as_py(), {})
            key = prompt, answers[place]
            stands_for = batch["record_id"][place].as_py(), begin + place
            own[key] = min(own.get(key, stands_for), stands_for)
        begin += len(batch)
    return by_task, left_out
