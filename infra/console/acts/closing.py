"""The end of an incident."""

from infra.console.acts import signed
from infra.console.acts.signed import Done, Signature, ToSign, Wanted
from infra.console.site import Here
from tasks.incidents import incidents
from tasks.policy import signed_entry
from tasks.policy.people import Person


class Signed(Wanted, Signature):
    """Closed, with the signature."""


def draw(here: Here, person: Person, incident: str, wanted: Wanted) -> ToSign:
    """The closing, to sign. Raises what `incidents.close` raises."""
    _, drafts = incidents.to_close(here.ledger, here.governance, incident, person.id, wanted.reason)
    return signed.to_sign(signed_entry.draw(here.ledger, drafts))


def take(here: Here, person: Person, incident: str, wanted: Signed) -> Done:
    """Record the signed closing. Raises as `draw`, and Refused for another's signature."""
    closer, drafts = incidents.to_close(here.ledger, here.governance, incident, person.id, wanted.reason)
    entry = signed_entry.enter(here.ledger, here.governance, closer, drafts, [wanted.sealed(wanted.line)])
    return Done(entry=entry.seq, said=f"{incident} is closed")
