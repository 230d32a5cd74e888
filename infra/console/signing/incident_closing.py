"""Closing of an incident, signed in a browser."""

from infra.console.signing import messages
from infra.console.signing.messages import RecordedStatement, SignedStatement, SigningRequest, UnsignedStatement
from infra.console.site import RequestState
from tasks.incidents import incidents
from tasks.policy import signed_entry
from tasks.policy.people import Person


class SignedClosing(SigningRequest, SignedStatement):
    """Request to close an incident, with the signed statement."""


def draft(here: RequestState, person: Person, incident: str, wanted: SigningRequest) -> UnsignedStatement:
    """Return the statement to sign.

    Raises:
        Refused: The person may not close the incident, or it is closed already.
        InputError: The incident or the person is unknown, or the reason is not valid.
    """
    _, drafts = incidents.draft_closing(here.ledger, here.governance, incident, person.id, wanted.reason)
    return messages.unsigned(signed_entry.draw_up(here.ledger, drafts))


def record(here: RequestState, person: Person, incident: str, wanted: SignedClosing) -> RecordedStatement:
    """Record the signed statement.

    Raises:
        Refused: As in `draft`, or somebody else signed the statement.
        InputError: As in `draft`.
    """
    closer, drafts = incidents.draft_closing(here.ledger, here.governance, incident, person.id, wanted.reason)
    entry = signed_entry.record_signed(
        here.ledger, here.governance, closer, drafts, [wanted.envelope(wanted.public_key_line)]
    )
    return RecordedStatement(entry=entry.seq, said=f"{incident} is closed")
