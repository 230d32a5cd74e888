"""`hallmark data inventory`: every source and what became of it."""

from pathlib import Path
from typing import Any

from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from tasks.data.inventory import Holding, take
from tasks.govern import sources, withdrawals
from tasks.govern.ledger import open_ledger
from tasks.govern.withdrawals import Withdrawal
from tasks.registry import releases
from tasks.runs import journal
from tasks.runs.run import installed_governance

COLUMNS = (
    "source", "owner", "class", "region", "kept", "newest", "rows", "put aside", "personal", "last data gate",
    "without it",
)  # fmt: skip


def inventory(
    governance: shared.Governance = None,
    as_json: shared.Json = False,
) -> None:
    """Every source: owner, class, freshness, quality over the runs, and what would be lost without it.

    Example: hallmark data inventory
    """
    root = shared.root()
    governed = installed_governance(root, str(governance) if governance else None)
    state = root / ".hallmark"
    runs = [state / "runs" / line.run for line in journal.read_all(state)]
    ledger = open_ledger(state)
    held = take(sources.load(governed.folder), runs, ledger.now().date())
    gates, withdrawn, made = _gates(state), withdrawals.in_force(ledger, governed), releases.by_source(ledger, governed)
    if as_json:
        shared.print_json([_row(holding, gates) | _use(holding, withdrawn, made) for holding in held])
        return
    table = Table(*COLUMNS, box=None, header_style="bold")
    for holding in held:
        table.add_row(*_cells(holding, gates))
    console.print(table)
    for use in (_use(holding, withdrawn, made) for holding in held):
        if use["withdrawn"]:
            of_run, of_release = (", ".join(use[name]) or "none" for name in ("runs", "releases"))
            console.print(f"{use['withdrawn']}; in runs: {of_run}; in releases: {of_release}")


def _use(holding: Holding, withdrawn: dict[str, Withdrawal], made: dict[str, list[str]]) -> dict[str, Any]:
    """Who withdrew a source, when and why, if anybody did, and the runs and releases that have it."""
    found = withdrawn.get(holding.source.id)
    return {
        "withdrawn": str(found) if found else None,
        "runs": [quality.run for quality in holding.trend],
        "releases": made.get(holding.source.id, []),
    }


def _gates(state: Path) -> dict[str, str]:
    """By run, where its data gate stands."""
    return {line.run: line.gates["data"].state for line in journal.read_all(state) if "data" in line.gates}


def _row(holding: Holding, gates: dict[str, str]) -> dict[str, Any]:
    return holding.model_dump(mode="json") | {"stale": holding.stale, "last_data_gate": _last_gate(holding, gates)}


def _last_gate(holding: Holding, gates: dict[str, str]) -> str | None:
    return next((gates[quality.run] for quality in reversed(holding.trend) if quality.run in gates), None)


def _cells(holding: Holding, gates: dict[str, str]) -> list[str]:
    source, last = holding.source, holding.trend[-1] if holding.trend else None
    return [
        source.id,
        source.owner,
        source.classification,
        source.region,
        f"{source.retention_days} days",
        f"{holding.newest or 'no dates'}{' (stale)' * holding.stale}",
        f"{last.rows:,}" if last else "never ran",
        _trend(holding),
        f"{last.protected:,} found" if last else "",
        _last_gate(holding, gates) or "none",
        _without(holding),
    ]


def _trend(holding: Holding) -> str:
    """The share put aside in the last runs, oldest first, runs with the same share told once."""
    shares = [f"{quality.quarantined_share:.1%}" for quality in holding.trend]
    changes = [share for place, share in enumerate(shares) if place == 0 or share != shares[place - 1]]
    return " → ".join(changes[-3:])


def _without(holding: Holding) -> str:
    if holding.loss is None:
        return ""
    only = [f"{', '.join(values)}" for values in holding.loss.only_here.values()]
    return f"{holding.loss.share:.0%} of the rows" + (f", all of {'; '.join(only)}" if only else "")
