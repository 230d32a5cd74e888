"""`hallmark releases list` and `show`."""

from rich.table import Table

from infra.cli import shared
from infra.cli.registered import Label, in_force
from infra.cli.shared import console
from tasks.registry import releases


def list_releases(as_json: shared.Json = False) -> None:
    """Every release with its aliases, newest last.

    Example: hallmark releases list
    """
    governed, ledger = in_force()
    found = releases.list_releases(ledger, governed)
    if as_json:
        shared.print_json([release.model_dump(mode="json") for release in found])
        return
    table = Table("release", "aliases", "promoted", "run", "demo", "bundle", box=None, header_style="bold")
    for r in found:
        table.add_row(
            r.label, ", ".join(r.aliases), f"{r.promoted_at:%Y-%m-%d %H:%M} UTC", r.run, "demo" * r.demo, r.bundle
        )
    console.print(table if found else "no release yet: hallmark run")


def show(release: Label, as_json: shared.Json = False) -> None:
    """One release: digests, gates and who decided.

    Example: hallmark releases show support-triage-1
    """
    governed, ledger = in_force()
    found = releases.get(ledger, governed, release)
    shared.print_json(found.model_dump(mode="json")) if as_json else console.print(found.describe())
