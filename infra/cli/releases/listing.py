"""Commands `hallmark releases list` and `hallmark releases show`."""

from typing import Any

from infra.cli import shared
from infra.cli.release_context import Label, open_to_read
from infra.cli.shared import console
from tasks.core.formatting import format_time
from tasks.registry.promote import releases, waivers
from tasks.registry.promote.releases import Release
from tasks.registry.promote.waivers import FailedCheck


def list_releases(as_json: shared.Json = False) -> None:
    """List every release with its aliases and the number of its waivers, newest last.

    Example: hallmark releases list
    """
    ledger, governed = open_to_read()
    with ledger.reading():
        listed = [
            (release, releases.failed_checks(release, ledger, governed))
            for release in releases.list_releases(ledger, governed)
        ]
    if as_json:
        shared.print_json([_document(*each) for each in listed])
        return
    header = ["release", "aliases", "promoted", "run", "waivers", "demo", "bundle"]
    shared.print_columns(header, [_cells(*each) for each in listed], "no release yet: hallmark run")


def show(release: Label, as_json: shared.Json = False) -> None:
    """Show one release: its digests, the decisions at its gates with time and reason, and its waivers.

    Example: hallmark releases show support-triage-1
    """
    ledger, governed = open_to_read()
    promoted, line = releases.get_with_promotions(ledger, governed, release)
    relied = releases.failed_checks_in(line, promoted, ledger, governed)
    decided = releases.decisions(line, promoted, ledger, governed)
    if as_json:
        told = [each.model_dump(mode="json") for each in decided]
        shared.print_json(_document(promoted, relied) | {"decisions": told})
        return
    console.print(promoted.describe(decided))
    for number, each in enumerate(relied):
        console.print(f"{'' if number else 'waivers':<15} {each.describe()}")
    if not relied:
        console.print(f"{'waivers':<15} none: no check failed")


def _document(release: Release, relied: list[FailedCheck]) -> dict[str, Any]:
    return release.model_dump(mode="json") | {"waivers": [each.model_dump(mode="json") for each in relied]}


def _cells(release: Release, relied: list[FailedCheck]) -> list[str]:
    promoted = format_time(release.promoted_at)
    short = waivers.summary(relied)
    aliases = ", ".join(release.aliases)
    return [str(release.label), aliases, promoted, release.run, short, "demo" * release.demo, release.bundle]
