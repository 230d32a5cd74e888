"""Key with which a person's browser signs."""

from infra.console.site import RequestState
from infra.console.views.signing_form import key_fingerprints
from tasks.core.documents.config import FrozenModel
from tasks.policy.people import Person


class KeyPage(FrozenModel):
    person: str
    counting: list[str]
    """Fingerprints of the person's keys that are valid now."""
    environment: str


def key(here: RequestState, person: Person) -> KeyPage:
    """Return the valid keys of a person. Only the browser knows whether it holds one of them."""
    return KeyPage(
        person=person.id, counting=key_fingerprints(here, person), environment=here.governance.policy.environment
    )
