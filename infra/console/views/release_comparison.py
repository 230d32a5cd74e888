"""Differences between two releases."""

from infra import release_diff
from infra.console.site import RequestState
from tasks.core.documents.config import FrozenModel
from tasks.gates.checks.dataset_diff import DatasetChange, ValueChange
from tasks.gates.evidence_text import change_text
from tasks.policy.people import Person
from tasks.registry.history.comparison import MetricChange, ReleaseDifference
from tasks.registry.promote import releases as promoted


class Change(FrozenModel):
    what: str
    change: str


class ReleaseComparison(FrozenModel):
    before: str
    now: str
    against: list[str]
    """Releases that failed verification on this machine, each as its label and the reason."""
    parts: dict[str, list[Change]]
    """Differences by part: `data`, `parameters`, `code`, `base model`, `figures`, `policy` and `people`."""


def release_comparison(here: RequestState, person: Person, before: str, now: str) -> ReleaseComparison:
    for label in (before, now):  # the command accepts folders too, which a page must not open
        promoted.get_release(here.ledger, here.governance, label)
    found, _ = release_diff.compare_releases(here.root, before, now, here.ledger, here.governance)
    return ReleaseComparison(
        before=before,
        now=now,
        against=[f"{side.release}: {side.against}" for side in (found.before, found.now) if side.against],
        parts={name: moves for name, moves in _parts(found).items() if moves},
    )


def _parts(it: ReleaseDifference) -> dict[str, list[Change]]:
    return {
        "data": data_changes(it.data),
        "parameters": changed_values(it.parameters),
        "code": code_changes(it.code, it.code_why) + changed_values(it.made_with),
        "base model": changed_values(it.base_model),
        "figures": metric_changes(it.figures),
        "policy": changed_values(it.policy),
        "people": changed_values(it.people),
    }


def data_changes(change: DatasetChange) -> list[Change]:
    sources = [
        Change(what=f"source {name}", change=source.content)
        for name, source in change.sources.items()
        if source.content != "same"
    ]
    return sources + [
        Change(what=f"{side} rows", change=change_text(it)) for side, it in change.rows.items() if not it.unchanged
    ]


def code_changes(names: list[str] | None, why: str) -> list[Change]:
    return [Change(what=line, change="") for line in names or []] + [
        Change(what="which files differ", change=why)
    ] * bool(why)


def metric_changes(found: dict[str, MetricChange]) -> list[Change]:
    return [
        Change(what=name, change=f"{figure.before or 'none'} → {figure.now or 'none'}, intervals: {figure.intervals}")
        for name, figure in found.items()
        if figure.before != figure.now
    ]


def changed_values(moved: dict[str, ValueChange]) -> list[Change]:
    return [Change(what=name, change=change_text(pair)) for name, pair in moved.items() if not pair.unchanged]
