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
from infra.cli.summary import print_summary, print_summary_json
from infra.console import server as pages
from infra.prefect import client, server
from infra.prefect.server import RunningPrefect
from tasks.core.documents.config import validate_reason
from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import InputError, Unavailable
from tasks.core.formatting import format_duration
from tasks.core.layout import Layout
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs import journal, run_entries
from tasks.runs.checkout import Checkout
from tasks.runs.git.repository import Repository
from tasks.runs.reporting.summary import summarise_run
from tasks.runs.request import RunRequest, new_run_id
from tasks.runs.requests import signed_requests
from tasks.runs.requests.expected_failures import find_expected_failures
from tasks.runs.requests.signed_requests import Envelope
from tasks.runs.run import (
    GIT_REMOTE_VARIABLE,
    check_request,
    find_recorded_request,
    is_on_this_machine,
    open_run,
    require_not_cleaned,
    run_layout,
)
from tasks.runs.run_lease import hold_run_lease
from tasks.runs.run_lock import hold_run_lock
from tasks.runs.takeover import is_on_other_machine, take_over_run
from tasks.scheduling import deployments_in_force
from tasks.sources import resolved_sources, sources
from tasks.sources.sources import Source
from tasks.supervise import sandbox

NEW_RUN_PARAMETERS = ("params", "governance", "changes", "who", "demo_approvals", "reason", "pool")
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
            parser=run_argument.expand_run_id,
        ),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(metavar="POOL", help="Have a machine of this work pool execute it, and return."),
    ] = None,
    detach: Annotated[bool, typer.Option(help="Start the run and return.")] = False,
    as_json: shared.Json = False,
) -> None:
    """Start a run, which covers data, training, evaluation, gates and promotion. Show its progress.

    If the run waits at a gate, the command names the people who must decide, and ends.

    Example: hallmark run --as ml-engineer --set training.lora_rank=32
    """
    where = shared.checkout_root()
    checkout = Repository.open(where)

    def say(text: str) -> None:
        if not as_json:
            console.print(text)

    if resume:
        _refuse_new_run_options(context, resume)
        started = _resume_run(where, resume, say)
    else:
        request, mistakes = _build_request(checkout, params, governance, changes, who, demo_approvals, reason, as_json)
        asked, governed = check_request(checkout, request, mistakes, on_other_machine=pool is not None)
        named, ledger = sources.load_sources(governed.folder), shared.open_checkout().ledger
        for each in find_expected_failures(asked, named, ledger, governed, demo_approvals):
            shared.print_notice(str(each), as_json)
        if pool is None and (why := sandbox.unavailable_reason()):
            shared.print_notice(f"stages run without a sandbox, with all that you may do yourself: {why}", as_json)
        executed_by = _find_deployment(where, ledger, governed, pool)
        envelope = signed_requests.sign_request(checkout, ledger, governed, request)
        started = _start_run(where, request, envelope, named.sources, executed_by, say)
        detach = detach or pool is not None
    with run_progress.detaching_on_interrupt(started.run_id):
        say(f"in Prefect: {started.up.ui_url}/runs/flow-run/{started.flow_run}")
        if secret := started.up.ui_secret_file(where):
            say(f"its pages ask for a secret once, at {started.up.ui_url}: {secret}")
        if not detach:
            run_progress.show_until_done(where, started.up, started.run_id, started.flow_run, quiet=as_json)
    if not detach:
        _print_and_exit(where, started, as_json)
    elif as_json:
        shared.print_json({"run": started.run_id, "status": "running", "flow_run": started.flow_run})


def _build_request(
    checkout: Repository, params: str, governance: str | None, changes: list[str] | None, who: str | None,
    demo_approvals: bool, reason: str | None, as_json: bool,
) -> tuple[RunRequest, ErrorCollector]:  # fmt: skip
    """Return the run request, and a collector with the errors found so far.

    Later checks add their errors to the collector, so that the user sees all of them together.
    """
    mistakes, given = ErrorCollector(), dict[str, Any]()
    with mistakes.collect():
        given["requested_by"] = shared.acting_person(who)
    with mistakes.collect():
        given["changes"] = shared.parse_changes(changes)
    with mistakes.collect():
        given["commit"] = _commit_to_run(checkout, demo_approvals, as_json)
    with mistakes.collect():
        given["reason"] = validate_reason(reason) if reason else None
    named = {"run_id": new_run_id(), "params": params, "governance": governance, "demo_approvals": demo_approvals}
    return RunRequest.model_validate(named | given), mistakes


class _StartedRun(NamedTuple):
    up: RunningPrefect
    run_id: str
    flow_run: str


