"""Command `hallmark runs list`."""

from typing import Annotated, Any, get_args

import typer

from infra.cli import shared, teams
from tasks.core.errors import InputError
from tasks.core.formatting import format_count, format_duration
from tasks.core.params.values import NAME_PATTERN
from tasks.runs import run_list
from tasks.runs.journal import RunStatus
from tasks.runs.run_list import ListedRun, RunFilter

DEFAULT_LIMIT = 20


def _parse_status(given: str) -> str:
    known = get_args(RunStatus)
    if given not in known:
        raise InputError(f"--status {given}: no run has this status; expected one of {', '.join(known)}")
    return given


def _parse_use_case(given: str) -> str:
    if not NAME_PATTERN.fullmatch(given):
        raise InputError(
            f"--use-case {given}: no use case has this name; expected lower-case letters, digits, - and _, as in "
            "use_case.name of its params.yaml"
        )
    return given


def list_runs(
    use_case: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only runs of this use case.", parser=_parse_use_case)
    ] = None,
    status: Annotated[
        Any,
        typer.Option(
            "--status",
            "--state",
            metavar="STATUS",
            help=f"Only runs with this status: {', '.join(get_args(RunStatus))}.",
            parser=_parse_status,
        ),
    ] = None,
    team: teams.TeamOption = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="Only the newest N that fit. 0: all.")] = DEFAULT_LIMIT,
    as_json: shared.Json = False,
) -> None:
    """List runs, newest first, with what each waits for, how long its stages took, and its release.

    Example: hallmark runs list --status waiting
    """
    wanted = RunFilter(use_case, status, teams.use_cases_of_team(team))
    found = run_list.list_runs(shared.checkout_root() / ".hallmark", wanted, limit)
    if as_json:
        shared.print_json([_document(each) for each in found.runs])
    else:
        header = ["run", "use case", "status", "asked by", "began (UTC)", "stages took", "now", "release"]
        empty = "no runs yet: hallmark run" if wanted == run_list.EVERY_RUN else "no run fits"
        shared.print_table(header, [_cells(each) for each in found.runs], empty)
    if found.more:
        shared.print_notice(f"and {format_count(found.more, 'older run')}; --limit 0 shows all", as_json)


def _document(listed: ListedRun) -> dict[str, Any]:
    run = listed.journal
    return run.model_dump(mode="json") | {
        "began": listed.began and listed.began.isoformat(),
        "seconds": run.seconds,
        "activity": run.activity,
        "damage": listed.damage,
    }


def _cells(listed: ListedRun) -> list[str]:
    run = listed.journal
    return [
        run.run,
        run.use_case,
        run.status_in_words,
        run.requested_by,
        f"{listed.began:%Y-%m-%d %H:%M}" if listed.began else "",
        format_duration(run.seconds) if run.stages else "",
        listed.damage or run.activity,
        run.release or "",
    ]
