"""Outcome of every row of the sources, which expectations can count: `kept`, or the rule that quarantined the row."""

from collections import Counter
from typing import TYPE_CHECKING, get_args

from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.core.steps.data import DATA_STAGES, FILTER_STAGE_NAMES, LAST_FILTER_STAGE
from tasks.sources.protection import CATEGORIES
from tasks.sources.sources import LabelField

if TYPE_CHECKING:
    import pandas as pd

OUTCOME_COLUMN = "outcome"
KEPT = "kept"
PROTECTION_RULES = tuple(
    [f"holds_{category}" for category in CATEGORIES]
    + [f"unknown_{label}" for label in get_args(LabelField) if label != "labelled_by"]
)
"""Rules by which `ingest` quarantines rows with personal data of a category or with an unknown label.

The other rules of `ingest` are in `tasks.core.steps.data`.
"""
RULES_BY_STAGE = {
    stage.name: (*stage.quarantine_rules, *(PROTECTION_RULES if stage.name == "ingest" else ()))
    for stage in DATA_STAGES
}
ALWAYS_APPLIED = ("exact_duplicate", "synthetic_copy", "parent_quarantined")
NEAR_DUPLICATE_RULES = tuple(rule for rule in RULES_BY_STAGE["deduplicate"] if rule not in ALWAYS_APPLIED)
"""Rules of `deduplicate` that apply only if params.yaml: data.near_duplicates is set."""
GENERAL_RULES = tuple(
    rule for name in FILTER_STAGE_NAMES for rule in RULES_BY_STAGE[name] if rule not in NEAR_DUPLICATE_RULES
)
"""Rules of the stages before `validate`, except NEAR_DUPLICATE_RULES."""
SPLIT_RULES = RULES_BY_STAGE["split"]
"""Rules of `split`. No expectation can be about them, because `split` runs after `validate`."""


def outcome_frame(layout: Layout, source: str | None) -> "pd.DataFrame":
    """Return a data frame of outcomes, with one row for each row of a source, or of all sources if `source` is None.

    Its only column is `outcome`. The categories of the column are all outcomes that a row can have.

    Raises:
        AssertionError: A stage used a rule that is not in `tasks.core.steps.data`. Rows that it quarantined would be
            missing from every proportion.
    """
    import numpy as np
    import pandas as pd

    counts = _count_outcomes(layout, source)
    near = read_json(layout.artefacts("deduplicate") / "result.json")["near"] is not None
    possible = [KEPT, *GENERAL_RULES, *(NEAR_DUPLICATE_RULES if near else ())]
    if unlisted := sorted(set(counts) - {KEPT, *GENERAL_RULES, *NEAR_DUPLICATE_RULES}):
        raise AssertionError(
            f"outcomes: stages quarantined rows by {', '.join(unlisted)}, which tasks/core/steps/data.py does not list"
        )
    codes = np.repeat(np.arange(len(possible), dtype=np.int8), [counts[outcome] for outcome in possible])
    return pd.DataFrame({OUTCOME_COLUMN: pd.Categorical.from_codes(codes, categories=pd.Index(possible))})


def _count_outcomes(layout: Layout, source: str | None) -> Counter[str]:
    ingested = read_json(layout.artefacts("ingest") / "result.json")["sources"]
    passages = {"ingest": {item["id"]: item["counts"] for item in ingested}}
    for stage in FILTER_STAGE_NAMES[1:]:
        passages[stage] = read_json(layout.artefacts(stage) / "result.json")["by_source"]
    outcomes: Counter[str] = Counter()
    for by_source in passages.values():
        for name, counts in by_source.items():
            if source in (None, name):
                outcomes.update(counts["quarantined"])
    left = passages[LAST_FILTER_STAGE].items()
    outcomes[KEPT] = sum(counts["records"] for name, counts in left if source in (None, name))
    return outcomes
