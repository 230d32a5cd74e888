"""Every source: who answers for it, what it may be used for, and what the last runs made of it."""

from datetime import date

from infra.console.site import Here
from tasks.consent import withdrawals
from tasks.core.config import Frozen
from tasks.inquiry import inventory
from tasks.inquiry.inventory import Holding, Quality
from tasks.policy.people import Person
from tasks.runs import journal
from tasks.sources import sources

RUNS = 20
"""Last runs that trends are of."""


class SourceRow(Frozen):
    source: str
    description: str
    owner: str
    steward: str
    classification: str
    lawful_basis: str
    licence: str
    region: str
    retention_days: int
    approved_uses: list[str]
    newest: date | None
    """Of its newest record in the last run."""
    stale: bool
    """It is older than the source promises to be."""
    rows: int | None
    """In the last run; null where it never ran."""
    aside_share: float | None
    """Share of these that stages put aside."""
    trend: list[Quality]
    """Oldest first."""
    last_run: str
    """That rows and trend end with; empty where it never ran."""
    without: str
    """What the last dataset would lose without it, in words."""
    withdrawn: str


class Data(Frozen):
    rows: list[SourceRow]


def data(here: Here, person: Person) -> Data:
    """As sources.yaml of this checkout has them."""
    known = [here.state / "runs" / each.run for each in reversed(journal.newest(here.state, RUNS))]
    held = inventory.take(sources.load(here.governance.folder), known, here.now.date())
    taken = withdrawals.in_force(here.ledger, here.governance)
    return Data(rows=[_row(each, "; ".join(map(str, taken.get(each.source.id, [])))) for each in held])


def _row(holding: Holding, withdrawn: str) -> SourceRow:
    source, last = holding.source, holding.trend[-1] if holding.trend else None
    return SourceRow(
        source=source.id,
        description=source.description,
        owner=source.owner,
        steward=source.steward,
        classification=source.classification,
        lawful_basis=source.lawful_basis,
        licence=source.licence,
        region=source.region,
        retention_days=source.retention_days,
        approved_uses=source.approved_uses,
        newest=holding.newest,
        stale=holding.stale,
        rows=last.rows if last else None,
        aside_share=last.quarantined_share if last else None,
        trend=holding.trend,
        last_run=last.run if last else "",
        without=_loss(holding),
        withdrawn=withdrawn,
    )


def _loss(holding: Holding) -> str:
    if holding.loss is None:
        return ""
    only = "; ".join(f"{name} {', '.join(values)}" for name, values in holding.loss.only_here.items() if values)
    return f"{holding.loss.share:.1%} of the rows{f'; alone has {only}' if only else ''}"
