"""`hallmark run`"""

from typing import Annotated

import typer

from infra.cli import follow, shared
from infra.cli.shared import console
from infra.prefect import client, server
from tasks.errors import InputError, Unavailable
from tasks.runs.repository import Repository
from tasks.runs.request import RunRequest
from tasks.runs.run import check_request, open_run
from tasks.runs.summary import summarise


def run(
    params: Annotated[str, typer.Option(metavar="FILE", help="Params file of the use case.")] = "params.yaml",
    governance: Annotated[
        str | None, typer.Option(metavar="DIR", help="Other governance files; in environment local only.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a parameter; may be repeated.")
    ] = None,
    who: shared.As = None,
    demo_approvals: Annotated[
        bool, typer.Option(help="Demo identities decide at once; marked on everything; environment local only.")
    ] = False,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run that failed or stopped.")] = None,
    detach: Annotated[bool, typer.Option(help="Start it and return.")] = False,
    as_json: shared.Json = False,
) -> None:
    """Retrain: data, training, evaluation, gates, promotion. Shows progress; at a gate it says who must decide.

    Example: hallmark run --as ml-engineer --set training.lora_rank=32
    """
    where = shared.root()
    checkout = Repository.open(where)
    if resume:
        request = open_run(where, resume).request
    else:
        request = RunRequest(
            requested_by=shared.identity(who), params=params, governance=governance,
            changes=dict(map(_pair, changes or [])), demo_approvals=demo_approvals,
            commit=_commit(checkout, demo_approvals),
        )  # fmt: skip
        check_request(checkout, request)

    def say(text: str) -> None:
        if not as_json:
            console.print(text)

    up = server.start(where, say)
    say(f"run {request.run_id}, asked for by {request.requested_by}{', demo approvals' * request.demo_approvals}")
    flow_run = client.trigger(where, up, request)
    if detach:
        say(f"in Prefect: {up.ui}/runs/flow-run/{flow_run}")
        if as_json:
            shared.print_json({"run": request.run_id, "status": "running", "flow_run": flow_run})
        return
    with follow.left_to_itself(request.run_id):
        say(f"in Prefect: {up.ui}/runs/flow-run/{flow_run}")
        follow.until_it_rests(where, up, request.run_id, flow_run, quiet=as_json)
    summary = summarise(where / ".hallmark", request.run_id)
    if summary is None:
        raise Unavailable(f"the flow run {flow_run} ended before run {request.run_id} began; see {up.ui}")
    shared.print_json(summary.model_dump(mode="json")) if as_json else follow.print_summary(summary)
    raise typer.Exit(summary.exit_code)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(f"--set {text}: expected KEY=VALUE, e.g. --set training.epochs=2")
    return key, value


def _commit(checkout: Repository, demo: bool) -> str:
    """The commit to run: HEAD; for a demo run of a dirty checkout, a snapshot of it."""
    changed = checkout.changes()
    if not changed:
        return checkout.commit_of("HEAD")
    if demo:
        console.print(f"{len(changed)} uncommitted change(s) are part of this demo run", style="dim")
        return checkout.snapshot()
    some = "\n  ".join(changed[:10])
    raise InputError(f"a governed run is made from committed code, and this checkout has changes:\n  {some}\n"
                     "commit or stash them (or try them with --demo-approvals)")  # fmt: skip
