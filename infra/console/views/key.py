"""The key that a person's browser signs with."""

from infra.console.site import Here
from tasks.core.config import Frozen
from tasks.policy.people import Person


class KeyPage(Frozen):
    person: str
    counting: list[str]
    """Fingerprints of their keys that count now."""
    environment: str


def key(here: Here, person: Person) -> KeyPage:
    """The browser itself says whether it holds one of them."""
    counting = [key.fingerprint for key in here.governance.keys_of(person) if key.counts(here.now)]
    return KeyPage(person=person.id, counting=counting, environment=here.governance.policy.environment)
