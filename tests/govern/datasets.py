"""Datasets for a test to compare, or for owners to sign."""

from typing import Any

from tasks.dataset import Dataset


def passage(rows: int, **gone: int) -> dict[str, Any]:
    return {"rows": rows, "records": rows - sum(gone.values()), "quarantined": gone}


def origin(rows: int, content: str = "1", **fields: Any) -> dict[str, Any]:
    """A source of which one in ten rows is empty and two of what is left are for testing."""
    left = rows - rows // 10
    passages = {"ingest": passage(rows), "clean": passage(rows, empty_prompt=rows // 10)}
    passages |= {"deduplicate": passage(left), "split": passage(left)}
    plain = {"owner": "owner", "licence": "CC0-1.0", "lawful_basis": "consent", "classification": "internal"}
    plain |= {
        "steward": "owner",
        "access": ["auditor"],
        "retention_days": 30,
        "region": "eu",
        "approved_uses": ["triage"],
    }
    counted = {"protected": {"name": 4}, "actions": {"name": "tokenise"}}
    sides = {"train": left - 2, "test": 2}
    return plain | counted | {"sha256": content * 64, "passages": passages, "rows": sides} | fields


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
            "deduplicate": passage(train + test), "split": passage(train + test),
        },
        "rows": {"train": train, "test": test},
        "digests": {"train": "4" * 64, "test": "5" * 64},
        "segments": segments,
        "settings": {"seed": 17, "near_duplicates.jaccard": 0.85},
    }  # fmt: skip
    return Dataset.model_validate(made | fields)
