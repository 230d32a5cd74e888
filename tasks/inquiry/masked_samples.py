"""Samples of masked text, for people with access to single records.

Samples are taken from the texts that `ingest` wrote, and placeholders in them are marked. The vault is not read. The
module `disclosure` reveals values, for a reason that the ledger records.
"""

from collections import Counter
from typing import NamedTuple

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.records.record import SMALL_BATCH_ROWS, read_batches
from tasks.inquiry.access import Access
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data.protect.placeholders import PLACEHOLDER

SAMPLES_PER_CATEGORY = 2
MAX_SEARCHED_RECORDS = 20_000
CONTEXT_CHARS = 80


class TextPiece(NamedTuple):
    text: str
    placeholder: bool


class Sample(FrozenModel):
    source_id: str
    record_id: str
    category: str
    pieces: list[TextPiece]
    """Placeholder and the text around it, divided into pieces in reading order."""


class MaskedSamples(FrozenModel):
    samples: list[Sample]
    closed: list[str]
    """Ids of the run's sources that the person has no access to."""


def find_samples(layout: Layout, access: Access) -> MaskedSamples:
    path = layout.artefacts("ingest") / "records.parquet"
    if not path.exists():
        raise InputError(f"run {layout.root.name} has no records here; name one that has been through `ingest`")
    sources = [item.source for item in load_resolved(layout.sources_path).sources]
    looker = access.limit_to_run(layout)
    open_to = {source.id for source in sources if looker.may_read(source)}
    samples = _collect_samples(layout, open_to)
    closed = [source.id for source in sources if source.id not in open_to]
    return MaskedSamples(samples=sorted(samples, key=lambda each: (each.source_id, each.category)), closed=closed)


def _collect_samples(layout: Layout, open_to: set[str]) -> list[Sample]:
    found: list[Sample] = []
    counted: Counter[tuple[str, str]] = Counter()
    looked = 0
    for batch in read_batches(
        layout.artefacts("ingest") / "records.parquet", ["record_id", "source_id", "messages"], SMALL_BATCH_ROWS
    ):
        for record in batch.to_pylist():
            if record["source_id"] in open_to:
                found += _samples_of_record(record, counted)
        looked += len(batch)
        if looked >= MAX_SEARCHED_RECORDS:
            break
    return found


def _samples_of_record(record: dict[str, object], counted: Counter[tuple[str, str]]) -> list[Sample]:
    source_id, found = str(record["source_id"]), []
    for turn in record["messages"]:  # type: ignore[attr-defined]
        for match in PLACEHOLDER.finditer(turn["content"]):
            key = (source_id, match[1])
            if counted[key] < SAMPLES_PER_CATEGORY:
                counted[key] += 1
                pieces = _text_around(turn["content"], match.start(), match.end())
                sample = Sample(
                    source_id=source_id, record_id=str(record["record_id"]), category=key[1], pieces=pieces
                )  # fmt: skip
                found.append(sample)
    return found


def _text_around(text: str, start: int, end: int) -> list[TextPiece]:
    first, last = max(0, start - CONTEXT_CHARS), min(len(text), end + CONTEXT_CHARS)
    stretch = f"{'…' * (first > 0)}{text[first:last]}{'…' * (last < len(text))}"
    pieces, at = [], 0
    for match in PLACEHOLDER.finditer(stretch):
        pieces += [TextPiece(stretch[at : match.start()], False), TextPiece(match[0], True)]
        at = match.end()
    return [piece for piece in [*pieces, TextPiece(stretch[at:], False)] if piece.text]
