"""Command `hallmark run`."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

from flows import deployed
from infra.cli import follow, runs, shared
from infra.cli.shared import console
from infra.cli.summary import print_summary
from infra.console import server as pages
from infra.prefect import client, server
from infra.prefect.server import Up
from tasks.core.config import checked_reason
from tasks.core.errors import InputError, Unavailable
from tasks.core.layout import Layout
from tasks.core.mistakes import Mistakes
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.occasions import standing
from tasks.policy.governance import Governance
from tasks.runs import asking, journal, records
from tasks.runs.across import only_here
from tasks.runs.asking import Envelope
from tasks.runs.foreseen import foreseen
from tasks.runs.hold import only_one
from tasks.runs.repository import Repository
from tasks.runs.request import RunRequest, new_run_id
from tasks.runs.run import GIT_REMOTE, check_request, is_here, layout_of, on_record, open_run
from tasks.runs.summary import summarise
from tasks.runs.taking_up import is_elsewhere, take_up
from tasks.sources import sources
from tasks.sources.sources import Source
from tasks.supervise import box

NEW_ONLY = ("params", "governance", "changes", "who", "demo_approvals", "reason", "pool")
"""Parameters that only a new run accepts. A resumed run has those of its own run request."""


def run(
    context: typer.Context,
    params: Annotated[str, typer.Option(metavar="FILE", help="Params file of the use case.")] = "params.yaml",
    governance: Annotated[
        str | None, typer.Option(metavar="DIR", help="Other governance files; in environment local only.")
    ] = None,
    changes: shared.Changes = None,
    who: shared.As = None,
    demo_approvals: Annotated[
        bool,
        typer.Option(help="Let demo identities decide at once. Everything made says so. In environment local only."),
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why you ask for it; it is signed with the request.")] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Go on with a run that failed or stopped, with its own request.", parser=runs.meant
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

    At a gate, the command shows the people who decide, and ends.

    Example: hallmark run --as ml-engineer --set training.lora_rank=32
    """
    where = shared.root()
    checkout = Repository.open(where)

    def say(text: str) -> None:
        if not as_json:
            console.print(text)

    if resume:
        _refuse_changes(context, resume)
        started = _go_on(where, resume, say)
    else:
        request, mistakes = _request(checkout, params, governance, changes, who, demo_approvals, reason, as_json)
        asked, governed = check_request(checkout, request, mistakes, elsewhere=pool is not None)
        named, ledger = sources.load(governed.folder), open_ledger(governed.state)
        for each in foreseen(asked, named, ledger, governed, demo_approvals):
            shared.notice(str(each), as_json)
        if why := box.why_not():
            shared.notice(f"stages run without a sandbox, with all that you may do yourself: {why}", as_json)
        executed_by = _deployment(where, ledger, governed, pool)
        envelope = asking.sign(checkout, ledger, governed, request)
        started = _begin(where, request, envelope, named.sources, executed_by, say)
        detach = detach or pool is not None
    with follow.left_to_itself(started.run_id):
        say(f"in Prefect: {started.up.ui}/runs/flow-run/{started.flow_run}")
        if secret := started.up.asks_for(where):
            say(f"its pages ask for a secret once, at {started.up.ui}: {secret}")
        if not detach:
            follow.until_it_rests(where, started.up, started.run_id, started.flow_run, quiet=as_json)
    if not detach:
        _tell(where, started, as_json)
    elif as_json:
        shared.print_json({"run": started.run_id, "status": "running", "flow_run": started.flow_run})


def _request(
    checkout: Repository, params: str, governance: str | None, changes: list[str] | None, who: str | None,
    demo_approvals: bool, reason: str | None, as_json: bool,
) -> tuple[RunRequest, Mistakes]:  # fmt: skip
    """Return the run request and the mistakes found so far.

    Later checks add their mistakes, so that the user sees all of them together.
    """
    mistakes, given = Mistakes(), dict[str, Any]()
    with mistakes.noted():
        given["requested_by"] = shared.identity(who)
    with mistakes.noted():
        given["changes"] = shared.pairs(changes)
    with mistakes.noted():
        given["commit"] = _commit(checkout, demo_approvals, as_json)
    with mistakes.noted():
        given["reason"] = checked_reason(reason, "--reason has no words; say why, or leave it out") if reason else None
    named = {"run_id": new_run_id(), "params": params, "governance": governance, "demo_approvals": demo_approvals}
    return RunRequest.model_validate(named | given), mistakes


