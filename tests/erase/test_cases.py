"""What the ledger says of an erasure counts if it was signed about this request, here, once."""

import dataclasses
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.erase import certificates, requests
from tasks.erase.subject import Subject
from tasks.ledger.ledger import Entry
from tasks.policy import signed_entry
from tasks.policy.signed_entry import Draft
from tasks.sources import vault_keys
from tasks.sources.suppression_digests import person_digest
from tasks.sources.vault import open_vault
from tasks.sources.vault_writer import TokenValue
from tasks.stages.data.protect.tokens import make_token
from tasks.suppression import cases, in_force
from tasks.suppression.cases import ErasureCase
from tasks.suppression.signed_documents import (
    CERTIFICATE_KIND,
    CERTIFIED,
    DECIDED,
    DECISION_KIND,
    REQUEST_KIND,
    REQUESTED,
    STEP,
)
from tests.governed.fixtures import house, made
from tests.governed.house import House

__all__ = ["house", "made"]
ERASURE, OTHER_REQUEST = "er-1", "f" * 64
BASIS = {"basis": "they asked", "deadline": "2090-01-01", "sources": []}
HANDLER, DECIDER = "asker", "risk-one"
ELSEWHERE = {"environment": "elsewhere"}
KINDS = {REQUESTED: REQUEST_KIND, DECIDED: DECISION_KIND, CERTIFIED: CERTIFICATE_KIND}


def sign(house: House, who: str, entry_kind: str, subject: str = ERASURE, **fields: Any) -> Entry:
    """Sign a document of an erasure and append it; `fields` are what it says, and `subject` is that of its entry."""
    said = {"erasure": ERASURE, "environment": "local", "person": who, "time": house.ledger.now()} | fields
    document = KINDS[entry_kind]
    statement = document.statement(document.model.model_validate(said))
    person = house.governance.require_actor(who, house.ledger.now())
    return signed_entry.sign_and_record(
        house.ledger, house.governance, person, lambda: [Draft(entry_kind, subject, statement)]
    )


def ask(house: House, **fields: Any) -> str:
    """Record a request and return the digest of its envelope."""
    said = BASIS | {"identity_check": "passport", "records": 1, "suppressed": ["0" * 64]} | fields
    sign(house, HANDLER, REQUESTED, **said)
    case = cases.get_case(house.ledger, house.governance, ERASURE)
    return case.request_sha256


def decide(house: House, request: str, verb: str = "delete", **fields: Any) -> Entry:
    until = None if verb == "delete" else date(2089, 1, 1)
    said = {"request": request, "kind": "vault", "verb": verb, "until": until, "reason": "they asked"} | fields
    return sign(house, DECIDER, DECIDED, **said)


def certify(house: House, request: str, **fields: Any) -> Entry:
    said = BASIS | {
        "request": request, "requested_by": HANDLER, "requested_at": house.ledger.now(), "outcomes": [], "releases": [],
        "datasets": [], "suppressed": ["0" * 64], "companions": 0, "searched_files": 1, "searched_bytes": 1,
        "not_searched": [],
    }  # fmt: skip
    return sign(house, DECIDER, CERTIFIED, **(said | fields))


def case_of(house: House) -> ErasureCase:
    return cases.get_case(house.ledger, house.governance, ERASURE)


@pytest.mark.attack(rights="database", stopped="decision and certificate name the request and the environment")
@pytest.mark.parametrize(
    "fields",
    [{"request": OTHER_REQUEST}, ELSEWHERE, {"erasure": "er-2"}],
    ids=["another request", "elsewhere", "another erasure"],
)
def test_what_was_signed_about_something_else_does_not_count(house: House, fields: dict[str, str]) -> None:
    asked = ask(house)
    decide(house, **({"request": asked} | fields))
    certify(house, **({"request": asked} | fields))
    assert (case_of(house).decisions, case_of(house).certificate, case_of(house).state) == ({}, None, "requested")
    decide(house, asked)
    certify(house, asked)
    assert case_of(house).decisions["vault"].verb == "delete" and case_of(house).state == "certified"


def test_a_request_of_another_environment_or_erasure_is_none(house: House) -> None:
    said = BASIS | {"identity_check": "passport", "records": 1, "suppressed": []}
    sign(house, HANDLER, REQUESTED, **said, **ELSEWHERE)
    sign(house, HANDLER, REQUESTED, **said | {"erasure": "er-2"})
    assert cases.read_cases(house.ledger, house.governance) == []


def test_decisions_count_by_the_certificates_request_if_an_older_backup_lacks_the_request(house: House) -> None:
    certify(house, OTHER_REQUEST)
    decide(house, "e" * 64)
    assert case_of(house).decisions == {}
    decide(house, OTHER_REQUEST)
    assert case_of(house).decisions["vault"].verb == "delete" and case_of(house).certificate


@pytest.mark.attack(rights="database", stopped="a document that is appended again counts once, in its first place")
def test_an_earlier_decision_that_is_appended_again_replaces_none(house: House) -> None:
    asked = ask(house)
    first = decide(house, asked)
    second = decide(house, asked, "keep")
    before = case_of(house)
    assert (before.decisions["vault"].verb, before.last_decided) == ("keep", second.seq)
    house.ledger.append(first.kind, first.subject, first.body)
    assert case_of(house) == before, "it was not decided anew, so what was carried out is up to date"


def test_a_person_is_left_out_from_the_beginning_of_the_execution(house: House) -> None:
    ask(house)
    house.ledger.append(STEP, ERASURE, {"step": "vault"})
    house.ledger.append(STEP, "er-2", {"step": in_force.SUPPRESSION_STEP})
    assert in_force.suppressed_digests(house.ledger) == [], "nobody decided about it yet"
    house.ledger.append(STEP, ERASURE, {"step": in_force.SUPPRESSION_STEP})
    assert in_force.suppressed_digests(house.ledger) == ["0" * 64]


def test_a_request_after_the_certificate_begins_another_erasure(house: House) -> None:
    asked = ask(house)
    here: Any = SimpleNamespace(ledger=house.ledger, governance=house.governance)
    found = Subject(values=[], tokens=[], records=[], rows=["0" * 64])
    assert requests._find_case(here, found) == ERASURE
    assert requests._find_case(here, found.model_copy(update={"rows": ["1" * 64]})) is None
    certify(house, asked)
    assert requests._find_case(here, found) is None


@pytest.mark.parametrize(("verb", "is_back"), [("delete", True), ("keep", False)])
def test_a_vault_that_was_kept_has_the_person_and_one_that_lost_them_has_them_back(
    house: House, verb: str, is_back: bool
) -> None:
    vault_keys.create_key(house.state)
    token = make_token("name", "Ada Lovelace", vault_keys.load_keys(house.state).tokens)
    open_vault(house.state).add_values([TokenValue(token, "Ada Lovelace")])
    outcome = {"kind": "vault", "verb": verb, "reason": "they asked", "until": None, "decided_by": DECIDER}
    digests = [person_digest(token)]
    certify(house, ask(house), outcomes=[outcome | {"removed": 0, "remaining": 0}], suppressed=digests)
    here: Any = SimpleNamespace(state=house.state)
    certified = dataclasses.replace(case_of(house), request=None)
    assert certified.suppressed == digests and certificates.is_back(here, certified) is is_back
