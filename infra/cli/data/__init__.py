"""`hallmark data`: sources, datasets and single records, one file a verb."""

import typer

from infra.cli.data import conflicts, inventory, manifest, quarantine, records, show, where, withdraw

app = typer.Typer(
    help="Sources and what became of their rows; single records, with a reason; where a record or a person is.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("inventory")(inventory.inventory)
app.command("manifest")(manifest.manifest)
app.command("quarantine")(quarantine.quarantine)
app.command("conflicts")(conflicts.conflicts)
app.command("show")(show.show)
app.command("where")(where.where)
app.command("records")(records.records)
app.command("withdraw")(withdraw.withdraw)
