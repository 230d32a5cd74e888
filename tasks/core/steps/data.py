"""List of the data stages: the filters, then `validate`, which checks expectation suites, and `split`.

All of them depend on the input SOURCES. It contains the version of Python, because Python's Unicode tables affect the
outputs.
"""

from tasks.core.params.filters import FILTER_RULES
from tasks.core.steps.kinds import MALFORMED_RULES
from tasks.core.steps.stage import SOURCES, SUITES, Stage

FILTERS: tuple[Stage, ...] = (
    Stage(
        "ingest",
        "tasks.stages.data.ingest.ingest",
        ("data", "prompts"),
        (SOURCES,),
        rules=(
            *MALFORMED_RULES, "not_text", "undecodable", "bad_messages", "bad_effective_from", "bad_retired_at",
            "unknown_kind", "unknown_split", "missing_target", "past_retention", "retired", "undetectable",
            "same_names",
        ),
    ),
    Stage(
        "clean",
        "tasks.stages.data.clean.clean",
        ("data", "evaluation"),
        ("artefacts/ingest", SOURCES),
        rules=("empty_prompt", *FILTER_RULES, "unreadable_target"),
    ),
    Stage(
        "deduplicate",
        "tasks.stages.data.deduplicate.deduplicate",
        ("data",),
        ("artefacts/ingest/rows.parquet", "artefacts/clean", SOURCES),
        rules=("exact_duplicate", "near_test", "superseded", "near_duplicate", "conflict", "conflict_undecided"),
    ),
)  # fmt: skip
"""Stages that quarantine rows, in order. Each reads the records of the previous stage and writes records.parquet,
quarantine.parquet and result.json with counts by source. A new stage needs an entry here; a filter of single records
needs only a line in `tasks.core.params.filters`. Rules of `ingest` that depend on categories of personal data or on
labels are not listed here but in `tasks.stages.data.validate.outcomes`."""

FILTER_NAMES: tuple[str, ...] = tuple(stage.name for stage in FILTERS)
LAST_FILTER: str = FILTER_NAMES[-1]


def _filter_outputs(*whole: str) -> tuple[str, ...]:
    return tuple(f"artefacts/{name}{'' if name in (*whole, LAST_FILTER) else '/result.json'}" for name in FILTER_NAMES)


DATA_STAGES: tuple[Stage, ...] = (
    *FILTERS,
    Stage("validate", "tasks.stages.data.validate.validate", ("evaluation",), (*_filter_outputs(), SOURCES, SUITES)),
    Stage(
        "split",
        "tasks.stages.data.split.split",
        ("data", "evaluation"),
        (*_filter_outputs("ingest", "deduplicate"), SOURCES),  # the row of each record, and near-identical records
        rules=("prompt_in_test",),
    ),
)
