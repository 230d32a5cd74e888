"""Closing of an incident, signed in a browser."""

from infra.console.signing import messages
from infra.console.signing.messages import RecordedStatement, SignedStatement, SigningRequest, UnsignedStatement
from infra.console.site import RequestState
from tasks.incidents import incidents
from tasks.policy import signed_entry
from tasks.policy.people import Person


class SignedClosingRequest(SigningRequest, SignedStatement):
    """Request to close an incident, with the signed statement."""


def draft(here: RequestState, person: Person, incident: str, signing_request: SigningRequest) -> UnsignedStatement:
    """Return the statement to sign.

    Raises:
        Refused: The person may not close the incident, or it is closed already.
        InputError: The incident or the person is unknown, or the reason is not valid.
    """
    _, drafts = incidents.draft_closing(here.ledger, here.governance, incident, person.id, signing_request.reason)
    return messages.unsigned_or_recorded(signed_entry.prepare_statements(here.ledger, drafts))


def record(
    here: RequestState, person: Person, incident: str, signing_request: SignedClosingRequest
) -> RecordedStatement:
    """Record the signed statement.

    Raises:
        Refused: As in `draft`, or somebody else signed the statement.
        InputError: As in `draft`.
    """
    closer, drafts = incidents.draft_closing(here.ledger, here.governance, incident, person.id, signing_request.reason)
    entry = signed_entry.record_signed_statements(
        here.ledger, here.governance, closer, drafts, [signing_request.envelope(signing_request.public_key_line)]
    )
    return RecordedStatement(entry=entry.seq, said=f"{incident} is closed")
