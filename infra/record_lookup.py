"""Datasets, runs and releases that contain a record or a person."""

from pathlib import Path

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.inquiry.access import Access
from tasks.inquiry.lineage import person_search, queries
from tasks.inquiry.lineage.queries import Membership
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import releases
from tasks.runs import journal
from tasks.sources.dataset import PARTITIONS
from tasks.stages.data.protect.tokens import is_national_phone_number

MIN_ID_DIGITS = 8
"""Minimum number of digits of a record's id. Tables of rows show that many."""
NATIONAL_NUMBER_NOTICE = (
    "a telephone number without its country code is found only as it is spelt here; look also for it with the code, "
    "such as +44 20 7946 0958"
)


class RecordUse(FrozenModel):
    """Occurrence of a record in a dataset, or in the rows that were quarantined when the dataset was made."""

    record: str
    """First 16 hexadecimal digits of the record's id."""
    source_id: str
    row: int
    """Number of the row in the source. It starts at 1 and does not count the header."""
    dataset: str
    """SHA-256 of the dataset."""
    side: str
    runs: list[str]
    """Ids of the runs that made the dataset, oldest first."""
    releases: list[str]
    """Labels of the releases that were trained on the dataset."""


class LookupResult(FrozenModel):
    rows: list[RecordUse]
    closed: list[str]
    """Sources that were not searched, each with the people who may search it."""
    notice: str
    """Message about what the result may lack; empty if it lacks nothing."""


def find_record(state: Path, record: str, ledger: Ledger, governed: Governance) -> LookupResult:
    """Return the datasets, runs and releases that contain a record.

    Args:
        state: State folder of the installation.
        record: Id of the record, or its first digits, at least MIN_ID_DIGITS.
        ledger: Ledger of the installation.
        governed: Governance in force.

    Raises:
        InputError: `record` is not a record id.
    """
    if len(record) < MIN_ID_DIGITS or set(record) - set("0123456789abcdef"):
        raise InputError(f"expected a record's id, at least {MIN_ID_DIGITS} hex digits, got {record!r}")
    return _lookup_result(state, queries.memberships_of_record(state, record), [], ledger, governed)


def find_person(
    state: Path, value: str, reason: str, access: Access, ledger: Ledger, governed: Governance
) -> LookupResult:
    """Return the datasets, runs and releases with records about a person.

    The ledger records the look-up before the search begins. The errors are those of `person_search.find_person`.
    """
    sought = person_search.find_person(state, value, access, reason, ledger)
    found = _lookup_result(state, sought.memberships, sought.unsearched_sources, ledger, governed)
    notices = [found.notice, NATIONAL_NUMBER_NOTICE if is_national_phone_number(value) else ""]
    return found.model_copy(update={"notice": "\n".join(filter(None, notices))})


def _lookup_result(
    state: Path, members: list[Membership], closed: list[str], ledger: Ledger, governed: Governance
) -> LookupResult:
    released = releases.releases_by_dataset(ledger, governed)
    made = {sha256: queries.runs_with_dataset(state, sha256) for sha256 in {member.dataset for member in members}}
    places = [
        RecordUse(
            **vars(member),
            runs=made[member.dataset],
            releases=released.by_name.get(member.dataset, []) if member.side in PARTITIONS else [],
        )
        for member in members
    ]
    notices = filter(None, (released.notice(), _unindexed_notice(state)))
    return LookupResult(rows=places, closed=closed, notice="\n".join(notices))


def _unindexed_notice(state: Path) -> str:
    """Return a message that names the runs with data that the index does not have yet; empty if it has all."""
    known = queries.indexed_runs(state)
    others = sorted(set(journal.run_ids(state)) - known)
    runs = [run for run in others if (Layout(state / "runs" / run).artefacts("ingest") / "result.json").exists()]
    if not runs:
        return ""
    return (
        f"not looked in, since a dataset is indexed when its data gate passes: {', '.join(runs)}. `hallmark data "
        "quarantine RUN` shows the rows that such a run put aside"
    )
