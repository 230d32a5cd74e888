"""Datasets, runs and releases that a record is in.

Questions about a person are in ../disclosing.py, since each is a data access that the ledger records.
"""

from infra import whereabouts
from infra.console.site import Here
from infra.whereabouts import Place
from tasks.core.config import Frozen
from tasks.policy.people import Person


class Where(Frozen):
    record: str
    """Id of the record; empty if none was asked for."""
    rows: list[Place]
    closed: list[str]
    """Sources that were not searched, each with the people or roles who may see its records."""
    notice: str
    """Releases that could not be searched on this machine, in words; empty if there are none."""


def where(here: Here, person: Person, record: str = "") -> Where:
    """Return what a record is in.

    Raises:
        InputError: `record` is not the id of a record.
    """
    if not record:
        return Where(record="", rows=[], closed=[], notice="")
    found = whereabouts.of_record(here.state, record.strip(), here.ledger, here.governance)
    return Where(record=record.strip(), **vars(found))
