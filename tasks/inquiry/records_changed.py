"""Which records two datasets share, by source.

A record's id is made of its source's digest and its row, so one row put in gives every record of a source a new one.
Where the records of both datasets are on this machine they are therefore known by what they say: a record is the same
where source, task and all turns are, and relabelled where the target alone is another. Where the records are gone and
the index of lineage has both datasets, ids still tell of those sources whose content is the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from tasks.core.config import Frozen
from tasks.core.errors import Unavailable
from tasks.core.layout import Layout
from tasks.core.record import batches
from tasks.inquiry.lineage import ask
from tasks.sources.dataset import SIDES
from tasks.sources.sources import load_resolved
from tasks.stages.data import conversations
from tasks.stages.data.protect.placeholders import without_values

Known = dict[str, dict[str, Counter[bytes]]]
"""By source and side, how many records have each key."""
PROMPT = 16
"""Bytes of a key that stand for all but the target."""


class Keyed(NamedTuple):
    """A record by what it says."""

    record: str
    """Its id."""
    source: str
    key: bytes
    """Of its task, all its turns and its target."""


class SourceRecords(Frozen):
    """Records of one source."""

    kept: int
    """In both datasets, on whichever side."""
    moved: int
    """Of those kept, on the other side now: trained on, and now tested with, or the other way round."""
    added: int
    removed: int
    relabelled: int | None
    """The same prompt with another target; null where only ids were compared. Not counted as added or removed."""


class RecordsChanged(Frozen):
    how: Literal["same", "text", "id", "unknown"]
    """Both have the same digest; compared by what records say; by their ids; or not at all."""
    why: str
    """In words what could not be compared, and why; else empty."""
    sources: dict[str, SourceRecords]
    """Empty where they are the same dataset and where it is not known."""


SAME = RecordsChanged(how="same", why="", sources={})


def compare(state: Path, before: str, now: str) -> RecordsChanged:
    """Two datasets, each by the digest of its artefacts/split, as far as this machine has them."""
    if before == now:
        return SAME
    here = [ask.run_that_has(state, sha256) for sha256 in (before, now)]
    if here[0] and here[1]:
        return between(here[0], here[1])
    gone = " and ".join(sha256[:12] for sha256, layout in zip((before, now), here, strict=True) if layout is None)
    return _compare_ids(state, before, now, f"no run here has the records of dataset {gone} any more")


def between(before: Layout, now: Layout) -> RecordsChanged:
    """Two runs that have their datasets here, by what records say."""
    one_key = same_vault(before, now)
    why = "" if one_key else "made under different keys of the vault: compared without whom the texts name"
    sources = _changed(*(_by_text(layout, one_key) for layout in (before, now)))
    return RecordsChanged(how="text", why=why, sources=sources)


def _compare_ids(state: Path, before: str, now: str, gone: str) -> RecordsChanged:
    try:
        had, has = (ask.dataset(state, sha256) for sha256 in (before, now))
    except Unavailable as error:
        return RecordsChanged(how="unknown", why=f"{gone}, and {error}", sources={})
    if had is None or has is None:
        why = f"{gone}, and the index of lineage does not know both"
        return RecordsChanged(how="unknown", why=why, sources={})
    same = {name for name, sha256 in has.digests.items() if had.digests.get(name) == sha256}
    why = f"{gone}: compared by id, which tells of sources alone whose content is the same"
    sources = _changed(*(_by_id(state, sha256, same) for sha256 in (before, now)))
    unlabelled = {name: it.model_copy(update={"relabelled": None}) for name, it in sources.items()}
    return RecordsChanged(how="id", why=why, sources=unlabelled)


def same_vault(before: Layout, now: Layout) -> bool:
    """Whether a token means the same person in both."""
    return load_resolved(before.sources).vault == load_resolved(now.sources).vault


def _by_text(layout: Layout, with_tokens: bool) -> Known:
    known: Known = {}
    for side in SIDES:
        for row in keyed(layout, side, with_tokens):
            _side(known, row.source, side)[row.key] += 1
    return known


def keyed(layout: Layout, side: str, with_tokens: bool) -> Iterator[Keyed]:
    """The records of one side; without tokens, whom they name counts for nothing."""
    plain = str if with_tokens else without_values
    columns = ["record_id", "source_id", "task", "messages"]
    for batch in batches(layout.stage("split") / f"{side}.parquet", columns):
        messages = batch["messages"]
        texts = (conversations.prompts(messages).to_pylist(), conversations.targets(messages).to_pylist())
        ids, sources, tasks = (batch[name].to_pylist() for name in columns[:3])
        for record, source, task, prompt, target in zip(ids, sources, tasks, *texts, strict=True):
            key = conversations.digest(f"{task}\n{plain(prompt)}") + conversations.digest(plain(target))
            yield Keyed(record, source, key)


def _by_id(state: Path, sha256: str, of: set[str]) -> Known:
    known: Known = {}
    for member in ask.of_dataset(state, sha256):
        if member.source_id not in of:
            continue
        _side(known, member.source_id, member.side)[bytes.fromhex(member.record)] += 1
    return known


def _side(known: Known, source: str, side: str) -> Counter[bytes]:
    return known.setdefault(source, {side: Counter() for side in SIDES})[side]


def _changed(before: Known, now: Known) -> dict[str, SourceRecords]:
    nothing: dict[str, Counter[bytes]] = {side: Counter() for side in SIDES}
    return {name: _source(before.get(name, nothing), now.get(name, nothing)) for name in sorted({*before, *now})}


def _source(before: dict[str, Counter[bytes]], now: dict[str, Counter[bytes]]) -> SourceRecords:
    had, has = (sum(sides.values(), Counter()) for sides in (before, now))
    kept, gone, new = (had & has).total(), had - has, has - had
    stayed = sum((before[side] & now[side]).total() for side in SIDES)
    relabelled = (_prompts(gone.elements()) & _prompts(new.elements())).total()
    return SourceRecords(
        kept=kept,
        moved=kept - stayed,
        added=new.total() - relabelled,
        removed=gone.total() - relabelled,
        relabelled=relabelled,
    )


def _prompts(keys: Iterable[bytes]) -> Counter[bytes]:
    return Counter(key[:PROMPT] for key in keys)
