"""Limits on synthetic records that a run will exceed, whatever it makes of them. They are known from sources.yaml."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tasks.policy.tier import Tier
from tasks.sources.sources import Source, Sources
from tasks.trust.gate_statement import GateName


class ExceededLimit(NamedTuple):
    gate: GateName
    check: str
    reason: str


def find_exceeded_limits(sources: Sources, tier: Tier) -> Iterator[ExceededLimit]:
    """Yield the checks that fail since all records of a task, or of a source, are synthetic."""
    reasons = {
        "split.synthetic_share": list(_tasks_without_real_source(sources)),
        "split.synthetic_test_rows": [
            f"source {each.id} is synthetic and has `split: test`"
            for each in _synthetic(sources)
            if each.partition == "test"
        ],
        "ingest.synthetic_without_parents": [
            f"source {each.id} is synthetic and maps no column to `parents`"
            for each in _synthetic(sources)
            if each.mapping.parents is None
        ],
    }
    for gate, rules in tier.gates.items():
        for check in rules.checks:
            limit = check.at_most
            if limit is not None and limit < 1:
                yield from (ExceededLimit(gate, check.name, reason) for reason in reasons.get(check.fact, ()))


def find_untested_tasks(sources: Sources) -> Iterator[str]:
    """Yield a message if every source is synthetic and none is tested.

    Stage `split` would have no test records.
    """
    made = _synthetic(sources)
    tested = any(each.partition in ("test", "draw") or each.mapping.split for each in made)
    if len(made) == len(sources.sources) and not tested:
        yield (
            "every source is synthetic, and synthetic records are trained only, so nothing would be tested. Add a "
            "source of real records. If the test is to be synthetic too, say `split: draw` or `split: test` of a source"
        )


def _synthetic(sources: Sources) -> list[Source]:
    """Return the sources of which every record is synthetic."""
    return [each for each in sources.sources if each.constants.origin == "synthetic" and each.mapping.origin is None]


def _tasks_without_real_source(sources: Sources) -> Iterator[str]:
    by_task = defaultdict[str, list[str]](list)
    for each in sources.sources:
        by_task[each.constants.task].append(each.id)
    made = {each.id for each in _synthetic(sources)}
    for task, names in by_task.items():
        if made.issuperset(names):
            yield f"every source of task {task} is synthetic: {', '.join(names)}"
