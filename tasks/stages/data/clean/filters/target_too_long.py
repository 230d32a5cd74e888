"""Filter that removes records whose target has too many characters."""

from tasks.stages.data.clean.filter import Filter

FILTER = Filter(
    removes=lambda record, bound: len(record.target) > bound,
    reason=lambda record: f"{len(record.target)} characters",
)
