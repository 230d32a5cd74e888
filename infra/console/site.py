"""State that a page reads: the ledger and the governance in force, opened for one request."""

from dataclasses import dataclass
from pathlib import Path

from tasks.policy.people import Person
from tasks.runs.checkout import Checkout


@dataclass(frozen=True)
class Site:
    """Checkout that the console serves, with the console's URL."""

    root: Path
    origin: str
    """Scheme, host and port, for example http://127.0.0.1:4220."""

    @property
    def state(self) -> Path:
        return self.root / ".hallmark"


class RequestState(Checkout):
    def __init__(self, site: Site) -> None:
        super().__init__(site.root)

    def require_reader(self, person_id: str) -> Person:
        """Return a person who may read pages.

        Raises:
            InputError: people.yaml has no such person.
            Refused: The person may not read pages, for example because they hold no role now.
        """
        return self.governance.require_reader(person_id, self.ledger_time)

    def require_actor(self, person_id: str) -> None:
        """Require that a person may do more than read pages.

        Raises:
            InputError: people.yaml has no such person.
            Refused: The person is only an auditor, or holds no role now.
        """
        self.governance.require_actor(person_id, self.ledger_time)
