"""Records that two datasets have in common, by source.

A record's id is derived from its source's digest and its row, so one inserted row changes the ids of all records of a
source. If this machine has the records of both datasets, they are therefore compared by content. Two records are equal
if source, task and all turns are equal, and relabelled if only the target differs.

If the records of a dataset are gone but the lineage index has both datasets, records are compared by id. That works
only for sources whose content did not change.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Unavailable
from tasks.core.layout import Layout
from tasks.core.records.record import read_batches
from tasks.inquiry.lineage import queries
from tasks.sources.dataset import PARTITIONS
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data import conversations
from tasks.stages.data.protect.placeholders import reduce_placeholders

KeyCounts = dict[str, dict[str, Counter[bytes]]]
"""Number of records by key, for each source and partition."""
PROMPT_KEY_BYTES = 16
"""Length in bytes of the first part of a key. That part identifies everything except the target."""


class KeyedRecord(NamedTuple):
    record_id: str
    source_id: str
    key: bytes
    """Digest of the task and all turns except the target, followed by the digest of the target."""


class SourceDiff(FrozenModel):
    """Differences between two datasets in the records of one source."""

    kept: int
    """Number of records in both datasets, in any partition."""
    moved: int
    """Number of records in both datasets that moved between the training and the test partition."""
    added: int
    removed: int
    relabelled: int | None
    """Number of records with the same prompt and another target, which are not counted as added or removed; null if
    records were compared by id."""


class DatasetDiff(FrozenModel):
    how: Literal["same", "text", "id", "unknown"]
    """Basis of the comparison: `same` if the digests are equal, `text` if records were compared by content, `id` if
    they were compared by id, `unknown` if the datasets cannot be compared."""
    why: str
    """Explanation of what could not be compared; empty if everything was compared."""
    sources: dict[str, SourceDiff]
    """Differences by source; empty if the datasets are the same or cannot be compared."""


IDENTICAL_DATASETS = DatasetDiff(how="same", why="", sources={})


def compare_datasets(state: Path, before: str, after: str) -> DatasetDiff:
    """Compare two datasets, by content if this machine has both, otherwise by ids in the lineage index.

    Args:
        state: State folder of the installation.
        before: Digest of the first dataset's folder artefacts/split.
        after: Digest of the second dataset's folder artefacts/split.
    """
    if before == after:
        return IDENTICAL_DATASETS
    here = [queries.local_run_with_dataset(state, sha256) for sha256 in (before, after)]
    if here[0] and here[1]:
        return compare_runs(here[0], here[1])
    gone = " and ".join(sha256[:12] for sha256, layout in zip((before, after), here, strict=True) if layout is None)
    return _compare_ids(state, before, after, f"no run here has the records of dataset {gone} any more")


def compare_runs(before: Layout, after: Layout) -> DatasetDiff:
    one_key = have_same_vault(before, after)
    why = "" if one_key else "made under different keys of the vault: compared without whom the texts name"
    sources = _source_diffs(*(_counts_by_text(layout, one_key) for layout in (before, after)))
    return DatasetDiff(how="text", why=why, sources=sources)


def _compare_ids(state: Path, before: str, after: str, gone: str) -> DatasetDiff:
    try:
        had, has = (queries.find_dataset(state, sha256) for sha256 in (before, after))
    except Unavailable as error:
        return DatasetDiff(how="unknown", why=f"{gone}, and {error}", sources={})
    if had is None or has is None:
        why = f"{gone}, and the index of lineage does not know both"
        return DatasetDiff(how="unknown", why=why, sources={})
    same = {name for name, sha256 in has.source_digests.items() if had.source_digests.get(name) == sha256}
    why = f"{gone}: compared by id, which tells of sources alone whose content is the same"
    sources = _source_diffs(*(_counts_by_id(state, sha256, same) for sha256 in (before, after)))
    unlabelled = {name: it.model_copy(update={"relabelled": None}) for name, it in sources.items()}
    return DatasetDiff(how="id", why=why, sources=unlabelled)


def have_same_vault(before: Layout, after: Layout) -> bool:
    """Return whether two runs used the same vault, so that equal tokens stand for equal values."""
    return load_resolved(before.sources_path).vault == load_resolved(after.sources_path).vault


def _counts_by_text(layout: Layout, with_tokens: bool) -> KeyCounts:
    known: KeyCounts = {}
    for side in PARTITIONS:
        for row in read_keyed_records(layout, side, with_tokens):
            _partition_counts(known, row.source_id, side)[row.key] += 1
    return known


def read_keyed_records(layout: Layout, side: str, with_tokens: bool) -> Iterator[KeyedRecord]:
    """Yield the records of one partition, each with its key.

    If `with_tokens` is false, records that differ only in masked values have the same key.
    """
    plain = str if with_tokens else reduce_placeholders
    columns = ["record_id", "source_id", "task", "messages"]
    for batch in read_batches(layout.artefacts("split") / f"{side}.parquet", columns):
        messages = batch["messages"]
        texts = (conversations.prompts(messages).to_pylist(), conversations.targets(messages).to_pylist())
        ids, sources, tasks = (batch[name].to_pylist() for name in columns[:3])
        for record, source, task, prompt, target in zip(ids, sources, tasks, *texts, strict=True):
            key = conversations.text_digest(f"{task}\n{plain(prompt)}") + conversations.text_digest(plain(target))
            yield KeyedRecord(record, source, key)


def _counts_by_id(state: Path, sha256: str, source_ids: set[str]) -> KeyCounts:
    known: KeyCounts = {}
    for member in queries.memberships_of_dataset(state, sha256):
        if member.source_id not in source_ids:
            continue
        _partition_counts(known, member.source_id, member.side)[bytes.fromhex(member.record)] += 1
    return known


def _partition_counts(known: KeyCounts, source: str, side: str) -> Counter[bytes]:
    return known.setdefault(source, {side: Counter() for side in PARTITIONS})[side]


def _source_diffs(before: KeyCounts, after: KeyCounts) -> dict[str, SourceDiff]:
    nothing: dict[str, Counter[bytes]] = {side: Counter() for side in PARTITIONS}
    return {
        name: _source_diff(before.get(name, nothing), after.get(name, nothing)) for name in sorted({*before, *after})
    }


def _source_diff(before: dict[str, Counter[bytes]], after: dict[str, Counter[bytes]]) -> SourceDiff:
    had, has = (sum(sides.values(), Counter()) for sides in (before, after))
    kept, gone, new = (had & has).total(), had - has, has - had
    stayed = sum((before[side] & after[side]).total() for side in PARTITIONS)
    relabelled = (_prompt_keys(gone.elements()) & _prompt_keys(new.elements())).total()
    return SourceDiff(
        kept=kept,
        moved=kept - stayed,
        added=new.total() - relabelled,
        removed=gone.total() - relabelled,
        relabelled=relabelled,
    )


def _prompt_keys(keys: Iterable[bytes]) -> Counter[bytes]:
    return Counter(key[:PROMPT_KEY_BYTES] for key in keys)
