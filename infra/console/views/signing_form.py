"""Form of a statement that is signed in the browser.

It contains only the data that the browser needs to sign what the page shows.
"""

from typing import Any

from infra.console.site import RequestState
from tasks.core.documents.config import FrozenModel
from tasks.policy.people import Person
from tasks.policy.policy import Policy
from tasks.policy.signed_document import SignedKind
from tasks.trust.gate_statement import GateName


class SigningForm(FrozenModel):
    path: str
    """Path of the routes that draft and record the statement, without `/draw` and `/decide`."""
    type: str
    person: str
    keys: list[str]
    """Fingerprints of the person's keys that are valid now for this statement."""
    about: dict[str, Any]
    """Values that fields of the statement's predicate must have. Reason, person, time and the choices in the form are
    not included."""
    defaults: dict[str, Any]
    """Values that optional fields of the predicate must have if neither `about` nor the form contains the field."""
    digests: list[str]
    wish: dict[str, Any] = {}
    """Fields that the browser must add to its request, besides those of the form."""
    roles: list[str] = []
    """Roles in which the person may sign; empty if `about` names the role, or if no role is needed."""
    breaking: list[str] = []
    """Roles in which the person may order an emergency rollback; empty for other statements."""
    joins: list[str] = []
    """SHA-256 digests of other people's rollback orders that this order joins; empty for other statements."""


def optional_fields(kind: SignedKind[Any]) -> dict[str, Any]:
    """Return the optional fields of a document kind with their default values, as JSON."""
    defaults: dict[str, Any] = kind.model.model_construct().model_dump(mode="json")
    return defaults


def key_fingerprints(here: RequestState, person: Person) -> list[str]:
    if not here.governance.fingerprints_of(person.id):
        return []
    return [key.fingerprint for key in here.governance.keys_of(person) if key.is_valid(here.ledger_time)]


def strong_key_fingerprints(here: RequestState, person: Person, policy: Policy, tier: str, gate: GateName) -> list[str]:
    """Return the fingerprints of the person's valid keys that are as strong as policy requires at the gate."""
    wanted, known = policy.gate(tier, gate).signature, key_fingerprints(here, person)
    return [key for key in known if not person.key_weakness(wanted, policy.environment, key)]
