"""What a person may decide, and the sentence that they get where they may not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.json_text import canonical_json
from tasks.gates.evidence import Evidence
from tasks.trust import dsse, keys
from tests.governed.house import PEOPLE, House, put_result, reload

TOMORROW = datetime.now(UTC) + timedelta(days=1)
WAIVER = {"verb": "waive", "checks": ["enough rows"], "expires": TOMORROW}
WHAT_A_WAIVER_NAMES = "names the failed checks it is for and when"


@pytest.mark.parametrize(
    ("person", "options", "error", "message"),
    [
        ("stranger", {}, InputError, "'stranger' is nobody in people.yaml; it has asker, owner"),
        ("gone", {}, Refused, "gone holds no role on"),
        ("asker", {}, Refused, "asker asked for run run-1; nobody decides on their own run"),
        ("demo-owner", {}, Refused, "demo-owner is a demo identity"),
        ("lead", {}, Refused, "but ml-lead, as people.yaml says; to approve at gate data takes role data-owner"),
        ("lead", {"role": "data-owner"}, Refused, "lead did not hold role data-owner on"),
        ("lead", {"role": "ml-lead"}, Refused, "does not ask role ml-lead to approve; it asks data-owner"),
        ("both", {"role": "risk"}, Refused, "does not ask role risk to approve"),
        ("both", {"verb": "reject"}, InputError, "both holds data-owner and risk; say in which role"),
        ("owner", {"verb": "reject", "reason": " "}, InputError, "say in words why"),
        ("owner", {"reason": ""}, InputError, "say in words why"),
        ("owner", {"reason": " \t\n…"}, InputError, "say in words why"),
        ("owner", {"reason": " \u200b"}, InputError, "it holds the character <U+200B>, which nobody sees"),
        ("owner", {"verb": "withdraw", "reason": "-"}, InputError, "say in words why"),
        ("owner", {"verb": "nod"}, InputError, "expected one of approve, reject, waive, withdraw, got 'nod'"),
        ("owner", {"checks": ["enough rows"]}, InputError, "checks and expiry belong to waive, not to approve"),
        ("owner", {"expires": TOMORROW}, InputError, "checks and expiry belong to waive, not to approve"),
        ("owner", {"verb": "withdraw"}, Refused, "owner has no decision at gate data of run run-1 to withdraw"),
        ("both", {"verb": "waive", "expires": TOMORROW}, InputError, WHAT_A_WAIVER_NAMES),
        ("both", {"verb": "waive", "checks": ["enough rows"]}, InputError, WHAT_A_WAIVER_NAMES),
        ("both", WAIVER | {"reason": ""}, InputError, "say in words why"),
        ("both", WAIVER, Refused, "check 'enough rows' did not fail; waivers are for none"),
        ("owner", WAIVER, Refused, "but data-owner, as people.yaml says; to waive at gate data takes role risk"),
    ],
)
def test_decisions_that_are_refused(house: House, person: str, options: dict, error: type, message: str) -> None:
    asked = house.ask()
    before = house.ledger.entries()
    options = {"verb": "approve", "reason": "seen"} | options
    with pytest.raises(error) as caught:
        house.decide(asked, person, **options)
    assert type(caught.value) is error
    assert message in str(caught.value)
    assert house.ledger.entries() == before


@pytest.mark.parametrize(
    ("checks", "expires", "error", "message"),
    [
        (["enough rows", "new fact"], TOMORROW, Refused, "check 'new fact' did not fail; waivers are for enough rows"),
        (["no such check"], TOMORROW, Refused, "check 'no such check' did not fail"),
        (["enough rows"], datetime.now(UTC), Refused, "the waiver expired on"),
        (["enough rows"], datetime(2999, 1, 1), InputError, "has no time zone"),
    ],
)
def test_waivers_that_are_refused(
    house: House, checks: list[str], expires: datetime, error: type, message: str
) -> None:
    put_result(house.layout.artefacts("split"), train_rows=50)
    with pytest.raises(error, match=message):
        house.decide(house.ask(), "both", "waive", "pilot", checks=checks, expires=expires)


def test_nobody_waives_where_policy_names_no_role(house: House) -> None:
    put_result(house.layout.artefacts("evaluate"), exact_match={"value": 0.1, "low": 0.1, "high": 0.1})
    with pytest.raises(Refused, match="asks nobody to waive at gate evaluation"):
        house.decide(house.ask("evaluation"), "both", "waive", "x", checks=["good enough"], expires=TOMORROW)


def test_the_same_decision_twice_is_one(house: House) -> None:
    put_result(house.layout.artefacts("split"), train_rows=50)
    asked = house.ask()
    waiver = {"checks": ["enough rows"], "expires": TOMORROW}
    once = [house.decide(asked, "owner"), house.decide(asked, "both", "waive", "pilot", **waiver)]
    again = [
        house.decide(asked, "owner", reason="other words"),
        house.decide(asked, "both", "waive", "pilot", **waiver),
    ]
    assert again == once
    withdrawn = house.decide(asked, "owner", "withdraw")
    assert house.decide(asked, "owner", "withdraw") == withdrawn
    assert house.decide(asked, "owner") != once[0]


def test_who_rejected_must_withdraw_before_approving(house: House, asked: Evidence) -> None:
    house.decide(asked, "owner", "reject", "no")
    with pytest.raises(Refused, match="owner has rejected at gate data; withdraw that before approving"):
        house.decide(asked, "owner")


def test_one_role_can_be_withdrawn_alone(house: House, asked: Evidence) -> None:
    house.decide(asked, "both", role="data-owner")
    house.decide(asked, "both", "reject", "no", role="risk")
    house.decide(asked, "both", "withdraw", role="risk")
    assert house.judge(asked).state == "passed"


def test_what_was_never_asked_cannot_be_decided(house: House) -> None:
    with pytest.raises(Refused, match="run run-1 has not asked gate data"):
        house.decide(house.collect(), "owner")


@pytest.mark.attack(rights="worker", stopped="decisions bind to the evidence's digest on the ledger")
@pytest.mark.parametrize(
    "change",
    [
        {"requested_by": "lead"},
        {"demo": True},
        {"artefacts": {}},
        {"facts": {}},
        {"checks": []},
        {"tier": "experiment"},
    ],
    ids=["requester", "demo", "artefacts", "facts", "checks", "tier"],
)
def test_evidence_other_than_the_recorded_one_is_refused(house: House, asked: Evidence, change: dict) -> None:
    edited = Evidence.model_validate(asked.model_dump() | change)
    with pytest.raises(Refused, match="is not the one on record"):
        house.decide(edited, "owner")
    with pytest.raises(Refused, match="is not the one on record"):
        house.judge(edited)


@pytest.mark.attack(rights="approver", stopped="the person's signature")
def test_the_key_must_be_that_of_the_person(house: House, asked: Evidence, tmp_path: Path) -> None:
    for wrong in (house.key("both"), house.key("gate")):
        with pytest.raises(Refused, match=r"the key SHA256:\S+ is not one that owner can sign with .* has SHA256:"):
            house.decide(asked, "owner", signer=wrong)
    line = keys.create_key_pair(tmp_path / "brought", "owner")
    reload(house, people=PEOPLE.replace("id: owner,", f"id: owner, keys: [{line}],"))
    with pytest.raises(Refused, match="is not one that owner can sign with"):  # the key of init counts no more
        house.decide(asked, "owner")
    house.decide(asked, "owner", signer=keys.make_signer(keys.load_private_key(tmp_path / "brought" / "owner")))
    assert house.judge(asked).state == "passed"


def test_without_a_key_the_way_to_one_is_told(house: House, tmp_path: Path) -> None:
    (house.state / "keys" / "owner").unlink()
    with pytest.raises(InputError, match=r"owner is wanted, and none is at \S+/keys/owner; put it there"):
        house.decide(house.ask(), "owner")
    line = keys.create_key_pair(tmp_path / "brought", "owner")
    reload(house, people=PEOPLE.replace("id: owner,", f"id: owner, keys: [{line}],"))
    with pytest.raises(InputError, match=r"owner is wanted, and none is at \S+/keys/owner; put it there"):
        house.decide(house.ask(), "owner")


def test_what_is_signed_names_evidence_subject_and_policy(house: House, asked: Evidence) -> None:
    envelope = house.decide(asked, "owner").body["envelope"]
    statement = dsse.verify_envelope(envelope, [house.line("owner")])
    assert dsse.subject_digests(statement) == {
        "split": asked.subject.sha256,
        "evidence/data.json": house.judge(asked).evidence_sha256,
    }
    assert statement["predicateType"] == "urn:hallmark:gate-decision:v1"
    assert statement["predicate"]["policy_sha256"] == asked.policy_sha256
    assert canonical_json(statement)
