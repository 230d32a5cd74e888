"""Command group `hallmark schedule`, which lists, pauses, resumes and runs schedules and triggers."""

import secrets
from typing import Annotated

import typer

from infra.cli import occasion_context, shared
from infra.cli.shared import console
from tasks.core.documents.config import validate_reason
from tasks.core.formatting import format_exact_time
from tasks.scheduling import control, due_times, overview, trigger_events
from tasks.scheduling.deployments_check import UNCOMMITTED_MESSAGE
from tasks.scheduling.occasion_entries import Occasion
from tasks.scheduling.signed_statements import SwitchAction

Named = Annotated[str, typer.Argument(metavar="NAME", help="Schedule or trigger (`hallmark schedule list`).")]


def list_schedules(as_json: shared.Json = False) -> None:
    """List the adopted schedules and triggers, each with the time of its next run and with its last run.

    Example: hallmark schedule list
    """
    at = occasion_context.open_context()
    rows = [
        overview.make_status(name, at.adopted_deployments, at.occasion_log, at.ledger.now())
        for name in at.adopted_deployments.deployments.named
    ]
    waits = occasion_context.find_uncommitted_edits(at)
    if as_json:
        shared.print_json([it.model_dump(mode="json") | {"uncommitted": waits[it.params]} for it in rows])
        return
    if at.adopted_deployments.error_text:
        console.print(
            f"what is in force cannot be read by this version: {at.adopted_deployments.error_text}", markup=False
        )
    header = ["name", "when", "state", "next", "last run", "params"]
    cells = [[it.name, it.when, it.state, it.next_local, it.last_run or "", it.params] for it in rows]
    shared.print_table(header, cells, "no schedule and no trigger is in force: hallmark deploy --as ID")
    for each in dict.fromkeys(what for files in waits.values() for what in files):
        console.print(f"{each} {UNCOMMITTED_MESSAGE}", markup=False)


def coming(
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many times to show.")] = 10,
    as_json: shared.Json = False,
) -> None:
    """Show the next times at which schedules request runs, in order. Paused schedules are skipped.

    Example: hallmark schedule next --count 5
    """
    at = occasion_context.open_context()
    times = overview.next_due_times(at.adopted_deployments, at.ledger.now(), count)
    if as_json:
        shared.print_json([it.model_dump(mode="json", exclude={"local"}) for it in times])
        return
    rows = [[format_exact_time(it.due), it.local, it.name] for it in times]
    shared.print_table(["due", "by its own clock", "schedule"], rows, "no schedule is due")


def pause(name: Named, reason: shared.Reason, who: shared.ActAs = None, as_json: shared.Json = False) -> None:
    """Pause a schedule or trigger. Runs that would have been requested during the pause are not made up for later.

    Example: hallmark schedule pause nightly --as ml-engineer --reason "the store moves"
    """
    _pause_or_resume("pause", name, reason, who, as_json)


def resume(name: Named, reason: shared.Reason, who: shared.ActAs = None, as_json: shared.Json = False) -> None:
    """Resume a paused schedule or trigger.

    Example: hallmark schedule resume nightly --as ml-engineer --reason "the store has moved"
    """
    _pause_or_resume("resume", name, reason, who, as_json)


def _pause_or_resume(deed: SwitchAction, name: str, reason: str, who: str | None, as_json: bool) -> None:
    at, person = occasion_context.open_context(), shared.acting_person(who)
    entry = control.pause_or_resume(at.ledger, at.governed, deed, name, person, reason)
    if as_json:
        shared.print_json({"name": name, "state": f"{deed}d", "person": person, "ledger_entry": entry.seq})
        return
    console.print(f"{name} {'rests' if deed == 'pause' else 'goes on'}: entry {entry.seq} of the ledger", markup=False)


def run(
    name: Named,
    reason: Annotated[str, typer.Option(help="Why now. It is signed with the request.")] = "",
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Request a run of a schedule or trigger now, in your own name, even if it is paused.

    As the requester, you may not decide at any gate of the run.

    Example: hallmark schedule run nightly --as ml-engineer --reason "the new tickets are there"
    """
    at, person = occasion_context.open_context(), shared.acting_person(who)
    at.adopted_deployments.require_in_force(name)
    asks, now = at.adopted_deployments.deployments.named[name], at.ledger.now()
    why = f": {validate_reason(reason, 'why now')}" if reason else ""
    words = trigger_events.shorten_reason(f"{name}, asked for now{why}")
    key = f"{name}/now/{due_times.format_key_time(now)}-{secrets.token_hex(4)}"
    occasion_context.request_run(
        at, Occasion(key, name, words, asks.params, asks.changes, pool=asks.pool), person, as_json
    )
