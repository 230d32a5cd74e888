"""`hallmark data`: the sources, one record with a reason, and where records and people are."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli import datasets, shared
from infra.cli.conflicts import conflicts
from infra.cli.shared import console
from infra.cli.withdraw import withdraw
from tasks.data import disclose, inventory, lineage
from tasks.data.conflicts.words import visible
from tasks.data.inventory import Holding
from tasks.data.lineage import Membership
from tasks.data.protect.tokens import token
from tasks.dataset import Dataset
from tasks.errors import InputError
from tasks.govern import approved, docket, evidence, sources, vault_keys, withdrawals
from tasks.govern.change import Change
from tasks.govern.ledger import open_ledger
from tasks.govern.protection import IDENTIFYING
from tasks.govern.sources import ResolvedSources
from tasks.govern.withdrawals import Withdrawal
from tasks.layout import Layout
from tasks.registry import releases
from tasks.runs import journal
from tasks.runs.repository import Repository
from tasks.runs.run import installed_governance, open_run

app = typer.Typer(
    help="The inventory of sources; single records, with a reason; where a record or a person is.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command()(conflicts)
app.command()(withdraw)
Governance = Annotated[Path | None, typer.Option(metavar="DIR", help="Other governance files.")]


@app.command("inventory")
def list_sources(governance: Governance = None, as_json: shared.Json = False) -> None:
    """Every source: owner, class, freshness, quality over the runs, and what would be lost without it.

    Example: hallmark data inventory
    """
    root = shared.root()
    governed = installed_governance(root, str(governance) if governance else None)
    state = root / ".hallmark"
    runs = [state / "runs" / line.run for line in journal.read_all(state)]
    ledger = open_ledger(state)
    held = inventory.take(sources.load(governed.folder), runs, ledger.now().date())
    gates, withdrawn, made = _gates(state), withdrawals.in_force(ledger, governed), releases.by_source(ledger, governed)
    if as_json:
        shared.print_json([_row(holding, gates) | _use(holding, withdrawn, made) for holding in held])
        return
    columns = (
        "source",
        "owner",
        "class",
        "region",
        "kept",
        "newest",
        "rows",
        "put aside",
        "personal",
        "last data gate",
    )
    table = Table(*columns, "without it", box=None, header_style="bold")
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


@app.command()
def show(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="Id of a record, or its beginning.")],
    run: Annotated[str, typer.Option(metavar="RUN", help="The run whose finding it is.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger for good.")],
    who: shared.As = None,
    as_json: shared.Json = False,
) -> None:
    """One record as its source had it, through the vault. Who looked and why is on the ledger.

    Example: hallmark data show 4f1c09ab --run 20260303-120000-a1b2 --reason "conflict with 77aa" --as data-owner
    """
    root = shared.root()
    layout = Layout(root / ".hallmark" / "runs" / run)
    people = installed_governance(root, None).people
    found = disclose.show(layout, record, shared.identity(who), reason, people, open_ledger(root / ".hallmark"))
    if as_json:
        shared.print_json(found.model_dump(mode="json"))
        return
    console.print(f"record {found.record_id}: source {found.source_id}, row {found.row}")
    for turn in found.messages:
        console.print(f"  {turn['role']}: {visible(turn['content'])}")
    if found.labelled_by:
        console.print(f"  labelled by {visible(found.labelled_by)}")
    for finding in found.findings:
        console.print(f"  put aside by {finding}")


@app.command("manifest")
def show_manifest(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, as `hallmark status` shows it.")],
    as_json: shared.Json = False,
) -> None:
    """What a run's dataset is made of, source by source, and what changed since the one approved last.

    Example: hallmark data manifest 20260303-120000-a1b2
    """
    dataset, change = _manifest(run)
    if as_json:
        known = change.model_dump(mode="json") if change else None
        shared.print_json({"dataset": dataset.model_dump(mode="json"), "change": known})
    else:
        datasets.show(dataset, change)


def _manifest(run: str) -> tuple[Dataset, Change | None]:
    """As the owners were shown it; before the data gate, as it would be shown now."""
    root = shared.root()
    opened, ledger = open_run(root, run), open_ledger(root / ".hallmark")
    for case in reversed(docket.cases(ledger, run, "data")):
        if case.evidence.dataset:
            return case.evidence.dataset, case.evidence.change
    found = evidence.read_dataset(opened.layout)
    if found is None:
        raise InputError(f"run {run} has no dataset yet; name a run that has been through `split`")
    before = approved.last(ledger, opened.params.use_case.name, opened.request.demo_approvals)
    return found, evidence.changed(before, found)


@app.command()
def where(
    record: Annotated[str | None, typer.Option(metavar="ID", help="A record's id, at least 16 digits.")] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="VALUE", help="A name, address or number of a person, as they would write it.")
    ] = None,
    as_json: shared.Json = False,
) -> None:
    """Every source row, dataset and release that a record or a person is in.

    A person is looked up by keyed tokens: the index holds nothing readable, and the vault's key is needed.

    Example: hallmark data where --subject "ada@example.org"
    """
    if (record is None) == (subject is None):
        raise InputError("say either --record ID or --subject VALUE")
    root = shared.root()
    found = _members(root / ".hallmark", record, subject)
    released = _releases(root)
    rows = [vars(member) | {"releases": released.get(member.dataset, [])} for member in found]
    if as_json:
        shared.print_json(rows)
        return
    table = Table("record", "source", "row", "dataset", "side", "releases", box=None, header_style="bold")
    for member, row in zip(found, rows, strict=True):
        names = ", ".join(row["releases"])
        table.add_row(member.record, member.source_id, str(member.row), member.dataset[:12], member.side, names)
    console.print(table if rows else "in no dataset")


@app.command()
def records(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="NAME-VERSION, as `hallmark releases list` shows.")],
    as_json: shared.Json = False,
) -> None:
    """The records behind a release, by source, with licence and lawful basis as they were; --json lists each.

    Example: hallmark data records support-triage-1
    """
    root = shared.root()
    found = releases.get(open_ledger(root / ".hallmark"), installed_governance(root, None), release)
    pinned = Repository.open(root).git("show", f"{found.commit}:inputs/sources.json")
    named = {item.source.id: item.source for item in ResolvedSources.model_validate_json(pinned).sources}
    members = lineage.of_dataset(root / ".hallmark", releases.dataset(found))
    if as_json:
        shared.print_json(
            [
                {"record": m.record, "side": m.side, "source": m.source_id, "row": m.row}
                | named[m.source_id].model_dump(include={"owner", "licence", "lawful_basis"})
                for m in members
            ]
        )
        return
    table = Table("source", "train", "test", "owner", "licence", "lawful basis", box=None, header_style="bold")
    for source in named.values():
        sides = [m.side for m in members if m.source_id == source.id]
        counts = (f"{sides.count(side):,}" for side in lineage.SIDES)
        table.add_row(source.id, *counts, source.owner, source.licence, source.lawful_basis)
    console.print(table)


def _members(state: Path, record: str | None, subject: str | None) -> list[Membership]:
    if subject is not None:
        key = vault_keys.load(state).tokens
        return lineage.of_subjects(state, [token(category, subject, key) for category in sorted(IDENTIFYING)])
    if record is None or len(record) < 16 or set(record) - set("0123456789abcdef"):
        raise InputError(f"expected a record's id, at least 16 hex digits, got {record!r}")
    return lineage.of_record(state, record)


def _releases(root: Path) -> dict[str, list[str]]:
    """By the digest of a dataset, the releases trained on it."""
    governed, ledger = installed_governance(root, None), open_ledger(root / ".hallmark")
    found: dict[str, list[str]] = {}
    for release in releases.list_releases(ledger, governed):
        found.setdefault(releases.dataset(release), []).append(str(release.label))
    return found
