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


class SignedSwitch(SwitchRequest, SignedStatement):
    """Request to record a pause or resumption, with the signed statement."""


def draft(here: RequestState, person: Person, name: str, wanted: SwitchRequest) -> UnsignedStatement:
    """Return the statement to sign.

    Raises:
        Refused: The person may not pause or resume schedules, or the statement would change nothing.
        InputError: The schedule or trigger or the person is unknown, or no reason is given.
    """
    _, drafts = control.draft_switch(here.ledger, here.governance, wanted.deed, name, person.id, wanted.reason)
    return messages.unsigned(signed_entry.draw_up(here.ledger, drafts))


def record(here: RequestState, person: Person, name: str, wanted: SignedSwitch) -> RecordedStatement:
    """Record the signed statement.

    Raises:
        Refused: As in `draft`, or somebody else signed the statement.
        InputError: As in `draft`.
    """
    who, drafts = control.draft_switch(here.ledger, here.governance, wanted.deed, name, person.id, wanted.reason)
    entry = signed_entry.record_signed(
        here.ledger, here.governance, who, drafts, [wanted.envelope(wanted.public_key_line)]
    )
    return RecordedStatement(entry=entry.seq, said=f"{name} {'rests' if wanted.deed == 'pause' else 'goes on'}")
