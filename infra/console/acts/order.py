"""An order that an earlier release be champion again."""

from infra.console.acts import signed
from infra.console.acts.signed import Done, Line, Signature, ToSign
from infra.console.site import Here
from tasks.ledger.heads import publish
from tasks.policy.people import Person
from tasks.registry.promote import rollback
from tasks.registry.promote.rollback import Wish


class Wanted(signed.Wanted):
    role: Line = ""
    """Empty: the one that they hold."""
    break_glass: bool = False
    """An emergency: at once and alone, and an incident."""

    def wish(self) -> Wish:
        return Wish(self.reason, self.role or None, self.break_glass)


class Signed(Wanted, Signature):
    """The same, signed."""


def draw(here: Here, person: Person, label: str, wanted: Wanted) -> ToSign:
    """The order, to sign. Raises what `rollback.rollback` raises."""
    return signed.encoded(rollback.draw(here.ledger, here.governance, label, person.id, wanted.wish()))


def take(here: Here, person: Person, label: str, wanted: Signed) -> Done:
    """Record the signed order, and carry it out once nobody else is asked. Raises as `draw`, and Refused for another's
    signature."""
    envelope = wanted.sealed(wanted.line)
    done = rollback.take(here.ledger, here.governance, label, person.id, wanted.wish(), envelope)
    late = publish.publish_grown(here.ledger, here.governance)  # the order stands whatever becomes of the head
    waits = f"ordered; it waits for {' and '.join(done.waiting_for)}"
    said = waits if done.waiting_for else f"{label} is champion again"
    return Done(entry=done.entry, said="; ".join([said, *late]))