class _Started(NamedTuple):
    up: Up
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
    declared = standing.read(ledger, governed).deployments.pools
    if pool is not None and pool not in declared:
        raise InputError(
            f"there is no work pool {pool}: declared are {', '.join(sorted(declared)) or 'none'}; write it into "
            "deployments.yaml, then `hallmark deploy`"
        )
    return deployed.for_run(where, ledger, pool)


def _begin(
    where: Path, request: RunRequest, envelope: Envelope, named: list[Source], by: str, say: Callable[[str], None]
) -> _Started:
    up = server.start(where, say, also=sources.variables(named))
    say(f"run {request.run_id}, asked for by {request.requested_by}{', demo approvals' * request.demo_approvals}")
    return _Started(up, request.named, client.trigger(where, up, request, envelope, name=by))


def _go_on(where: Path, run_id: str, say: Callable[[str], None]) -> _Started:
    """Resume a run, in its own flow run if that can continue, or in a new one.

    A run that is not here, or that another machine has resumed since, is fetched first.

    Raises:
        InputError: The id is unknown.
        Refused: The run is in progress, or another version of Hallmark began it. Nothing has been started then.
    """
    known = journal.read(where / ".hallmark", run_id)
    with only_one(where / ".hallmark", run_id):
        ledger = open_ledger(where / ".hallmark")
        records.require_goes_on(ledger, run_id)
        away = is_elsewhere(ledger, where, run_id)
        if away or (known is None and not is_here(layout_of(where, run_id))):
            known = None
            with only_here(where, run_id), _meanwhile(where, run_id, say):
                started, seconds = time.monotonic(), take_up(where, run_id)
            more = time.monotonic() - started - seconds
            say(f"run {run_id} was fetched, with its outputs: {seconds:.1f} s of download, {more:.1f} s of checks")
    up = server.start(where, say, also=_read_from(layout_of(where, run_id)))
    say(f"run {run_id} goes on")
    if known and not known.finished and known.flow_run and client.take_up(where, up, known.flow_run):
        return _Started(up, run_id, known.flow_run)
    asked = open_run(where, run_id).asked
    return _Started(up, run_id, client.trigger(where, up, RunRequest.of(asked.request), asked.envelope))


@contextmanager
def _meanwhile(where: Path, run_id: str, say: Callable[[str], None]) -> Iterator[None]:
    """Start Prefect while the block fetches a run, which takes as long; not if the run cannot be fetched."""
    if GIT_REMOTE not in os.environ or on_record(where, run_id) is None:
        yield
        return
    with ThreadPoolExecutor(1) as beside:
        up = beside.submit(server.start, where, say)
        yield
        up.result()


def _read_from(layout: Layout) -> set[str]:
    if not layout.sources.exists():
        return set()
    return sources.variables(item.source for item in sources.load_resolved(layout.sources).sources)


def _tell(where: Path, started: _Started, as_json: bool) -> NoReturn:
    summary = summarise(where / ".hallmark", started.run_id)
    if summary is None:
        raise Unavailable(f"the flow run {started.flow_run} ended before run {started.run_id} began: {started.up.ui}")
    shared.print_json(summary.model_dump(mode="json")) if as_json else print_summary(summary, pages.address(where))
    raise typer.Exit(summary.exit_code)


def _commit(checkout: Repository, demo: bool, as_json: bool) -> str:
    changed = checkout.changes()
    if not changed:
        return checkout.commit_of("HEAD")
    if demo:
        shared.notice(f"{len(changed)} uncommitted change(s) are part of this demo run", as_json)
        return checkout.snapshot()
    some = "\n  ".join(changed[:10])
    raise InputError(f"a governed run is made from committed code, and this checkout has changes:\n  {some}\n"
                     "commit or stash them (or try them with --demo-approvals)")  # fmt: skip
