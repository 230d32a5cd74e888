"""List of ledger entries, newest first, and one entry with its whole body."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from infra.console.site import RequestState
from infra.console.views import free_text
from infra.console.views.run_pages import run_layout
from infra.console.views.runs import EntryNumber, RowLimit
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.escaping import escaped_json
from tasks.ledger import search
from tasks.ledger.kinds import KINDS
from tasks.ledger.ledger import Entry
from tasks.ledger.search import EntryFilter
from tasks.policy.people import Person
from tasks.trust import stage_record

PAGE_SIZE = 50
MAX_ENTRIES_SEARCHED = 10_000


class EntryRow(FrozenModel):
    entry: int
    time: datetime
    kind: str
    subject: str
    says: str


class Entries(FrozenModel):
    rows: list[EntryRow]
    kind: str
    subject: str
    run: str
    about: str
    """Id of the person whom the entries are about; empty for all people."""
    older: int | None
    """Number of the last entry searched; null if the search reached the first entry. The next page begins below this
    number."""
    count: int
    """Number of entries in the whole ledger."""


class EntryPage(FrozenModel):
    entry: int
    time: datetime
    kind: str
    subject: str
    body: dict[str, Any]
    """Body of the entry. Envelopes in it are decoded, but their signatures are not verified."""
    text: str
    says: str
    """Summary of the body's values, in one line."""
    meaning: str
    """Description of entries of this kind; empty for a kind that this version does not know."""


def ledger(here: RequestState, person: Person, kind: str = "", subject: str = "", run: str = "", about: str = "",
           below: EntryNumber = 0, most: RowLimit = PAGE_SIZE) -> Entries:  # fmt: skip
    """Return a page of matching entries, newest first.

    Raises:
        Refused: An entry was tampered with.
    """
    keys = here.governance.fingerprints_of(about)
    wanted = EntryFilter(kind=kind or None, subject=subject or None, run=run or None, person=about or None, keys=keys)
    start = below or (_search_start(here, run) if run else None)
    found = search.find_newest(here.ledger, wanted, most, start, MAX_ENTRIES_SEARCHED)
    return Entries(
        rows=[_row(entry) for entry in found.entries],
        kind=kind,
        subject=subject,
        run=run,
        about=about,
        older=found.stopped_at,
        count=here.ledger.count_entries(),
    )


def _search_start(here: RequestState, run: str) -> int:
    """Return the entry number from which to search downwards for a run.

    It is above all entries of the run, because these are close together.
    """
    about = here.ledger.entries(None, run)
    return about[-1].seq + MAX_ENTRIES_SEARCHED // 2 if about else 2**62


def _row(entry: Entry) -> EntryRow:
    return EntryRow(
        entry=entry.seq, time=entry.time, kind=entry.kind, subject=entry.subject, says=search.summarise_entry(entry)
    )


def entry(here: RequestState, person: Person, number: EntryNumber) -> EntryPage:
    """Return the page of an entry.

    File names in an entry about an experiment are hidden if the person may not see the run's free text, because the
    code of an experiment chooses them.

    Raises:
        InputError: There is no such entry.
        Refused: The entry was tampered with.
    """
    found = search.find_newest(here.ledger, EntryFilter(), 1, number + 1).entries
    if not found or found[0].seq != number:
        raise InputError(f"the ledger has no entry {number}; it has {here.ledger.count_entries()}")
    body = search.decode_envelopes(found[0].body)
    if _is_experiment(body) and (
        why := free_text.access_denial_reason(here, run_layout(here, found[0].subject), person)
    ):
        body["envelope"]["statement"]["subject"] = f"names of files may hold texts of records, and {why}"
    return EntryPage(
        entry=number,
        time=found[0].time,
        kind=found[0].kind,
        subject=found[0].subject,
        body=body,
        text=escaped_json(body, indent=2),
        says=search.summarise_entry(found[0]),
        meaning=next((kind.body for kind in KINDS if kind.kind == found[0].kind), ""),
    )


def _is_experiment(body: Mapping[str, Any]) -> bool:
    said = body.get("envelope")
    statement = said.get("statement") if isinstance(said, dict) else None
    if not statement or statement["predicateType"] != stage_record.LINK_PREDICATE_TYPE:
        return False
    return bool(statement["predicate"].get("environment", {}).get("experiment"))
