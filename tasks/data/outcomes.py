"""What became of every row of the sources on its way to the records: one word a row, for expectations to count."""

from collections import Counter
from typing import TYPE_CHECKING

from tasks.data.quarantine import Counts
from tasks.files import read_json
from tasks.govern.protection import CATEGORIES
from tasks.layout import Layout

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
    # clean
    "empty_prompt", "prompt_too_short", "prompt_too_long", "target_too_long",
    # deduplicate
    "exact_duplicate", "near_test", "superseded", "near_duplicate", "conflict", "conflict_undecided",
)  # fmt: skip
"""Why a row may have been put aside, by stage. Stage `split` comes after validation."""


def read(layout: Layout) -> dict[str, Counter[str]]:
    """By source, how many of its rows had each outcome."""
    found = {}
    for source in read_json(layout.stage("ingest") / "result.json")["sources"]:
        found[source["id"]] = Counter(Counts.model_validate(source["counts"]).quarantined)
    for stage in ("clean", "deduplicate"):
        for source, counts in read_json(layout.stage(stage) / "result.json")["by_source"].items():
            found[source].update(counts["quarantined"])
            found[source][KEPT] = counts["records"]
    return found


def frame(outcomes: dict[str, Counter[str]], source: str | None) -> "pd.DataFrame":
    """One row a row of the source, or of all sources, in column `outcome`."""
    import numpy as np
    import pandas as pd

    total = sum((counts for name, counts in outcomes.items() if source in (None, name)), Counter[str]())
    names, counts = zip(*sorted(total.items()), strict=True)
    return pd.DataFrame({COLUMN: pd.Series(np.repeat(np.array(names, object), counts), dtype="str")})
