"""Everything that a record or a person is in: source rows, datasets, runs and releases."""

from pathlib import Path

from tasks.core.config import Frozen
from tasks.core.errors import InputError
from tasks.inquiry.access import Access
from tasks.inquiry.lineage import ask, person
from tasks.inquiry.lineage.ask import Membership
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import releases
from tasks.sources.dataset import SIDES


class Place(Frozen):
    """A record in a dataset, or put aside when it was made."""

    record: str
    """The first 16 hex digits of its id."""
    source_id: str
    row: int
    """1-based data row of its source."""
    dataset: str
    """SHA-256."""
    side: str
    runs: list[str]
    """That made the dataset, oldest first."""
    releases: list[str]
    """That were trained on it."""


class Whereabouts(Frozen):
    rows: list[Place]
    closed: list[str]
    """Sources that were not looked in, each with whom it takes, in words."""
    notice: str
    """What could not be looked at here; empty where everything could."""


def of_record(state: Path, record: str, ledger: Ledger, governed: Governance) -> Whereabouts:
    """Raises InputError for what is no record's id."""
    if len(record) < 16 or set(record) - set("0123456789abcdef"):
        raise InputError(f"expected a record's id, at least 16 hex digits, got {record!r}")
    return _placed(state, ask.of_record(state, record), [], ledger, governed)


def of_person(
    state: Path, value: str, reason: str, access: Access, ledger: Ledger, governed: Governance
) -> Whereabouts:
    """Raises as `person.find`: the ledger has the question before there is an answer."""
    sought = person.find(state, value, access, reason, ledger)
    return _placed(state, sought.members, sought.closed, ledger, governed)


def _placed(
    state: Path, members: list[Membership], closed: list[str], ledger: Ledger, governed: Governance
) -> Whereabouts:
    released = releases.by_dataset(ledger, governed)
    made = {sha256: ask.runs(state, sha256) for sha256 in {member.dataset for member in members}}
    places = [
        Place(
            **vars(member),
            runs=made[member.dataset],
            releases=released.on.get(member.dataset, []) if member.side in SIDES else [],
        )
        for member in members
    ]
    return Whereabouts(rows=places, closed=closed, notice=released.notice())
