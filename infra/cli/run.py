"""Command `hallmark run`."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

from flows import deployment_names
from infra.cli import run_argument, run_progress, shared
from infra.cli.shared import console
from infra.cli.summary import print_json, print_summary
from infra.console import server as pages
from infra.prefect import client, server
from infra.prefect.server import RunningPrefect
from tasks.core.documents.config import checked_reason
from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import InputError, Unavailable
from tasks.core.formatting import format_duration
from tasks.core.layout import Layout
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs import journal, run_entries
from tasks.runs.checkout import Checkout
from tasks.runs.git.repository import Repository
from tasks.runs.reporting.summary import summarise
from tasks.runs.request import RunRequest, new_run_id
from tasks.runs.requests import signed_requests
from tasks.runs.requests.expected_failures import expected_failures
from tasks.runs.requests.signed_requests import Envelope
from tasks.runs.run import GIT_REMOTE_VARIABLE, check_request, exists_here, layout_of, open_run, recorded_request
from tasks.runs.run_lease import hold_run_lease
from tasks.runs.run_lock import hold_run_lock
from tasks.runs.takeover import is_elsewhere, take_over
from tasks.scheduling import deployments_in_force
from tasks.sources import sources
from tasks.sources.sources import Source
from tasks.supervise import sandbox

NEW_ONLY = ("params", "governance", "changes", "who", "demo_approvals", "reason", "pool")
"""Parameters that only a new run accepts. A resumed run keeps those of its run request."""


def run(
    context: typer.Context,
    params: Annotated[str, typer.Option(metavar="FILE", help="Params file of the use case.")] = "params.yaml",
    governance: Annotated[
        str | None, typer.Option(metavar="DIR", help="Other governance files; in environment local only.")
    ] = None,
    changes: shared.Changes = None,
    who: shared.ActAs = None,
    demo_approvals: Annotated[
        bool,
        typer.Option(help="Let demo identities decide at once. Everything made says so. In environment local only."),
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why you ask for it; it is signed with the request.")] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a run that failed or stopped, with its own request.",
            parser=run_argument.resolve_id,
        ),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(metavar="POOL", help="Have a machine of this work pool execute it, and return."),
    ] = None,
    detach: Annotated[bool, typer.Option(help="Start the run and return.")] = False,
    as_json: shared.Json = False,
) -> None:
    """Start a run: data, training, evaluation, gates and promotion. Show its progress.

    If the run waits at a gate, the command shows the people who decide, and ends.

    Example: hallmark run --as ml-engineer --set training.lora_rank=32
    """
    where = shared.checkout_root()
    checkout = Repository.open(where)

    def say(text: str) -> None:
        if not as_json:
            console.print(text)

    if resume:
        _refuse_changes(context, resume)
        started = _resume_run(where, resume, say)
    else:
        request, mistakes = _request(checkout, params, governance, changes, who, demo_approvals, reason, as_json)
        asked, governed = check_request(checkout, request, mistakes, elsewhere=pool is not None)
        named, ledger = sources.load(governed.folder), shared.open_checkout().ledger
        for each in expected_failures(asked, named, ledger, governed, demo_approvals):
            shared.print_notice(str(each), as_json)
        if why := sandbox.unavailable_reason():
            shared.print_notice(f"stages run without a sandbox, with all that you may do yourself: {why}", as_json)
        executed_by = _deployment(where, ledger, governed, pool)
        envelope = signed_requests.sign(checkout, ledger, governed, request)
        started = _start_run(where, request, envelope, named.sources, executed_by, say)
        detach = detach or pool is not None
    with run_progress.detaching_on_interrupt(started.run_id):
        say(f"in Prefect: {started.up.ui}/runs/flow-run/{started.flow_run}")
        if secret := started.up.ui_secret_file(where):
            say(f"its pages ask for a secret once, at {started.up.ui}: {secret}")
        if not detach:
            run_progress.show_until_done(where, started.up, started.run_id, started.flow_run, quiet=as_json)
    if not detach:
        _print_and_exit(where, started, as_json)
    elif as_json:
        shared.print_json({"run": started.run_id, "status": "running", "flow_run": started.flow_run})


def _request(
    checkout: Repository, params: str, governance: str | None, changes: list[str] | None, who: str | None,
    demo_approvals: bool, reason: str | None, as_json: bool,
) -> tuple[RunRequest, ErrorCollector]:  # fmt: skip
    """Return the run request and the errors found so far.

    Later checks add their errors, so that the user sees all of them together.
    """
    mistakes, given = ErrorCollector(), dict[str, Any]()
    with mistakes.collect():
        given["requested_by"] = shared.acting_person(who)
    with mistakes.collect():
        given["changes"] = shared.parse_changes(changes)
    with mistakes.collect():
        given["commit"] = _commit(checkout, demo_approvals, as_json)
    with mistakes.collect():
        given["reason"] = checked_reason(reason) if reason else None
    named = {"run_id": new_run_id(), "params": params, "governance": governance, "demo_approvals": demo_approvals}
    return RunRequest.model_validate(named | given), mistakes


class _StartedRun(NamedTuple):
    up: RunningPrefect
    run_id: str
    flow_run: str


def _refuse_changes(context: typer.Context, run_id: str) -> None:
    named = {option.name: option.opts[0] for option in context.command.params if option.name in NEW_ONLY}
    given = [option for name, option in named.items() if _on_command_line(context, name)]
    if given:
        raise InputError(
            f"{', '.join(given)}: run {run_id} goes on as it was asked for when it began, so --resume takes no "
            "others; leave them out, or start a new run without --resume"
        )


def _on_command_line(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _deployment(where: Path, ledger: Ledger, governed: Governance, pool: str | None) -> str:
    declared = deployments_in_force.read(ledger, governed).deployments.pools
    if pool is not None and pool not in declared:
        raise InputError(
            f"there is no work pool {pool}: declared are {', '.join(sorted(declared)) or 'none'}; write it into "
            "deployments.yaml, then `hallmark deploy`"
        )
    return deployment_names.full_run_deployment(where, ledger, pool)


def _start_run(
    where: Path, request: RunRequest, envelope: Envelope, named: list[Source], by: str, say: Callable[[str], None]
) -> _StartedRun:
    up = server.start(where, say, also=sources.location_variables(named))
    say(f"run {request.run_id}, asked for by {request.requested_by}{', demo approvals' * request.demo_approvals}")
    return _StartedRun(up, request.known_run_id, client.create_flow_run(where, up, request, envelope, name=by))


def _resume_run(where: Path, run_id: str, say: Callable[[str], None]) -> _StartedRun:
    """Resume a run in its own flow run, or in a new one if its own has ended.

    If the run is not on this machine, or another machine has resumed it since, it is fetched first.

    Raises:
        InputError: The id is unknown.
        Refused: The run is in progress, or another version of Hallmark began it. Nothing has been started then.
    """
    known = journal.read(where / ".hallmark", run_id)
    with hold_run_lock(where / ".hallmark", run_id):
        ledger = Checkout(where).ledger
        run_entries.require_continuable(ledger, run_id)
        elsewhere = is_elsewhere(ledger, where, run_id)
        if elsewhere or (known is None and not exists_here(layout_of(where, run_id))):
            known = None
            with hold_run_lease(where, run_id), _starting_prefect(where, run_id, say):
                started, seconds = time.monotonic(), take_over(where, run_id)
            took, more = (format_duration(each) for each in (seconds, time.monotonic() - started - seconds))
            say(f"run {run_id} was fetched, with its outputs: {took} of download, {more} of checks")
    up = server.start(where, say, also=_source_variables(layout_of(where, run_id)))
    say(f"run {run_id} goes on")
    if known and not known.finished and known.flow_run and client.resume(where, up, known.flow_run):
        return _StartedRun(up, run_id, known.flow_run)
    asked = open_run(where, run_id).signed_request
    return _StartedRun(
        up, run_id, client.create_flow_run(where, up, RunRequest.from_signed(asked.request), asked.envelope)
    )


@contextmanager
def _starting_prefect(where: Path, run_id: str, say: Callable[[str], None]) -> Iterator[None]:
    """Start Prefect in parallel with the block, which fetches a run and takes equally long.

    Prefect is not started if the run cannot be fetched.
    """
    if GIT_REMOTE_VARIABLE not in os.environ or recorded_request(where, run_id) is None:
        yield
        return
    with ThreadPoolExecutor(1) as executor:
        up = executor.submit(server.start, where, say)
        yield
        up.result()


def _source_variables(layout: Layout) -> set[str]:
    if not layout.sources.exists():
        return set()
    return sources.location_variables(item.source for item in sources.load_resolved(layout.sources).sources)


def _print_and_exit(where: Path, started: _StartedRun, as_json: bool) -> NoReturn:
    summary = summarise(where / ".hallmark", started.run_id)
    if summary is None:
        raise Unavailable(f"the flow run {started.flow_run} ended before run {started.run_id} began: {started.up.ui}")
    print_json(summary) if as_json else print_summary(summary, pages.address(where))
    raise typer.Exit(summary.exit_code)


def _commit(checkout: Repository, demo: bool, as_json: bool) -> str:
    changed = checkout.uncommitted_changes()
    if not changed:
        return checkout.commit_of("HEAD")
    if demo:
        shared.print_notice(f"{len(changed)} uncommitted change(s) are part of this demo run", as_json)
        return checkout.snapshot()
    some = "\n  ".join(changed[:10])
    raise InputError(f"a governed run is made from committed code, and this checkout has changes:\n  {some}\n"
                     "commit or stash them (or try them with --demo-approvals)")  # fmt: skip
