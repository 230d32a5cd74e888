"""List of the data stages: the filters, then `validate`, which checks expectation suites, and finally `split`.

All of them depend on the input SOURCES. This input also contains the version of Python, because Python's Unicode tables
affect the outputs.
"""

from tasks.core.params.filters import FILTER_RULES
from tasks.core.steps.kinds import MALFORMED_RULES
from tasks.core.steps.stage import SOURCES_PATH, SUITES_PATH, Stage

RESPONSE_RULES = (
    "unparsable_response", "missing_response_field", "unknown_response_field", "wrong_response_type",
    "unknown_response_label", "missing_citation",
)  # fmt: skip
"""Rules of `clean` about targets that do not have the form that `prompts.TASK.response` demands."""
TEMPLATE_RULES = ("missing_template_value", *RESPONSE_RULES)
"""Rules of `clean` that apply to tasks with a template of prompt or response."""

FILTER_STAGES: tuple[Stage, ...] = (
    Stage(
        "ingest",
        "tasks.stages.data.ingest.ingest",
        ("data", "prompts"),
        (SOURCES_PATH,),
        quarantine_rules=(
            *MALFORMED_RULES, "not_text", "undecodable", "bad_messages", "bad_effective_from", "bad_retired_at",
            "unknown_kind", "unknown_split", "missing_target", "no_assistant_turn", "past_retention", "retired",
            "undetectable", "same_names", "erased", "unknown_origin", "no_generator", "no_generator_prompt",
            "bad_parents", "jailbreak", "synthetic_personal", "unknown_parent", "parent_rejected",
        ),
    ),
    Stage(
        "clean",
        "tasks.stages.data.clean.clean",
        ("data", "evaluation", "prompts"),
        ("artefacts/ingest", SOURCES_PATH),
        quarantine_rules=("empty_prompt", *FILTER_RULES, "unreadable_target", *TEMPLATE_RULES),
    ),
    Stage(
        "deduplicate",
        "tasks.stages.data.deduplicate.deduplicate",
        ("data",),
        ("artefacts/ingest/rows.parquet", "artefacts/ingest/synthetic.parquet", "artefacts/clean", SOURCES_PATH),
        quarantine_rules=(
            "exact_duplicate", "near_test", "superseded", "near_duplicate", "conflict", "conflict_undecided",
            "synthetic_copy", "parent_quarantined",
        ),
    ),
)  # fmt: skip
"""Stages that quarantine rows, in order. Each reads the records of the previous stage. It writes records.parquet,
quarantine.parquet, and result.json with counts by source. A new stage needs an entry here; a filter of single records
needs only a line in `tasks.core.params.filters`. Rules of `ingest` that depend on categories of personal data or on
labels are listed in `tasks.stages.data.validate.outcomes` instead."""

FILTER_STAGE_NAMES: tuple[str, ...] = tuple(stage.name for stage in FILTER_STAGES)
LAST_FILTER_STAGE: str = FILTER_STAGE_NAMES[-1]


def _filter_output_paths(*whole: str) -> tuple[str, ...]:
    return tuple(
        f"artefacts/{name}{'' if name in (*whole, LAST_FILTER_STAGE) else '/result.json'}"
        for name in FILTER_STAGE_NAMES
    )


DATA_STAGES: tuple[Stage, ...] = (
    *FILTER_STAGES,
    Stage(
        "validate",
        "tasks.stages.data.validate.validate",
        ("evaluation",),
        (*_filter_output_paths(), SOURCES_PATH, SUITES_PATH),
    ),
    Stage(
        "split",
        "tasks.stages.data.split.split",
        ("data", "evaluation"),
        (
            *_filter_output_paths("ingest", "deduplicate"),
            SOURCES_PATH,
        ),  # the row of each record, and near-identical records
        quarantine_rules=("prompt_in_test", "label_not_trained", "parent_in_test", "parent_validates"),
    ),
)
