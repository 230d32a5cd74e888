"""Pausing or resuming of a schedule or trigger, signed in a browser."""

from infra.console.signing import messages
from infra.console.signing.messages import RecordedStatement, SignedStatement, UnsignedStatement
from infra.console.site import RequestState
from tasks.policy import signed_entry
from tasks.policy.people import Person
from tasks.scheduling import control
from tasks.scheduling.signed_statements import SwitchAction


class SwitchRequest(messages.SigningRequest):
    deed: SwitchAction


class SignedSwitchRequest(SwitchRequest, SignedStatement):
    """Request to record a pause or resumption, with the signed statement."""


def draft(here: RequestState, person: Person, name: str, signing_request: SwitchRequest) -> UnsignedStatement:
    """Return the statement to sign.

    Raises:
        Refused: The person may not pause or resume schedules, or the statement would change nothing.
        InputError: The schedule, trigger or person is unknown, or no reason is given.
    """
    _, drafts = control.draft_pause_or_resume(
        here.ledger, here.governance, signing_request.deed, name, person.id, signing_request.reason
    )
    return messages.unsigned_or_recorded(signed_entry.prepare_statements(here.ledger, drafts))


def record(here: RequestState, person: Person, name: str, signing_request: SignedSwitchRequest) -> RecordedStatement:
    """Record the signed statement.

    Raises:
        Refused: As in `draft`, or somebody else signed the statement.
        InputError: As in `draft`.
    """
    who, drafts = control.draft_pause_or_resume(
        here.ledger, here.governance, signing_request.deed, name, person.id, signing_request.reason
    )
    entry = signed_entry.record_signed_statements(
        here.ledger, here.governance, who, drafts, [signing_request.envelope(signing_request.public_key_line)]
    )
    return RecordedStatement(
        entry=entry.seq, said=f"{name} {'rests' if signing_request.deed == 'pause' else 'goes on'}"
    )
