"""Log of a run, for people who may see individual records of all its sources.

The code of a run's own commit can log anything it reads.
"""

from infra.console.site import RequestState
from infra.console.views import free_text
from infra.console.views.run_pages import run_layout
from infra.prefect import logs
from infra.prefect.logs import LogLine
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Unavailable
from tasks.policy.people import Person
from tasks.runs.run import find_recorded_request
from tasks.scheduling import deployments_in_force


class Log(FrozenModel):
    run: str
    rows: list[LogLine]
    """Last lines of the log, oldest first."""
    missing: str
    """Reason why there are no lines, in words; empty if there are lines."""


def log(here: RequestState, person: Person, run: str) -> Log:
    layout = run_layout(here, run)
    if find_recorded_request(here.root, run) is None:
        raise InputError(f"nobody has asked for a run {run!r}")
    if why := free_text.access_denial_reason(here, layout, person):
        return Log(run=run, rows=[], missing=f"A log may hold texts of records, and {why}.")
    pools = list(deployments_in_force.read_deployments(here.ledger, here.governance).deployments.pools)
    try:
        lines = logs.read_log_lines(here.root, here.ledger, run, pools)
    except Unavailable as error:
        return Log(run=run, rows=[], missing=str(error))
    return Log(run=run, rows=lines, missing="" if lines else "The Prefect server has no line of this run.")
