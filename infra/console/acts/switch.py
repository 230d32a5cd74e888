"""Pausing or resuming of a schedule or trigger, signed in a browser."""

from infra.console.acts import signed
from infra.console.acts.signed import Done, Signature, ToSign
from infra.console.site import Here
from tasks.occasions import deciding
from tasks.occasions.signed_deed import Deed
from tasks.policy import signed_entry
from tasks.policy.people import Person


class Wanted(signed.Wanted):
    deed: Deed


class Signed(Wanted, Signature):
    """Request to pause or resume, with the signed statement."""


def draw(here: Here, person: Person, name: str, wanted: Wanted) -> ToSign:
    """Return the statement to sign. Raises as `deciding.switch`."""
    _, drafts = deciding.to_switch(here.ledger, here.governance, wanted.deed, name, person.id, wanted.reason)
    return signed.to_sign(signed_entry.draw(here.ledger, drafts))


def take(here: Here, person: Person, name: str, wanted: Signed) -> Done:
    """Record the signed statement. Raises as `draw`, and Refused for a signature of another person."""
    who, drafts = deciding.to_switch(here.ledger, here.governance, wanted.deed, name, person.id, wanted.reason)
    entry = signed_entry.enter(here.ledger, here.governance, who, drafts, [wanted.sealed(wanted.line)])
    return Done(entry=entry.seq, said=f"{name} {'rests' if wanted.deed == 'pause' else 'goes on'}")
