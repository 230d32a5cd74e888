"""Key with which a person's browser signs."""

from infra.console.site import Here
from infra.console.views.asked import keys_of
from tasks.core.config import Frozen
from tasks.policy.people import Person


class KeyPage(Frozen):
    person: str
    counting: list[str]
    """Fingerprints of the person's keys that count now."""
    environment: str


def key(here: Here, person: Person) -> KeyPage:
    """Return the keys of a person that count. Only the browser knows whether it holds one of them."""
    return KeyPage(person=person.id, counting=keys_of(here, person), environment=here.governance.policy.environment)
