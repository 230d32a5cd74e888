"""Datasets, runs and releases that contain a record.

Searches for a person are in ../data_access.py, because each is a data access that the ledger records.
"""

from infra import record_lookup
from infra.console.site import RequestState
from infra.console.team_access import TeamAccess
from infra.record_lookup import RecordUse
from tasks.core.documents.config import FrozenModel
from tasks.policy.people import Person

OTHER_TEAMS_NOTICE = "datasets of other teams are left out; auditors and overseers see them"


class Lineage(FrozenModel):
    record: str
    """Id of the record; empty if none was entered."""
    rows: list[RecordUse]
    closed: list[str]
    """Sources that were not searched, each with the people or roles that may see its records."""
    notice: str
    """Releases that could not be searched on this machine, in words; empty if there are none."""


def lineage(here: RequestState, person: Person, record: str = "") -> Lineage:
    if not record:
        return Lineage(record="", rows=[], closed=[], notice="")
    found = record_lookup.find_record(here.state, record.strip(), here.ledger, here.governance)
    rows = [row for row in limit_to_visible(TeamAccess(here, person), found.rows) if row.runs]
    notices = [found.notice, OTHER_TEAMS_NOTICE if len(rows) < len(found.rows) else ""]
    return Lineage(record=record.strip(), rows=rows, closed=found.closed, notice="\n".join(filter(None, notices)))


def limit_to_visible(access: TeamAccess, rows: list[RecordUse]) -> list[RecordUse]:
    """Return the rows with the runs and releases that the person sees, and without those of other teams."""
    if access.use_cases.names is None:
        return rows
    seen = {run: access.sees_run_id(run) for row in rows for run in row.runs}
    return [
        row.model_copy(
            update={
                "runs": [run for run in row.runs if seen[run]],
                "releases": [label for label in row.releases if access.sees_release(label)],
            }
        )
        for row in rows
    ]
