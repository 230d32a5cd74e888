"""Decisions about an erasure, one for each kind of places.

The owners of the person's sources decide, and who signs changes of policy off: those are the people of law and
security. Nobody decides on an erasure that they requested.
"""

from collections.abc import Sequence
from datetime import date, datetime

from tasks.core.documents.config import validate_reason
from tasks.core.errors import InputError, Refused
from tasks.declarations import declarations
from tasks.erase import subject
from tasks.ledger.ledger import Entry
from tasks.policy import signed_entry
from tasks.policy.people import Person
from tasks.policy.signed_entry import Draft
from tasks.runs.checkout import Checkout
from tasks.suppression import cases
from tasks.suppression.cases import ErasureCase
from tasks.suppression.place_kinds import DELETE, KINDS, Kind, Verb
from tasks.suppression.signed_documents import DECIDED, DECISION_KIND, ErasureDecision

ENDLESS_KIND: Kind = "ledger"
"""Kind that is kept without an end, because nothing can be removed from it."""


def decide(
    here: Checkout, erasure: str, kinds: Sequence[str], verb: Verb, reason: str, until: date | None, person_id: str
) -> Entry:
    """Sign and record the same decision about several kinds of places, and return the last entry.

    Raises:
        InputError: A kind, the reason or the day is not valid.
        Refused: The person may not decide, or a kind was deleted already.
    """
    ledger, governance = here.ledger, here.governance
    reason, today = validate_reason(reason), ledger.now().date()
    wanted = [_require_kind(name, verb, until, today) for name in dict.fromkeys(kinds)]
    person = governance.require_actor(person_id, ledger.now())
    case = cases.get_case(ledger, governance, erasure)
    owners = _owners(here, erasure)

    def drafts() -> list[Draft]:
        now = ledger.now()
        case = cases.get_case(ledger, governance, erasure)
        _require_may_decide(person, case, owners, _deciding_roles(here), now)
        _require_open(case, wanted)
        assert case.request is not None
        said = [
            ErasureDecision(
                erasure=erasure,
                request=case.request.sha256,
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

    if case.request is None:
        raise Refused(f"erasure {erasure} was decided elsewhere, as its certificate says; carry it out again as it is")
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


def _owners(here: Checkout, erasure: str) -> set[str]:
    """Return the owners of the sources that the person is in, as these are declared now."""
    sealed = subject.find_sealed(here.state, erasure)
    declared = declarations.sources_by_id(here.ledger, here.governance)
    named = {each.source_id for each in sealed.records} if sealed else set()
    return {declared[name].owner for name in named if name in declared}


def _deciding_roles(here: Checkout) -> list[str]:
    return [role.role for role in here.governance.policy.changes.policy]


def _require_may_decide(person: Person, case: ErasureCase, owners: set[str], roles: list[str], at: datetime) -> None:
    if case.request and person.id == case.request.document.person:
        raise Refused(f"{person.id} requested this erasure, and nobody decides on what they asked for")
    if person.id not in owners and not set(roles) & set(person.roles_at(at)):
        raise Refused(
            f"{person.id} may not decide on this erasure: the owners of the person's sources may, and role "
            f"{' or '.join(roles) or 'nobody'}"
        )


def _require_open(case: ErasureCase, kinds: list[Kind]) -> None:
    if case.certificate:
        raise Refused(f"erasure {case.id} was certified; a new request begins a new one")
    done = [kind for kind in kinds if kind in case.steps and case.decisions[kind].verb == DELETE]
    if done:
        raise Refused(f"{', '.join(done)}: deleted already, so there is nothing to decide")
