"""State that a page reads: the ledger and the governance in force, opened for one request."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.runs.governance_cache import GovernanceCache
from tasks.runs.run import installed_governance


@dataclass(frozen=True)
class Site:
    """Checkout that a console serves, and the address at which people reach it."""

    root: Path
    origin: str
    """Scheme, host and port, for example http://127.0.0.1:4220."""

    @property
    def state(self) -> Path:
        return self.root / ".hallmark"


class RequestState:
    """Ledger, governance and time for one request. Each is read at its first use and then cached."""

    def __init__(self, site: Site) -> None:
        self.site = site

    @property
    def state(self) -> Path:
        return self.site.state

    @cached_property
    def ledger(self) -> Ledger:
        return open_ledger(self.state)

    @cached_property
    def governance(self) -> Governance:
        return installed_governance(self.site.root, None)

    @cached_property
    def rules(self) -> GovernanceCache:
        return GovernanceCache(self.site.root, self.ledger)

    @cached_property
    def now(self) -> datetime:
        return self.ledger.now()

    def person(self, person_id: str) -> Person:
        """Return a person who may read pages.

        Raises:
            InputError: people.yaml has no such person.
            Refused: The person may not read here, for example because they hold no role now.
        """
        return self.governance.reader(person_id, self.now)

    def require_actor(self, person_id: str) -> None:
        """Require a person who may do more than read. Raises as `person`, and Refused for an auditor."""
        self.governance.actor(person_id, self.now)
