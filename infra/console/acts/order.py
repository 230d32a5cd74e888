"""Order to roll back to an earlier release, signed in a browser."""

from infra.console.acts import signed
from infra.console.acts.signed import Done, Line, Signature, ToSign
from infra.console.site import Here
from tasks.ledger.heads import publish
from tasks.policy.people import Person
from tasks.registry.promote import rollback
from tasks.registry.promote.rollback import Wish


class Wanted(signed.Wanted):
    role: Line = ""
    """Role in which the person orders; empty if only one of their roles may order."""
    break_glass: bool = False
    """Whether this is an emergency rollback, which needs no second person and opens an incident."""

    def wish(self) -> Wish:
        return Wish(self.reason, self.role or None, self.break_glass)


class Signed(Wanted, Signature):
    """Request for a rollback, with the signed order."""


def draw(here: Here, person: Person, label: str, wanted: Wanted) -> ToSign:
    """Return the order to sign. Raises as `rollback.rollback`."""
    return signed.encoded(rollback.draw(here.ledger, here.governance, label, person.id, wanted.wish()))


def take(here: Here, person: Person, label: str, wanted: Signed) -> Done:
    """Record the signed order, and roll back if no other order is missing.

    Raises as `draw`, and Refused for a signature of another person.
    """
    envelope = wanted.sealed(wanted.line)
    done = rollback.take(here.ledger, here.governance, label, person.id, wanted.wish(), envelope)
    late = publish.publish_grown(here.ledger, here.governance)  # the order counts even if the head cannot be published
    waits = f"ordered; it waits for {' and '.join(done.waiting_for)}"
    said = waits if done.waiting_for else f"{label} is champion again"
    return Done(entry=done.entry, said="; ".join([said, *late]))
