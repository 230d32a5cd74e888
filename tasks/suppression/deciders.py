"""People who may decide about an erasure and certify it.

These are the owners of the person's sources, and who signs changes of policy off: the people of law and security.
Nobody decides on an erasure that they requested.
"""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from tasks.core.errors import Refused
from tasks.declarations import declarations
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person


class Parties(NamedTuple):
    requester: str
    """Id of the person who signed the request."""
    sources: list[str]
    """Ids of the sources that had a record of the person when the erasure was requested."""


def require_may_decide(person: Person, parties: Parties, ledger: Ledger, governance: Governance, at: datetime) -> None:
    """Verify that a person may decide on an erasure, or certify it.

    Raises:
        Refused: The person requested the erasure, or has no right to decide.
    """
    if person.id == parties.requester:
        raise Refused(f"{person.id} requested this erasure, and nobody decides on what they asked for")
    roles = [role.role for role in governance.policy.changes.policy]
    if not set(roles) & set(person.roles_at(at)) and person.id not in _owners(parties.sources, ledger, governance):
        raise Refused(
            f"{person.id} may not decide on this erasure: the owners of the person's sources may, and role "
            f"{' or '.join(roles) or 'nobody'}"
        )


def _owners(names: Collection[str], ledger: Ledger, governance: Governance) -> set[str]:
    """Return the owners of sources, as these are declared now."""
    declared = ledger.cached("owners of an erasure", lambda: declarations.sources_by_id(ledger, governance))
    return {declared[name].owner for name in names if name in declared}
