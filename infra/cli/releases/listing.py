"""Commands `hallmark releases list` and `hallmark releases show`."""

from infra.cli import shared
from infra.cli.release_context import Label, open_to_read
from infra.cli.shared import console
from tasks.core.formatting import format_time
from tasks.registry.promote import releases
from tasks.registry.promote.releases import ReleaseSummary
from tasks.suppression import in_force


def list_releases(as_json: shared.Json = False) -> None:
    """List every release with its aliases and the number of its waivers, newest last.

    Example: hallmark releases list
    """
    ledger, governed = open_to_read()
    with ledger.reading():
        listed = releases.list_summaries(ledger, governed)
    if as_json:
        shared.print_json([it.model_dump(mode="json") for it in listed])
        return
    header = ["release", "aliases", "promoted", "run", "waivers", "demo", "bundle"]
    shared.print_table(header, [_cells(it) for it in listed], "no release yet: hallmark run")


def show(release: Label, as_json: shared.Json = False) -> None:
    """Show one release: its digests, the decisions at its gates with time and reason, and its waivers.

    Example: hallmark releases show support-triage-1
    """
    ledger, governed = open_to_read()
    known, line = releases.get_release_with_promotions(ledger, governed, release)
    it = releases.summarise_release(known, line, ledger, governed)
    decided = releases.release_decision_summaries(line, known, ledger, governed)
    marks = in_force.release_marks(ledger).get(str(known.label), [])
    if as_json:
        decisions, erasures = ([each.model_dump(mode="json") for each in listed] for listed in (decided, marks))
        shared.print_json(it.model_dump(mode="json") | {"decisions": decisions, "erasures": erasures})
        return
    console.print(it.describe(decided))
    for number, each in enumerate(it.waivers):
        console.print(f"{'' if number else 'waivers':<15} {each.describe()}")
    for mark in marks:
        console.print(f"{'erasure':<15} {mark}")
    if not it.waivers:
        console.print(f"{'waivers':<15} none: no check failed")


def _cells(it: ReleaseSummary) -> list[str]:
    gone = f", {it.expired} of them no more" * bool(it.expired)
    waived = f"{len(it.waivers)}{gone}" if it.waivers else ""
    aliases = ", ".join(it.aliases)
    return [str(it.label), aliases, format_time(it.promoted_at), it.run, waived, "demo" * it.demo, it.bundle]
