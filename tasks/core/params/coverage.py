"""Required shares of refusals, handovers and questions back, by task and segment."""

from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from pydantic import Field

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Name

CoveredKind = Literal["refuse", "escalate", "clarify"]
COVERED_KINDS: tuple[CoveredKind, ...] = get_args(CoveredKind)
SegmentField = Literal["language", "department", "geography"]


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
    min_segment_rows: Annotated[int, Field(ge=1)] = 20
    """Minimum number of records that a value of `by` must have in a partition to be judged there."""

    @property
    def name(self) -> str:
        return f"{self.task}.{self.kind}" + (f".{self.by}" if self.by else "")


def smallest_asked_share(rules: Sequence[CoverageRule], tasks: Sequence[str], kind: str) -> float:
    """Return the smallest share that is required of a kind among all tasks; 0 if a task requires none.

    A task with several rules for the kind counts with the largest share.
    """
    asked = [
        max((rule.at_least for rule in rules if (rule.task, rule.kind) == (task, kind)), default=0) for task in tasks
    ]
    return min(asked, default=0)
