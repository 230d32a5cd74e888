"""Filter that removes records whose prompt has too few characters."""

from tasks.stages.data.clean.filter import Filter

FILTER = Filter(
    removes=lambda record, bound: len(record.prompt) < bound,
    reason=lambda record: f"{len(record.prompt)} characters",
)
