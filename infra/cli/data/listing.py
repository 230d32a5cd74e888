"""Command `hallmark data list`: every source with its quality, its use and its withdrawals."""

from pathlib import Path
from typing import Any

from rich.table import Table

from infra.cli import declaration_adoption, shared
from infra.cli.shared import console
from tasks.consent import withdrawals
from tasks.consent.withdrawals import Withdrawal
from tasks.core.formatting import format_share
from tasks.declarations import declarations, status
from tasks.inquiry.inventory import InventoryItem, quality_trend, read_inventory
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import releases
from tasks.runs import journal
from tasks.sources import expectation_suites, sources

COLUMNS = (
    "source", "owner", "classification", "region", "kept", "newest", "rows", "quarantined", "personal",
    "last data gate", "without it",
)  # fmt: skip


def list_sources(
    governance: shared.Governance = None,
    as_json: shared.Json = False,
) -> None:
    """List every source with its owner, classification, freshness, quality in past runs, and the data lost without it.

    Example: hallmark data list
    """
    here = shared.open_checkout(governance)
    ledger, governed, state = here.ledger, here.governance, here.state
    runs = [state / "runs" / line.run for line in journal.read_journals(state)]
    held, gates = (
        read_inventory(sources.load_sources(governed.folder), runs, ledger.now().date()),
        _data_gate_states(state),
    )
    made = releases.releases_by_source(ledger, governed)
    uses = _source_uses(held, withdrawals.withdrawals_in_force(ledger, governed), runs, made.by_name)
    adopted = _adoption_states(ledger, governed)
    if as_json:
        rows = {holding.source.id: _row(holding, gates) | {"adopted": adopted[holding.source.id]} for holding in held}
        shared.print_json([rows.get(name, {"source": {"id": name}}) | use for name, use in uses.items()])
    else:
        _show(held, gates, uses)
        for name, text in adopted.items():
            if text:
                console.print(f"source/{name}: {text}")
    if notice := made.notice():
        shared.print_notice(notice, as_json)


def _adoption_states(ledger: Ledger, governed: Governance) -> dict[str, str | None]:
    inventory, now = sources.load_sources(governed.folder), status.read_status(ledger, governed)
    declared = declarations.declarations_of_sources(
        inventory, expectation_suites.load_suites(governed.folder, inventory)
    )
    asked = not governed.is_local or any(each.subject in now.declarations_by_subject for each in declared)
    return {
        each.source.id: declaration_adoption.status_row(each, now, governed)["text"] if asked else None
        for each in declared
    }


def _source_uses(
    held: list[InventoryItem], withdrawn: dict[str, list[Withdrawal]], runs: list[Path], made: dict[str, list[str]]
) -> dict[str, dict[str, Any]]:
    trends = {holding.source.id: holding.trend for holding in held}
    trends |= {name: quality_trend(name, runs) for name in sorted(withdrawn.keys() - trends.keys())}
    return {
        name: {
            "withdrawn": "; ".join(map(str, withdrawn.get(name, []))) or None,
            "runs": [quality.run for quality in qualities],
            "releases": made.get(name, []),
        }
        for name, qualities in trends.items()
    }


def _show(held: list[InventoryItem], gates: dict[str, str], uses: dict[str, dict[str, Any]]) -> None:
    table = Table(*COLUMNS, box=None, header_style="bold")
    for holding in held:
        table.add_row(*_cells(holding, gates))
    console.print(table)
    declared = [holding.source.id for holding in held]
    for name, use in uses.items():
        if use["withdrawn"]:
            of_run, of_release = (", ".join(use[what]) or "none" for what in ("runs", "releases"))
            gone = "" if name in declared else f"; {name} is not in sources.yaml"
            console.print(f"{use['withdrawn']}{gone}; in runs: {of_run}; in releases: {of_release}")


def _data_gate_states(state: Path) -> dict[str, str]:
    return {line.run: line.gates["data"].state for line in journal.read_journals(state) if "data" in line.gates}


def _row(holding: InventoryItem, gates: dict[str, str]) -> dict[str, Any]:
    return holding.model_dump(mode="json") | {"last_data_gate": _last_gate(holding, gates)}


def _last_gate(holding: InventoryItem, gates: dict[str, str]) -> str | None:
    return next((gates[quality.run] for quality in reversed(holding.trend) if quality.run in gates), None)


def _cells(holding: InventoryItem, gates: dict[str, str]) -> list[str]:
    source, last = holding.source, holding.last
    return [
        source.id,
        source.owner,
        source.classification,
        source.region,
        f"{source.retention_days} days",
        f"{holding.newest or 'no dates'}{' (stale)' * holding.stale}",
        f"{last.rows:,}" if last else "never ran",
        _trend_text(holding),
        f"{last.protected:,} found" if last else "",
        _last_gate(holding, gates) or "none",
        holding.loss_text,
    ]


def _trend_text(holding: InventoryItem) -> str:
    shares = [format_share(quality.quarantined_share) for quality in holding.trend]
    changes = [share for place, share in enumerate(shares) if place == 0 or share != shares[place - 1]]
    return " → ".join(changes[-3:])
