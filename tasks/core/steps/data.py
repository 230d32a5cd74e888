"""The stages of data: those that filter, then the one that asks the owners' suites and the one that divides.

Every one reads SOURCES: it names the version of Python, whose Unicode tables decide what is written.
"""

from tasks.core.steps.stage import SOURCES, SUITES, Stage

FILTERS: tuple[Stage, ...] = (
    Stage(
        "ingest",
        "tasks.stages.data.ingest.ingest",
        ("data", "prompts"),
        (SOURCES,),
        rules=(
            "stray_quote", "field_count", "not_json", "not_object", "not_text", "undecodable", "bad_messages",
            "bad_effective_from", "bad_retired_at", "unknown_kind", "unknown_split", "missing_target",
            "past_retention", "retired", "undetectable",
        ),
    ),
    Stage(
        "clean",
        "tasks.stages.data.clean.clean",
        ("data",),
        ("artefacts/ingest", SOURCES),
        rules=("empty_prompt", "prompt_too_short", "prompt_too_long", "target_too_long"),
    ),
    Stage(
        "deduplicate",
        "tasks.stages.data.deduplicate.deduplicate",
        ("data",),
        ("artefacts/ingest/rows.parquet", "artefacts/clean", SOURCES),
        rules=("exact_duplicate", "near_test", "superseded", "near_duplicate", "conflict", "conflict_undecided"),
    ),
)  # fmt: skip
"""The stages that put rows aside, each from the records that the one before has left. Each leaves records.parquet,
quarantine.parquet and, in result.json, its counts by source; a new one is a line here. `ingest` puts rows aside by
protected classes and by labels as well (`tasks.stages.data.validate.outcomes`)."""

FILTERED: tuple[str, ...] = tuple(stage.name for stage in FILTERS)
LAST: str = FILTERED[-1]
"""Its records are those that suites are asked of, and that `split` divides."""


def _left(*whole: str) -> tuple[str, ...]:
    """The results of all that filter; of the last and of those in `whole` all that they leave."""
    return tuple(f"artefacts/{name}{'' if name in (*whole, LAST) else '/result.json'}" for name in FILTERED)


DATA: tuple[Stage, ...] = (
    *FILTERS,
    Stage("validate", "tasks.stages.data.validate.validate", ("evaluation",), (*_left(), SOURCES, SUITES)),
    Stage(
        "split",
        "tasks.stages.data.split.split",
        ("data", "evaluation"),
        (*_left("ingest", "deduplicate"), SOURCES),  # the row of each record, and which are near-identical
        rules=("prompt_in_test",),
    ),
)
