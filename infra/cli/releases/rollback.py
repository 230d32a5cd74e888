"""Commands `hallmark releases rollback` and `hallmark releases confirm`."""

import sys
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.release_context import Label, open_to_change
from infra.cli.shared import console
from tasks.ledger.heads import publication
from tasks.registry.promote import emergency_rollback, promotion


def rollback(
    release: Label,
    reason: shared.Reason,
    who: shared.ActAs = None,
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Your role in this order, where you hold several.")
    ] = None,
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="Emergency: at once and alone, in the role that policy names.")
    ] = False,
    as_json: shared.Json = False,
) -> None:
    """Order a rollback, after which an earlier release is champion again.

    The rollback takes effect once all roles of the release gate have ordered it. With --break-glass it is an emergency
    rollback: it takes effect at once, and a second person confirms it afterwards.

    Example: hallmark releases rollback support-triage-1 --as risk-officer --reason "wrong queue for refunds"
    """
    ledger, governed = open_to_change()
    made, wanted, _ = promotion.rollback(
        ledger, governed, release, shared.acting_person(who), reason, role, break_glass
    )
    for text in publication.publish_if_changed(ledger, governed):
        print(f"hallmark: {text}", file=sys.stderr)
    if as_json:
        shared.print_json(made.model_dump(mode="json") | {"waiting_for": wanted})
    else:
        console.print(f"ordered; it waits for {' and '.join(wanted)}" if wanted else f"{made.label} is champion again")
    if break_glass:
        shared.print_notice(
            f"a second person has to confirm it: hallmark releases confirm {made.label} --as ID", as_json
        )


def confirm(
    release: Label,
    reason: Annotated[str, typer.Option(help="What you found. The ledger keeps it.")],
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Confirm an emergency rollback to a release as a second person. This closes its incident.

    Example: hallmark releases confirm support-triage-1 --as approver --reason "refunds went to the wrong queue"
    """
    ledger, governed = open_to_change()
    entry = emergency_rollback.confirm_rollback(ledger, governed, release, shared.acting_person(who), reason)
    document = {"release": release, "incident": entry.subject, "state": "closed", "ledger_entry": entry.seq}
    done = f"confirmed: entry {entry.seq} of the ledger closes {entry.subject}"
    shared.print_json(document) if as_json else console.print(done)
