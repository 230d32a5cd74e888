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
from tasks.scheduling import deployments_check, deployments_in_force, occasion_entries, requests
from tasks.scheduling.deployments_in_force import DeploymentsInForce
from tasks.scheduling.occasion_entries import Occasion
from tasks.scheduling.occasion_log import TAKEN, OccasionLog, TakenOccasion
from tasks.sources import sources


class Context(NamedTuple):
    """State that the commands read: the ledger, the governance and schedules in force, and all occasions so far."""

    root: Path
    ledger: Ledger
    governed: Governance
    standing: DeploymentsInForce
    book: OccasionLog


def context() -> Context:
    here = shared.open_checkout()
    ledger, governed = here.ledger, here.governance
    return Context(
        here.root, ledger, governed, deployments_in_force.read(ledger, governed), OccasionLog().update(ledger)
    )


def uncommitted_edits(at: Context) -> dict[str, list[str]]:
    """Return, by params file, the files with uncommitted edits that runs of schedules and triggers would read."""
    return deployments_check.uncommitted_edits(
        at.standing.deployments, Repository.open(at.root), sources.load(at.governed.folder)
    )


def request_run(at: Context, occasion: Occasion, who: str, as_json: bool) -> None:
    """Record an occasion with a run request signed by `who`, start its flow run, and print the outcome."""
    ask = requests.request_signer(Repository.open(at.root), at.ledger, at.governed, occasion, who)
    entry = occasion_entries.record_taken(at.ledger, at.book, occasion, installation.installation_id(at.root), ask)
    said: dict[str, object] = {
        "key": occasion.key,
        "name": occasion.name,
        "run": None,
        "passed_over": None,
        "known": entry is None,
    }
    if entry is None:
        known = at.book.find(occasion.key)
        _print_outcome(said | {"run": known.run if known else None}, as_json)
        return
    if entry.kind != TAKEN:
        _print_outcome(said | {"passed_over": entry.body["why"], "ledger_entry": entry.seq}, as_json)
        return
    taken = at.book.update(at.ledger).find(occasion.key)
    assert taken is not None, "it was taken just now"
    _print_outcome(
        said | {"run": taken.run, "flow_run": start_flow_run(at, taken, as_json), "ledger_entry": entry.seq}, as_json
    )


def start_flow_run(at: Context, taken: TakenOccasion, as_json: bool) -> str:
    """Start the flow run of an occasion and return its id.

    Raises:
        Unavailable: Prefect cannot be reached. The runner starts the flow run later.
    """
    up = start_prefect(at, as_json)
    asked = requests.read_request(taken)
    name = deployment_names.full_run_deployment(at.root, at.ledger, taken.pool)
    flow_run = client.create_flow_run(at.root, up, asked.request, asked.envelope, once=taken.run, name=name)
    occasion_entries.record_started(at.ledger, at.book, taken.key, taken.run, flow_run)
    return flow_run


def start_prefect(at: Context, as_json: bool) -> RunningPrefect:
    named = sources.location_variables(sources.load(at.governed.folder).sources)
    return server.start(at.root, lambda text: shared.print_notice(text, as_json), also=named)


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
