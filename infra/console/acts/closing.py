"""Closing of an incident, signed in a browser."""

from infra.console.acts import signed
from infra.console.acts.signed import Done, Signature, ToSign, Wanted
from infra.console.site import Here
from tasks.incidents import incidents
from tasks.policy import signed_entry
from tasks.policy.people import Person


class Signed(Wanted, Signature):
    """Request to close an incident, with the signed statement."""


def draw(here: Here, person: Person, incident: str, wanted: Wanted) -> ToSign:
    """Return the statement to sign. Raises as `incidents.close`."""
    _, drafts = incidents.to_close(here.ledger, here.governance, incident, person.id, wanted.reason)
    return signed.to_sign(signed_entry.draw(here.ledger, drafts))


def take(here: Here, person: Person, incident: str, wanted: Signed) -> Done:
    """Record the signed statement. Raises as `draw`, and Refused for a signature of another person."""
    closer, drafts = incidents.to_close(here.ledger, here.governance, incident, person.id, wanted.reason)
    entry = signed_entry.enter(here.ledger, here.governance, closer, drafts, [wanted.sealed(wanted.line)])
    return Done(entry=entry.seq, said=f"{incident} is closed")
