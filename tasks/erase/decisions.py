"""Decisions about an erasure, one for each kind of places."""

from collections.abc import Sequence
from datetime import date

from tasks.core.documents.config import validate_reason
from tasks.core.errors import InputError, Refused
from tasks.erase import kept_texts, subject
from tasks.erase.erasure_lock import hold_lock
from tasks.ledger.ledger import Entry
from tasks.policy import signed_entry
from tasks.policy.signed_entry import Draft
from tasks.runs.checkout import Checkout
from tasks.suppression import cases, deciders
from tasks.suppression.cases import ErasureCase
from tasks.suppression.place_kinds import DELETE, ENDLESS_KIND, KINDS, Kind, Verb
from tasks.suppression.signed_documents import DECIDED, DECISION_KIND, ErasureDecision


def decide(
    here: Checkout, erasure: str, kinds: Sequence[str], verb: Verb, reason: str, until: date | None, person_id: str
) -> Entry:
    """Sign and record the same decision about several kinds of places, and return the last entry.

    Raises:
        InputError: A kind, the reason or the day is not valid, or the reason names the person.
        Refused: The person may not decide, or a kind was deleted already.
    """
    ledger, governance = here.ledger, here.governance
    reason, today = validate_reason(reason), ledger.now().date()
    wanted = [_require_kind(name, verb, until, today) for name in dict.fromkeys(kinds)]
    person = governance.require_actor(person_id, ledger.now())

    def drafts() -> list[Draft]:
        now = ledger.now()
        case = cases.get_case(ledger, governance, erasure)
        deciders.require_may_decide(person, case.parties, ledger, governance, now)
        _require_open(case, wanted, verb)
        said = [
            ErasureDecision(
                erasure=erasure,
                request=case.request_sha256,
                environment=governance.policy.environment,
                person=person.id,
                kind=kind,
                verb=verb,
                reason=reason,
                until=until,
                time=now,
            )
            for kind in wanted
        ]
        return [Draft(DECIDED, erasure, DECISION_KIND.statement(each)) for each in said]

    with hold_lock(here.state):
        if known := subject.find_sealed(here.state, erasure):
            kept_texts.require_unnamed(known, "--reason", [reason])
        return signed_entry.sign_and_record(ledger, governance, person, drafts)


def _require_kind(name: str, verb: Verb, until: date | None, today: date) -> Kind:
    if name not in KINDS:
        raise InputError(f"there is no kind of places {name!r}; the kinds are {', '.join(KINDS)}")
    kind = KINDS[name]
    if verb not in kind.verbs:
        raise InputError(f"{name}: {kind.label}; expected {' or '.join(kind.verbs)}, got {verb}")
    if verb == DELETE and until:
        raise InputError(f"{name}: --until belongs to what is kept, and not to what is deleted")
    if verb != DELETE and until is None and name != ENDLESS_KIND:
        raise InputError(f"{name}: say until which day with --until YYYY-MM-DD, for {verb}")
    if until and until <= today:
        raise InputError(f"{name}: --until {until} has passed; give a day to come")
    return kind.name


def _require_open(case: ErasureCase, kinds: list[Kind], verb: Verb) -> None:
    """Verify that there is something to decide. What is left after a deletion can still be kept.

    Raises:
        Refused: A kind has its outcome in the certificate, or was deleted and would be deleted again.
    """
    certified = {each.kind for each in case.certificate.document.outcomes} if case.certificate else set()
    if closed := [kind for kind in kinds if kind in certified]:
        raise Refused(
            f"erasure {case.id} was certified with {', '.join(closed)}; what the certificate says is carried out again "
            "as it is, and a new request begins a new erasure"
        )
    if verb == DELETE and (done := [kind for kind in kinds if _is_deleted(case, kind)]):
        raise Refused(f"{', '.join(done)}: deleted already; what is left of it can be kept, with --keep")


def _is_deleted(case: ErasureCase, kind: Kind) -> bool:
    decided, step = case.decisions.get(kind), case.steps.get(kind)
    return bool(decided and decided.verb == DELETE and step and step.body.get("verb") == DELETE)
