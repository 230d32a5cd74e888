"""Required shares of refusals, handovers and questions back, by task and segment."""

from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from pydantic import Field

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Name

CoveredKind = Literal["refuse", "escalate", "clarify"]
COVERED_KINDS: tuple[CoveredKind, ...] = get_args(CoveredKind)
SegmentField = Literal["language", "department", "geography"]
MIN_NAMED_ROWS = 5
"""Minimum number of rows with a value that the data gate names. A rarer value could tell about a person."""
MAX_SEGMENT_ROWS = 1_000
"""Maximum of `min_segment_rows`. A larger one could leave every segment without a judgement."""


class CoverageRule(FrozenModel):
    """Minimum share of one kind of answers among the records of a task, in training and in test."""

    task: Name
    """Task of the records, a key of `prompts`."""
    kind: CoveredKind
    """Kind of answers: refuse, escalate or clarify."""
    at_least: Annotated[float, Field(gt=0, le=1)]
    """Minimum share of the records with this kind of answers, from 0 to 1. The required number is rounded up."""
    by: SegmentField | None = None
    """Field by whose values the records are divided, each of which needs the share. Null: all records together."""
    min_segment_rows: Annotated[int, Field(ge=MIN_NAMED_ROWS, le=MAX_SEGMENT_ROWS)] = 20
    """Minimum number of records that a value of `by` must have in a partition to be judged there. From 5 to 1,000."""

    @property
    def name(self) -> str:
        return f"{self.task}.{self.kind}" + (f".{self.by}" if self.by else "")


def smallest_asked_share(rules: Sequence[CoverageRule], tasks: Sequence[str], kind: str) -> float:
    """Return the smallest share that is required of a kind among all tasks; 0 if a task requires none.

    Rules with `by` do not count, because they judge no segment with fewer records than `min_segment_rows`.
    """
    asked = {rule.task: rule.at_least for rule in rules if rule.kind == kind and rule.by is None}
    return min((asked.get(task, 0.0) for task in tasks), default=0.0)
