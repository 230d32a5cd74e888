"""List of sources: owner, approved uses, and quality in the last runs."""

from datetime import date

from infra.console.site import RequestState
from tasks.consent import withdrawals
from tasks.core.documents.config import FrozenModel
from tasks.inquiry import inventory
from tasks.inquiry.inventory import InventoryItem, SourceQuality
from tasks.policy.people import Person
from tasks.runs import journal
from tasks.sources import sources
from tasks.sources.sources import Source

TREND_RUNS = 20


class SourceRow(FrozenModel):
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
    """Date of the newest record in the last run; null if the records have no dates."""
    stale: bool
    """Whether the newest record is older than the source's declaration allows."""
    rows: int | None
    """Number of rows in the last run that used this source; null if there is no such run."""
    aside_share: float | None
    """Fraction of these rows that was quarantined, from 0 to 1."""
    trend: list[SourceQuality]
    """Quality in the last runs, oldest first."""
    last_run: str
    """Id of the last run that used this source; empty if there is none. `rows` and the last item of `trend` belong to
    this run."""
    without: str
    """Data that the last dataset would lack without this source, in words; empty if unknown."""
    withdrawn: str
    """Withdrawals that currently apply to the source, in words; empty if there are none."""


class Data(FrozenModel):
    rows: list[SourceRow]


def data(here: RequestState, person: Person) -> Data:
    known = [here.state / "runs" / each.run for each in reversed(journal.read_newest_journals(here.state, TREND_RUNS))]
    held = inventory.read_inventory(sources.load_sources(here.governance.folder), known, here.ledger_time.date())
    withdrawn_by_source = withdrawals.withdrawals_in_force(here.ledger, here.governance)
    return Data(rows=[_row(each, "; ".join(map(str, withdrawn_by_source.get(each.source.id, [])))) for each in held])


def _row(holding: InventoryItem, withdrawn: str) -> SourceRow:
    last, declared = holding.last, set(SourceRow.model_fields) & set(Source.model_fields)
    return SourceRow(
        source=holding.source.id,
        **holding.source.model_dump(include=declared),
        newest=holding.newest,
        stale=holding.stale,
        rows=last.rows if last else None,
        aside_share=last.quarantined_share if last else None,
        trend=holding.trend,
        last_run=last.run if last else "",
        without=holding.loss_text,
        withdrawn=withdrawn,
    )
