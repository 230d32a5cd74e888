"""What a dataset is made of, for people and for the release that is trained on it."""

from typing import Any

import pyarrow as pa

from tasks.data.quarantine import Counts
from tasks.files import read_json, sha256_file
from tasks.layout import Layout

SEGMENTS = ("source_id", "department", "language", "kind")


def manifest(layout: Layout, sides: dict[str, pa.Table], counts: Counts) -> dict[str, Any]:
    """Digests of what went in, rows in and out of every stage on the way, and rows by segment of each side."""
    stages = {name: read_json(layout.stage(name) / "result.json") for name in ("ingest", "clean", "deduplicate")}
    return {
        "inputs": {
            "sources": {source["id"]: source["sha256"] for source in stages["ingest"]["sources"]},
            "records": sha256_file(layout.stage("deduplicate") / "records.parquet"),
        },
        "counts": {name: stages[name]["counts"] for name in stages} | {"split": counts.model_dump(mode="json")},
        "rows": {side: table.num_rows for side, table in sides.items()},
        "segments": {segment: {side: _count(table, segment) for side, table in sides.items()} for segment in SEGMENTS},
    }


def _count(table: pa.Table, column: str) -> dict[str, int]:
    values = table[column].value_counts().to_pylist()
    return {item["values"]: item["counts"] for item in values}
