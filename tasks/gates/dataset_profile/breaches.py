"""Rows of a dataset that break the templates of their task.

The rows themselves are judged. The manifest of a run says which rows its stage `clean` removed, but the run's own code
writes it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.core.params.prompts import Prompt

if TYPE_CHECKING:
    from tasks.stages.data.clean.filter import FilterInput

UNKNOWN_TASK = "unknown_task"
"""Rule that a row breaks whose task has no prompt in params.yaml, because no template is known for it."""
MAX_NAMED_RECORDS = 3
RECORD_ID = re.compile(r"[0-9a-f]{32}")


@dataclass
class BreachCounts:
    by_rule: Counter[str] = field(default_factory=Counter)
    """Number of rows by the first rule that they break."""
    records: list[str] = field(default_factory=list)
    """Ids of the first records that break a rule, at most MAX_NAMED_RECORDS. Texts of other forms are left out."""

    def add(self, rule: str, record: str) -> None:
        self.by_rule[rule] += 1
        if len(self.records) < MAX_NAMED_RECORDS and RECORD_ID.fullmatch(record):
            self.records.append(record)


def has_templates(prompts: Mapping[str, Prompt]) -> bool:
    return any(prompt.template is not None or prompt.response is not None for prompt in prompts.values())


def count_breaches(
    counts: BreachCounts, rows: Iterator[tuple[str, "FilterInput"]], prompts: Mapping[str, Prompt]
) -> None:
    """Add the rows that break a rule to the counts.

    Args:
        counts: Counts to add to.
        rows: Record id and fields of each row. A field without a value is an empty text.
        prompts: Prompts by task.
    """
    from tasks.stages.data.clean import template_rules

    for record, row in rows:
        prompt = prompts.get(row.task)
        breach = template_rules.find_breach(row, prompt) if prompt is not None else (UNKNOWN_TASK, "")
        if breach is not None:
            counts.add(breach[0], record)
