"""Code that `hallmark deploy`, `hallmark schedule` and `hallmark trigger` share."""

from pathlib import Path
from typing import NamedTuple

from flows import deployment_names
from infra.cli import shared
from infra.prefect import client, server
from infra.prefect.server import RunningPrefect
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs import installation
from tasks.runs.git.repository import Repository
from tasks.scheduling import deployments_check, deployments_in_force, occasion_entries, requests, team_quotas
from tasks.scheduling.deployments_in_force import DeploymentsInForce
from tasks.scheduling.occasion_entries import Occasion
from tasks.scheduling.occasion_log import TAKEN, OccasionLog, TakenOccasion
from tasks.sources import sources


class OccasionContext(NamedTuple):
    """State that the commands read: the ledger, the current governance and schedules, and all past occasions."""

    root: Path
    ledger: Ledger
    governed: Governance
    adopted_deployments: DeploymentsInForce
    occasion_log: OccasionLog


def open_context() -> OccasionContext:
    here = shared.open_checkout()
    ledger, governed = here.ledger, here.governance
    return OccasionContext(
        here.root,
        ledger,
        governed,
        deployments_in_force.read_deployments(ledger, governed),
        OccasionLog().update(ledger),
    )


def find_uncommitted_edits(context: OccasionContext) -> dict[str, list[str]]:
    """Return, for each params file in use, the files whose uncommitted edits scheduled runs would not see."""
    return deployments_check.find_uncommitted_edits(
        context.adopted_deployments.deployments,
        Repository.open(context.root),
        sources.load_sources(context.governed.folder),
    )


def request_run(context: OccasionContext, occasion: Occasion, who: str, as_json: bool) -> None:
    """Record an occasion for a run with a request signed by `who`, start the flow run, and print the outcome."""
    checkout = Repository.open(context.root)
    occasion = team_quotas.with_team(occasion, checkout, context.governed.policy)
    ask = requests.request_signer(checkout, context.ledger, context.governed, occasion, who)
    entry = occasion_entries.record_occasion(
        context.ledger, context.occasion_log, occasion, installation.installation_id(context.root), ask
    )
    said: dict[str, object] = {
        "key": occasion.key,
        "name": occasion.name,
        "run": None,
        "passed_over": None,
        "known": entry is None,
    }
    if entry is None:
        known = context.occasion_log.find_taken(occasion.key)
        _print_outcome(said | {"run": known.run if known else None}, as_json)
        return
    if entry.kind != TAKEN:
        _print_outcome(said | {"passed_over": entry.body["why"], "ledger_entry": entry.seq}, as_json)
        return
    taken = context.occasion_log.update(context.ledger).find_taken(occasion.key)
    assert taken is not None, "it was taken just now"
    _print_outcome(
        said | {"run": taken.run, "flow_run": start_flow_run(context, taken, as_json), "ledger_entry": entry.seq},
        as_json,
    )


def start_flow_run(context: OccasionContext, occasion: TakenOccasion, as_json: bool) -> str:
    """Start the flow run of an occasion and return its id.

    Raises:
        Unavailable: Prefect cannot be reached. The watch starts the flow run later.
    """
    up = start_prefect(context, as_json)
    asked = requests.read_request(occasion)
    name = deployment_names.full_deployment_name(context.root, context.ledger, occasion.pool)
    flow_run = client.create_flow_run(
        context.root, up, asked.request, asked.envelope, idempotency_key=occasion.run, deployment_name=name
    )
    occasion_entries.record_started(context.ledger, context.occasion_log, occasion.key, occasion.run, flow_run)
    return flow_run


def start_prefect(context: OccasionContext, as_json: bool) -> RunningPrefect:
    named = sources.find_location_variables(sources.load_sources(context.governed.folder).sources)
    return server.start(context.root, lambda text: shared.print_notice(text, as_json), more_settings=named)


def _print_outcome(said: dict[str, object], as_json: bool) -> None:
    if as_json:
        shared.print_json(said)
    elif said["passed_over"]:
        shared.console.print(f"{said['key']} is passed over: {said['passed_over']}", markup=False)
    elif said["known"]:
        run = f"run {said['run']}" if said["run"] else "no run, it was passed over"
        shared.console.print(f"{said['key']} is on record already: {run}", markup=False)
    else:
        shared.console.print(f"run {said['run']} is asked for: hallmark runs show {said['run']}", markup=False)
