"""Command `hallmark trigger`."""

import re
from dataclasses import replace
from typing import Annotated

import typer

from infra.cli import occasion_context, shared
from tasks.core.documents.config import checked_reason
from tasks.core.errors import InputError, Refused
from tasks.scheduling import due_times, trigger_events
from tasks.scheduling.deployments_file import Event

KEY = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}"


def trigger(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Trigger with `on: event`.")],
    reason: Annotated[str, typer.Option(help="What happened. It is signed with the request.")],
    key: Annotated[
        str | None, typer.Option(help="What tells this event from others; the same key again makes no second run.")
    ] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Report an event, for which a run is requested in your name, once for each key.

    A machine that has the scheduler key can report events as `scheduler`.

    Example: hallmark trigger upstream --as ml-engineer --key export-2026-03-02 --reason "the export is there"
    """
    at, person = occasion_context.context(), shared.acting_person(who)
    at.standing.require(name)
    found = at.standing.deployments.triggers.get(name)
    if not isinstance(found, Event):
        raise InputError(f"{name} is no trigger with `on: event`; to ask for its run now: hallmark schedule run")
    if paused := at.standing.paused.get(name):
        raise Refused(f"{name} rests: {paused.person} paused it ({paused.reason})")
    words = checked_reason(reason, "what happened")
    if key is not None and not re.fullmatch(KEY, key):
        raise InputError(f"--key {key}: expected at most 100 letters, digits and . _ : -, as in export-2026-03-02")
    what = key or due_times.key_time(at.ledger.now())
    occasion = replace(trigger_events.make_occasion(name, found, f"event/{what}", words), reported=True)
    occasion_context.request_run(at, occasion, person, as_json)
