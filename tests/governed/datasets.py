"""Datasets for a test to compare, or for owners to sign."""

from functools import cache
from io import BytesIO
from typing import Any

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.core.records.record import RECORD_SCHEMA
from tasks.sources.dataset import COUNTED_STAGES, PARTITIONS, SIGNED_FIELDS, Dataset, declared_fields
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources
from tests.stages.data.build import TODAY, source


def passage(rows: int, **gone: int) -> dict[str, Any]:
    return {"rows": rows, "records": rows - sum(gone.values()), "quarantined": gone}


SAID = {
    "owner": "owner",
    "steward": "owner",
    "access": ["auditor"],
    "classification": "internal",
    "lawful_basis": "consent",
    "licence": "CC0-1.0",
    "retention_days": 30,
    "region": "eu",
    "approved_uses": ["a", "triage"],
}
"""Of a source, in sources.yaml."""


def origin(rows: int, content: str = "1", **said: Any) -> dict[str, Any]:
    """A source of which one in ten rows is empty and two of what is left are for testing; `said` in sources.yaml."""
    left = rows - rows // 10
    passages = {"ingest": passage(rows), "clean": passage(rows, empty_prompt=rows // 10)}
    passages |= {stage: passage(left) for stage in COUNTED_STAGES[2:]}
    pinned = ResolvedSource(source=source("a.csv", **SAID | said), sha256=content * 64, bytes=1)
    return declared_fields(pinned) | {
        "passages": passages,
        "rows": {"train": left - 2, "test": 2},
        "protected": {"name": 4},
    }


def dataset(sources: dict[str, Any], **fields: Any) -> Dataset:
    train, test = (sum(source["rows"][side] for source in sources.values()) for side in ("train", "test"))
    rows = sum(source["passages"]["ingest"]["rows"] for source in sources.values())
    segments = {name: {"train": {"x": train}, "test": {"x": test}} for name in ("department", "kind")}
    segments |= {
        "source_id": {side: {name: s["rows"][side] for name, s in sources.items()} for side in ("train", "test")},
        "language": {"train": {"en": train - 5, "de": 5}, "test": {"en": test}},
    }
    made = {
        "sources": sources,
        "counts": {
            "ingest": passage(rows), "clean": passage(rows, empty_prompt=rows // 10),
            **{stage: passage(train + test) for stage in COUNTED_STAGES[2:]},
        },
        "rows": {"train": train, "test": test},
        "digests": {"train": "4" * 64, "test": "5" * 64},
        "segments": segments,
        "settings": {"seed": 17, "near_duplicates.jaccard": 0.85},
    }  # fmt: skip
    return Dataset.model_validate(made | fields)


@cache
def empty_table() -> bytes:
    import pyarrow.parquet as pq

    file = BytesIO()
    pq.write_table(RECORD_SCHEMA.empty_table(), file)
    return file.getvalue()


def put_rows(layout: Layout) -> None:
    """Write the two files whose rows the data gate counts, without rows, which makes each gate faster by 5 ms."""
    layout.artefacts("split").mkdir(parents=True, exist_ok=True)
    for name in PARTITIONS:
        (layout.artefacts("split") / f"{name}.parquet").write_bytes(empty_table())


def put(layout: Layout, found: Dataset, **said: Any) -> None:
    """Write the manifest, and the sources that a run with it was resolved with; `said` in sources.yaml."""
    pinned = [
        ResolvedSource(
            source=source("a.csv", id=name, protect=one.actions, **one.model_dump(include=set(SIGNED_FIELDS)), **said),
            sha256=one.sha256,
            bytes=1,
        )
        for name, one in found.sources.items()
    ]
    resolved = ResolvedSources(sources=pinned, as_of=TODAY, vault="0" * 32)
    write_json(layout.sources_path, resolved.model_dump(mode="json"))
    write_json(layout.artefacts("split") / "manifest.json", found.model_dump(mode="json"))
