"""Command `hallmark trigger`."""

import re
from dataclasses import replace
from typing import Annotated

import typer

from infra.cli import occasion_context, shared
from tasks.core.documents.config import validate_reason
from tasks.core.errors import InputError, Refused
from tasks.scheduling import due_times, trigger_events
from tasks.scheduling.deployments_file import EventReported

EVENT_KEY_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}"


def trigger(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Trigger with `on: event`.")],
    reason: Annotated[str, typer.Option(help="What happened. It is signed with the request.")],
    key: Annotated[
        str | None, typer.Option(help="What tells this event from others; the same key again makes no second run.")
    ] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Report an event, and request a run for it in your name. Each key leads to at most one run.

    A machine that has the scheduler key can report events as `scheduler`.

    Example: hallmark trigger upstream --as ml-engineer --key export-2026-03-02 --reason "the export is there"
    """
    at, person = occasion_context.open_context(), shared.acting_person(who)
    at.adopted_deployments.require_in_force(name)
    found = at.adopted_deployments.deployments.triggers.get(name)
    if not isinstance(found, EventReported):
        raise InputError(f"{name} is no trigger with `on: event`; to ask for its run now: hallmark schedule run")
    if paused := at.adopted_deployments.pauses.get(name):
        raise Refused(f"{name} rests: {paused.person} paused it ({paused.reason})")
    words = validate_reason(reason, "what happened")
    if key is not None and not re.fullmatch(EVENT_KEY_PATTERN, key):
        raise InputError(f"--key {key}: expected at most 100 letters, digits and . _ : -, as in export-2026-03-02")
    what = key or due_times.format_key_time(at.ledger.now())
    occasion = replace(trigger_events.make_occasion(name, found, f"event/{what}", words), is_reported=True)
    occasion_context.request_run(at, occasion, person, as_json)
