"""Reference page of the rules by which data stages remove rows and records."""

from infra.docs.markdown import markdown_table
from tasks.core.params.filters import FILTER_RULES
from tasks.core.steps.kinds import CONVERSATION_RULES, SOURCE_KINDS
from tasks.stages.data.validate.outcomes import RULES_BY_STAGE

INTRODUCTION = """# Rules

Each row that a data stage removes has its rule in the stage's quarantine.parquet, with a reason.
[Data rules](data-rules.md) explains those of `deduplicate`.
"""


def render_page() -> str:
    bounds = {rule: f"`data.{parameter}` of params.yaml" for rule, parameter in FILTER_RULES.items()}
    conversations = dict.fromkeys((*CONVERSATION_RULES, "no_assistant_turn"), "`mapping.conversation` of sources.yaml")
    readers = conversations | {rule: f"reader of {kind}" for kind, rules in SOURCE_KINDS.items() for rule in rules}
    origins = bounds | readers
    rows = [(stage, f"`{rule}`", origins.get(rule, "")) for stage, rules in RULES_BY_STAGE.items() for rule in rules]
    return f"{INTRODUCTION}\n{markdown_table(('stage', 'rule', 'set by'), rows)}"
