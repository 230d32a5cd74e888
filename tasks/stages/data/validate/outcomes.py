"""What became of every row of the sources on its way to the records: one word a row, for expectations to count."""

from collections import Counter
from typing import TYPE_CHECKING, get_args

from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.core.steps.data import DATA, FILTERED, LAST
from tasks.sources.protection import CATEGORIES
from tasks.sources.sources import Label

if TYPE_CHECKING:
    import pandas as pd

COLUMN = "outcome"
"""The only column of this table."""
KEPT = "kept"
UNFIT = tuple(
    [f"holds_{category}" for category in CATEGORIES]
    + [f"unknown_{label}" for label in get_args(Label) if label != "labelled_by"]
)
"""Why `ingest` puts a row aside by a protected class or by a label, beside the rules that its line states."""
BY_STAGE = {stage.name: (*stage.rules, *(UNFIT if stage.name == "ingest" else ())) for stage in DATA}
NEAR = tuple(rule for rule in BY_STAGE["deduplicate"] if rule != "exact_duplicate")
"""The rules of `deduplicate` where params.yaml: data.near_duplicates is set."""
RULES = tuple(rule for name in FILTERED for rule in BY_STAGE[name] if rule not in NEAR)
"""Why else a row may have been put aside, by stage."""
SPLIT = BY_STAGE["split"]
"""The same, by `split`: too late for an expectation to ask about."""


def frame(layout: Layout, source: str | None) -> "pd.DataFrame":
    """One row a row of the source, or of all sources, in column `outcome`; its categories are what could have come.

    Raises AssertionError for a rule that no stage's line in `tasks.core.steps.data` states: its rows would be missing
    from every share.
    """
    import numpy as np
    import pandas as pd

    counts = _counts(layout, source)
    near = read_json(layout.stage("deduplicate") / "result.json")["near"] is not None
    possible = [KEPT, *RULES, *(NEAR if near else ())]
    if unlisted := sorted(set(counts) - {KEPT, *RULES, *NEAR}):
        raise AssertionError(
            f"outcomes: stages put rows aside by {', '.join(unlisted)}, which tasks/core/steps/data.py does not list"
        )
    codes = np.repeat(np.arange(len(possible), dtype=np.int8), [counts[outcome] for outcome in possible])
    return pd.DataFrame({COLUMN: pd.Categorical.from_codes(codes, categories=pd.Index(possible))})


def _counts(layout: Layout, source: str | None) -> Counter[str]:
    """How many rows had each outcome."""
    ingested = read_json(layout.stage("ingest") / "result.json")["sources"]
    passages = {"ingest": {item["id"]: item["counts"] for item in ingested}}
    for stage in FILTERED[1:]:
        passages[stage] = read_json(layout.stage(stage) / "result.json")["by_source"]
    outcomes: Counter[str] = Counter()
    for by_source in passages.values():
        for name, counts in by_source.items():
            if source in (None, name):
                outcomes.update(counts["quarantined"])
    left = passages[LAST].items()
    outcomes[KEPT] = sum(counts["records"] for name, counts in left if source in (None, name))
    return outcomes
