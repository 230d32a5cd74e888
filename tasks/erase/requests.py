"""Request of an erasure: who asks is verified by a person, who signs for it."""

import secrets
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from tasks.core.documents.config import validate_reason
from tasks.core.errors import InputError, Refused
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.erase import find_subject, kept_texts, spellings, subject
from tasks.erase.erasure_lock import hold_lock
from tasks.erase.find_subject import FoundSubject
from tasks.erase.subject import Subject, SubjectRecord
from tasks.inquiry import access, access_entries
from tasks.inquiry.access import Access, RecordedSource
from tasks.inquiry.lineage import queries
from tasks.policy import signed_entry
from tasks.policy.signed_entry import Draft
from tasks.runs.checkout import Checkout
from tasks.sources import vault_keys
from tasks.sources.suppression_digests import person_digests
from tasks.suppression import cases
from tasks.suppression.signed_documents import REQUEST_KIND, REQUESTED, ErasureRequest

MIN_LETTERS = 4
"""Minimum number of letters and digits in a value; shorter ones occur everywhere."""


class Requested(NamedTuple):
    erasure: str
    is_new: bool
    """Whether the request is new; False if the same erasure was asked for before."""
    records: int
    unattributed: int
    """Number of records with a name or number that may be another person's. They are not part of the erasure."""
    companions: dict[str, int]
    """Number of the person's records by other token in them."""


def request_erasure(
    here: Checkout, values: Sequence[str], records: Sequence[str], person_id: str, identity_check: str, basis: str,
    deadline: date,
) -> Requested:  # fmt: skip
    """Find the records of a person, and sign and record the request to erase them.

    Args:
        here: Checkout.
        values: Names, addresses and numbers of the person.
        records: Ids of further records about the person.
        person_id: Id of the person who verified the identity of who asks.
        identity_check: Description of how the identity was verified.
        basis: Legal basis.
        deadline: Day by which the erasure must be done.

    Raises:
        InputError: A value, text or day is not valid.
        Refused: The person may not see all sources, nothing is known about the person, or the values are ambiguous.
    """
    with hold_lock(here.state):
        return _request(here, values, records, person_id, identity_check, basis, deadline)


def _request(
    here: Checkout, values: Sequence[str], records: Sequence[str], person_id: str, identity_check: str, basis: str,
    deadline: date,
) -> Requested:  # fmt: skip
    _require_values(values, records)
    identity_check = validate_reason(identity_check, "how the identity was verified")
    basis = validate_reason(basis, "the legal basis")
    ledger, governance = here.ledger, here.governance
    if deadline < ledger.now().date():
        raise InputError(f"--deadline {deadline}: this day has passed; give the day by which the erasure must be done")
    person = governance.require_actor(person_id, ledger.now())
    _require_all_sources(here, access.access_of_signer(governance, person_id))
    vault_keys.create_key(here.state / EXPERIMENTS_FOLDER)  # so that a first experiment leaves the person out too
    tokens = [token for value in values for token in find_subject.search_tokens(here.state, value)]
    given = Subject(values=list(values), tokens=tokens, records=[])
    kept_texts.require_unnamed(given, "--identity and --basis", [identity_check, basis])
    access_entries.record_access(
        ledger,
        access_entries.PERSON_SOUGHT,
        "person",
        person.id,
        f"erasure: {identity_check}",
        {"tokens": person_digests(tokens)},
    )
    found = find_subject.find_subject(here.state, values, records)
    kept_texts.require_unnamed(found.subject, "--identity and --basis", [identity_check, basis])
    if known := _find_case(here, found.subject):
        before = subject.find_sealed(here.state, known)  # None if it was interrupted, or the vault was lost
        subject.seal(here.state, known, _merge(before, found.subject) if before else found.subject)
        return _requested(known, False, found)
    now = ledger.now()
    erasure = f"er-{now:%Y%m%d}-{secrets.token_hex(2)}"

    def draft() -> list[Draft]:
        said = ErasureRequest(
            erasure=erasure,
            environment=governance.policy.environment,
            person=person.id,
            identity_check=identity_check,
            basis=basis,
            deadline=deadline,
            records=len(found.subject.records),
            sources=sorted({each.source_id for each in found.subject.records}),
            suppressed=found.subject.digests,
            time=ledger.now(),
        )
        return [Draft(REQUESTED, erasure, REQUEST_KIND.statement(said))]

    signed_entry.sign_and_record(ledger, governance, person, draft)
    subject.seal(here.state, erasure, found.subject)
    return _requested(erasure, True, found)


def _requested(erasure: str, is_new: bool, found: FoundSubject) -> Requested:
    return Requested(erasure, is_new, len(found.subject.records), found.unattributed, found.companions)


def _find_case(here: Checkout, found: Subject) -> str | None:
    """Return the erasure in which exactly this was asked for before, unless it has ended."""
    for case in cases.read_cases(here.ledger, here.governance):
        if found.digests == sorted(case.suppressed) and not case.certificate:
            return case.id
    return None


def _merge(before: Subject, found: Subject) -> Subject:
    """Add what a repeated request found to the person as the vault has them."""
    records: dict[str, SubjectRecord] = {each.record: each for each in [*before.records, *found.records]}
    return before.model_copy(
        update={
            "values": list(dict.fromkeys([*before.values, *found.values])),
            "tokens": list(dict.fromkeys([*before.tokens, *found.tokens])),
            "shared": list(dict.fromkeys([*before.shared, *found.shared])),
            "records": list(records.values()),
            "companions": found.companions,
        }
    )


def _require_values(values: Sequence[str], records: Sequence[str]) -> None:
    if not (values or records):
        raise InputError("say whom: --subject VALUE, such as an e-mail address, or --record ID")
    for value in values:
        if spellings.count_letters(value) < MIN_LETTERS:
            raise InputError(
                f"--subject: expected a name, an address or a number with at least {MIN_LETTERS} letters or digits"
            )


def _require_all_sources(here: Checkout, looker: Access) -> None:
    """Verify that a person may see the records of all sources.

    Otherwise the result of a search would reveal what is in sources that they may not see.

    Raises:
        Refused: The person may not see the records of a source.
    """
    every: list[RecordedSource] = list(looker.inventory.values())
    every += [source for dataset in queries.list_datasets(here.state) for source in dataset.sources]
    closed = {f"{each.id} takes {looker.describe_readers(each)}" for each in every if not looker.may_read(each)}
    if closed:
        raise Refused(
            f"an erasure is about every source, and {looker.person.id} may not look at all of them: "
            f"{'; '.join(sorted(closed))}. Somebody who may asks for it"
        )
