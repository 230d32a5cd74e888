"""What became of every row of the sources on its way to the records: one word a row, for expectations to count."""

from collections import Counter
from typing import TYPE_CHECKING, get_args

from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.sources.dataset import STAGES
from tasks.sources.protection import CATEGORIES
from tasks.sources.sources import Label

if TYPE_CHECKING:
    import pandas as pd

COLUMN = "outcome"
"""The only column of this table."""
KEPT = "kept"
RULES = (
    # ingest
    "stray_quote", "field_count", "not_json", "not_object", "not_text", "undecodable", "bad_messages",
    "bad_effective_from", "bad_retired_at", "unknown_kind", "unknown_split", "missing_target", "past_retention",
    "retired", "undetectable",
    *(f"holds_{category}" for category in CATEGORIES),
    *(f"unknown_{label}" for label in get_args(Label) if label != "labelled_by"),
    # clean
    "empty_prompt", "prompt_too_short", "prompt_too_long", "target_too_long",
    # deduplicate
    "exact_duplicate",
)  # fmt: skip
"""Why a row may have been put aside, by stage."""
NEAR = ("near_test", "superseded", "near_duplicate", "conflict", "conflict_undecided")
"""The same, by `deduplicate` where params.yaml: data.near_duplicates is set."""
SPLIT = ("prompt_in_test",)
"""The same, by `split`: too late for an expectation to ask about."""


def frame(layout: Layout, source: str | None) -> "pd.DataFrame":
    """One row a row of the source, or of all sources, in column `outcome`; its categories are what could have come.

    Raises AssertionError for a rule that is not listed here: its rows would be missing from every share.
    """
    import numpy as np
    import pandas as pd

    counts = _counts(layout, source)
    near = read_json(layout.stage("deduplicate") / "result.json")["near"] is not None
    possible = [KEPT, *RULES, *(NEAR if near else ())]
    if unlisted := sorted(set(counts) - {KEPT, *RULES, *NEAR}):
        raise AssertionError(f"outcomes: stages put rows aside by {', '.join(unlisted)}, which is not listed")
    codes = np.repeat(np.arange(len(possible), dtype=np.int8), [counts[outcome] for outcome in possible])
    return pd.DataFrame({COLUMN: pd.Categorical.from_codes(codes, categories=pd.Index(possible))})


def _counts(layout: Layout, source: str | None) -> Counter[str]:
    """How many rows had each outcome."""
    ingested = read_json(layout.stage("ingest") / "result.json")["sources"]
    passages = {"ingest": {item["id"]: item["counts"] for item in ingested}}
    for stage in STAGES[1:-1]:
        passages[stage] = read_json(layout.stage(stage) / "result.json")["by_source"]
    outcomes: Counter[str] = Counter()
    for by_source in passages.values():
        for name, counts in by_source.items():
            if source in (None, name):
                outcomes.update(counts["quarantined"])
    left = passages[STAGES[-2]].items()
    outcomes[KEPT] = sum(counts["records"] for name, counts in left if source in (None, name))
    return outcomes
