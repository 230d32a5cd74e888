"""Order to roll back to an earlier release, signed in a browser."""

from infra.console.signing import messages
from infra.console.signing.messages import RecordedStatement, ShortText, SignedStatement, UnsignedStatement
from infra.console.site import RequestState
from tasks.ledger.heads import publication
from tasks.policy.people import Person
from tasks.registry.promote import rollback
from tasks.registry.promote.rollback import RollbackRequest


class RollbackForm(messages.SigningRequest):
    role: ShortText = ""
    """Role in which the person orders the rollback; empty if only one of their roles may order it."""
    break_glass: bool = False
    """Whether this is an emergency rollback, which needs no second person and opens an incident."""

    def rollback_request(self) -> RollbackRequest:
        return RollbackRequest(self.reason, self.role or None, self.break_glass)


class SignedRollbackForm(RollbackForm, SignedStatement):
    """Request to record a rollback order, with the signed order."""


def draft(here: RequestState, person: Person, label: str, signing_request: RollbackForm) -> UnsignedStatement:
    """Return the order to sign.

    Raises:
        InputError: The release or person is unknown, or the reason is missing.
        Refused: The person may not order the rollback, the release does not verify, or the release relies on an expired
            waiver. Only an emergency rollback may rely on an expired waiver.
        Unavailable: The ledger cannot be used.
    """
    return messages.unsigned_statement(
        rollback.draft_order(here.ledger, here.governance, label, person.id, signing_request.rollback_request())
    )


def record(here: RequestState, person: Person, label: str, signing_request: SignedRollbackForm) -> RecordedStatement:
    """Record the signed order. If no other order is missing, perform the rollback.

    Raises:
        Refused: As in `draft`, or somebody else signed the order.
        InputError: As in `draft`.
    """
    envelope = signing_request.envelope(signing_request.public_key_line)
    done = rollback.submit_order(
        here.ledger, here.governance, label, person.id, signing_request.rollback_request(), envelope
    )
    late = publication.publish_if_changed(
        here.ledger, here.governance
    )  # the order counts even if the head cannot be published
    waits = f"ordered; it waits for {' and '.join(done.waiting_for)}"
    said = waits if done.waiting_for else f"{label} is champion again"
    return RecordedStatement(entry=done.entry, said="; ".join([said, *late]))