def _refuse_new_run_options(context: typer.Context, run_id: str) -> None:
    named = {option.name: option.opts[0] for option in context.command.params if option.name in NEW_RUN_PARAMETERS}
    given = [option for name, option in named.items() if _is_on_command_line(context, name)]
    if given:
        raise InputError(
            f"{', '.join(given)}: run {run_id} goes on as it was asked for when it began, so --resume takes no "
            "others; leave them out, or start a new run without --resume"
        )


def _is_on_command_line(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _find_deployment(root: Path, ledger: Ledger, governed: Governance, pool: str | None) -> str:
    declared = deployments_in_force.read_deployments(ledger, governed).deployments.pools
    if pool is not None and pool not in declared:
        raise InputError(
            f"there is no work pool {pool}: declared are {', '.join(sorted(declared)) or 'none'}; write it into "
            "deployments.yaml, then `hallmark deploy`"
        )
    return deployment_names.full_deployment_name(root, ledger, pool)


def _start_run(
    root: Path,
    request: RunRequest,
    envelope: Envelope,
    run_sources: list[Source],
    deployment: str,
    say: Callable[[str], None],
) -> _StartedRun:
    up = server.start(root, say, more_settings=sources.find_location_variables(run_sources))
    say(f"run {request.run_id}, asked for by {request.requested_by}{', demo approvals' * request.demo_approvals}")
    return _StartedRun(
        up, request.required_run_id, client.create_flow_run(root, up, request, envelope, deployment_name=deployment)
    )


def _resume_run(root: Path, run_id: str, say: Callable[[str], None]) -> _StartedRun:
    """Resume a run in its own flow run, or in a new one if its own has ended.

    If the run is not on this machine, or another machine has resumed it since, it is fetched first.

    Raises:
        InputError: The id is unknown.
        Refused: The run is in progress, or was begun by another version of Hallmark. Nothing was started.
    """
    known = journal.read_journal(root / ".hallmark", run_id)
    require_not_cleaned(run_layout(root, run_id))
    with hold_run_lock(root / ".hallmark", run_id):
        ledger = Checkout(root).ledger
        run_entries.require_compatible_version(ledger, run_id)
        elsewhere = is_on_other_machine(ledger, root, run_id)
        if elsewhere or (known is None and not is_on_this_machine(run_layout(root, run_id))):
            known = None
            with hold_run_lease(root, run_id), _prefect_starting_meanwhile(root, run_id, say):
                started, seconds = time.monotonic(), take_over_run(root, run_id)
            took, more = (format_duration(each) for each in (seconds, time.monotonic() - started - seconds))
            say(f"run {run_id} was fetched, with its outputs: {took} of download, {more} of checks")
    up = server.start(root, say, more_settings=_source_variables(run_layout(root, run_id)))
    say(f"run {run_id} goes on")
    if known and not known.is_finished and known.flow_run and client.resume_flow_run(root, up, known.flow_run):
        return _StartedRun(up, run_id, known.flow_run)
    asked = open_run(root, run_id).signed_request
    return _StartedRun(
        up, run_id, client.create_flow_run(root, up, RunRequest.from_signed(asked.request), asked.envelope)
    )


@contextmanager
def _prefect_starting_meanwhile(root: Path, run_id: str, say: Callable[[str], None]) -> Iterator[None]:
    """Start Prefect in parallel with the block, which fetches a run and takes equally long.

    If it is clear from the start that the run cannot be fetched, Prefect is not started.
    """
    if GIT_REMOTE_VARIABLE not in os.environ or find_recorded_request(root, run_id) is None:
        yield
        return
    with ThreadPoolExecutor(1) as executor:
        up = executor.submit(server.start, root, say)
        yield
        up.result()


def _source_variables(layout: Layout) -> set[str]:
    if not layout.sources_path.exists():
        return set()
    return sources.find_location_variables(
        item.source for item in resolved_sources.load_resolved(layout.sources_path).sources
    )


def _print_and_exit(root: Path, started: _StartedRun, as_json: bool) -> NoReturn:
    summary = summarise_run(root / ".hallmark", started.run_id)
    if summary is None:
        raise Unavailable(
            f"the flow run {started.flow_run} ended before run {started.run_id} began: {started.up.ui_url}"
        )
    print_summary_json(summary) if as_json else print_summary(summary, pages.running_url(root))
    raise typer.Exit(summary.exit_code)


def _commit_to_run(checkout: Repository, demo: bool, as_json: bool) -> str:
    changed = checkout.uncommitted_changes()
    if not changed:
        return checkout.commit_id("HEAD")
    if demo:
        shared.print_notice(f"{len(changed)} uncommitted change(s) are part of this demo run", as_json)
        return checkout.commit_snapshot()
    some = "\n  ".join(changed[:10])
    raise InputError(f"a governed run is made from committed code, and this checkout has changes:\n  {some}\n"
                     "commit or stash them (or try them with --demo-approvals)")  # fmt: skip
