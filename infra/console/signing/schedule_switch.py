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
    """Request to pause or resume, with the signed statement."""


def draft(here: RequestState, person: Person, name: str, wanted: SwitchRequest) -> UnsignedStatement:
    """Return the statement to sign. Raises as `control.draft_switch`."""
    _, drafts = control.draft_switch(here.ledger, here.governance, wanted.deed, name, person.id, wanted.reason)
    return messages.unsigned(signed_entry.draw_up(here.ledger, drafts))


def record(here: RequestState, person: Person, name: str, wanted: SignedSwitch) -> RecordedStatement:
    """Record the signed statement. Raises as `draft`, and Refused for a signature of another person."""
    who, drafts = control.draft_switch(here.ledger, here.governance, wanted.deed, name, person.id, wanted.reason)
    entry = signed_entry.record_signed(
        here.ledger, here.governance, who, drafts, [wanted.envelope(wanted.public_key_line)]
    )
    return RecordedStatement(entry=entry.seq, said=f"{name} {'rests' if wanted.deed == 'pause' else 'goes on'}")
