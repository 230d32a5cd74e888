"""List of waivers: failed checks that may pass until a date."""

from datetime import datetime
from itertools import islice

from infra.console.site import RequestState
from infra.console.team_access import TeamAccess
from infra.console.views.runs import RowLimit
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError
from tasks.gates import signed_decision
from tasks.gates.signed_decision import ENTRY_KIND, SignedDecision
from tasks.ledger.ledger import Entry
from tasks.policy.people import Person

MAX_DECISIONS_SEARCHED = 2_000


class WaiverRow(FrozenModel):
    run: str
    gate: str
    use_case: str
    checks: list[str]
    person: str
    role: str
    reason: str
    expires: datetime | None
    over: bool
    """Whether the waiver has expired."""
    entry: int


class Waivers(FrozenModel):
    rows: list[WaiverRow]
    """Waivers by expiry date, earliest first; expired waivers come last. Withdrawn waivers are included, because only
    the page of the gate shows a withdrawal."""
    whole: bool
    """Whether the search covered every decision in the ledger."""


def waivers(here: RequestState, person: Person, most: RowLimit = 100) -> Waivers:
    decided = list(islice(here.ledger.newest_first(ENTRY_KIND), MAX_DECISIONS_SEARCHED + 1))
    claimed = [
        entry
        for entry in decided[:MAX_DECISIONS_SEARCHED]
        if signed_decision.unverified_person_and_verb(entry)[1] == "waive"
    ]
    found = filter(None, (_verified_decision(here, entry) for entry in claimed))
    rows = sorted((_row(here, signed) for signed in found), key=lambda row: (row.over, str(row.expires), -row.entry))
    use_cases = TeamAccess(here, person).use_cases
    rows = [row for row in rows if use_cases.contains(row.use_case)]
    return Waivers(rows=rows[:most], whole=len(decided) <= MAX_DECISIONS_SEARCHED)


def _verified_decision(here: RequestState, entry: Entry) -> SignedDecision | None:
    try:
        return signed_decision.read_decision(entry, here.governance)
    except HallmarkError:
        return None


def _row(here: RequestState, signed: SignedDecision) -> WaiverRow:
    it = signed.decision
    return WaiverRow(
        **it.model_dump(include=set(WaiverRow.model_fields)),
        over=it.expires is not None and it.expires < here.ledger_time,
        entry=signed.entry.seq,
    )
