"""What a page reads: the ledger and the governance in force, opened for one request."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.runs.rules import Rules
from tasks.runs.run import installed_governance


@dataclass(frozen=True)
class Site:
    """The checkout that a console serves, and the address that people reach it at."""

    root: Path
    origin: str
    """E.g. http://127.0.0.1:4220."""

    @property
    def state(self) -> Path:
        return self.root / ".hallmark"


class Here:
    """One request's look at the record. Each part is read when a page asks for it, and once."""

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
        """What is in force. Raises as `installed_governance`."""
        return installed_governance(self.site.root, None)

    @cached_property
    def rules(self) -> Rules:
        return Rules(self.site.root, self.ledger)

    @cached_property
    def now(self) -> datetime:
        return self.ledger.now()

    def person(self, person_id: str) -> Person:
        """Who visits. Raises InputError or Refused for who may not read here."""
        return self.governance.reader(person_id, self.now)

    def require_actor(self, person_id: str) -> None:
        """Raises as `person`, and Refused for who only reads."""
        self.governance.actor(person_id, self.now)
