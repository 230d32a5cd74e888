"""Everything that a record is in. Of a person, disclosing.py asks, since the ledger keeps that question."""

from infra import whereabouts
from infra.console.site import Here
from infra.whereabouts import Place
from tasks.core.config import Frozen
from tasks.policy.people import Person


class Where(Frozen):
    record: str
    """That was asked for; empty: none."""
    rows: list[Place]
    closed: list[str]
    """Sources that were not looked in, each with whom it takes."""
    notice: str
    """What could not be looked at here."""


def where(here: Here, person: Person, record: str = "") -> Where:
    """Raises InputError for what is no record's id."""
    if not record:
        return Where(record="", rows=[], closed=[], notice="")
    found = whereabouts.of_record(here.state, record.strip(), here.ledger, here.governance)
    return Where(record=record.strip(), **vars(found))
