"""What a page gives its browser, so that it signs what the page shows and nothing else."""

from typing import Any

from infra.console.site import Here
from tasks.core.config import Frozen
from tasks.policy.people import Person


class Asked(Frozen):
    """A form whose answer is signed."""

    path: str
    """Where what is to be signed is drawn up, and taken."""
    type: str
    """Of the statement's predicate."""
    person: str
    keys: list[str]
    """Fingerprints of their keys that count now, for what is asked."""
    about: dict[str, Any]
    """Fields of the predicate that have to be there as they are here. Reason, person and time come besides, and what
    the reader chooses."""
    digests: list[str]
    """SHA-256 of the statement's subjects."""
    wish: dict[str, Any] = {}
    """What the console is asked for, besides what the form says."""
    roles: list[str] = []
    """In which they may do it; empty where `about` names one, or none is asked."""
    breaking: list[str] = []
    """Of a rollback: in which they may order it alone, in an emergency."""
    joins: list[str] = []
    """Of a rollback: digests of the orders that it is given together with."""


def keys_of(here: Here, person: Person) -> list[str]:
    """Fingerprints of a person's keys that count now; none of who has none."""
    if not here.governance.fingerprints_of(person.id):
        return []
    return [key.fingerprint for key in here.governance.keys_of(person) if key.counts(here.now)]
