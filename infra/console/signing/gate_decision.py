"""Decision at a gate, signed in a browser."""

from datetime import UTC, datetime, time
from typing import Annotated

from pydantic import Field

from infra.console.signing import messages
from infra.console.signing.messages import RecordedStatement, ShortText, SignedStatement, UnsignedStatement
from infra.console.site import RequestState
from infra.console.views.gate import newest_case
from tasks.core.errors import InputError, Refused
from tasks.gates import decisions
from tasks.gates.cases import GateCase
from tasks.gates.decisions import DecisionDraft
from tasks.gates.signed_decision import Verb
from tasks.policy.governance import Governance
from tasks.policy.people import Person


class DecisionRequest(messages.SigningRequest):
    verb: Verb
    evidence: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    role: ShortText = ""
    """Role in which the person decides; empty if only one of their roles may decide."""
    checks: Annotated[list[ShortText], Field(max_length=100)] = []
    expires: Annotated[str, Field(max_length=10)] = ""
    """Last day of a waiver, such as 2026-04-01; empty for other decisions."""

    def requested_decision(self) -> DecisionDraft:
        """Return the requested decision.

        Raises:
            InputError: `expires` is not a date.
        """
        return DecisionDraft(self.verb, self.reason, self.role or None, tuple(self.checks), _end_of_day(self.expires))


class SignedDecisionRequest(DecisionRequest, SignedStatement):
    """Request to record a decision, with the signed statement."""


def draft(
    here: RequestState, person: Person, run: str, gate: str, signing_request: DecisionRequest
) -> UnsignedStatement:
    """Return the statement to sign.

    Raises:
        Refused: The person may not decide, or the gate's evidence has changed.
        InputError: A value is missing or not valid.
    """
    case, governed = _require_same_evidence(here, run, gate, signing_request)
    drawn = decisions.prepare_decision(
        here.ledger,
        governed,
        case.evidence,
        person.id,
        signing_request.requested_decision(),
        signing_request.public_key_line,
    )
    return messages.unsigned_or_recorded(drawn)


def record(
    here: RequestState, person: Person, run: str, gate: str, signing_request: SignedDecisionRequest
) -> RecordedStatement:
    """Record the signed decision.

    Raises:
        Refused: As in `draft`, or somebody else signed the statement.
        InputError: As in `draft`.
    """
    case, governed = _require_same_evidence(here, run, gate, signing_request)
    line = signing_request.public_key_line
    envelope = signing_request.envelope(line)
    entry = decisions.record_signed_decision(
        here.ledger, governed, case.evidence, person.id, signing_request.requested_decision(), envelope, line
    )
    return RecordedStatement(entry=entry.seq, said=f"{signing_request.verb}, at the {gate} gate of run {run}")


def _require_same_evidence(
    here: RequestState, run: str, gate: str, signing_request: DecisionRequest
) -> tuple[GateCase, Governance]:
    case, governed = newest_case(here, run, gate)
    if case.sha256 != signing_request.evidence:
        raise Refused("the gate has other evidence by now than your page shows; load the page anew and look at it")
    return case, governed


def _end_of_day(day: str) -> datetime | None:
    if not day:
        return None
    try:
        return datetime.combine(datetime.strptime(day, "%Y-%m-%d"), time(23, 59, 59), UTC)
    except ValueError:
        raise InputError(f"expected a day such as 2026-04-01, got {day!r}") from None
