"""What is in force is what the right people signed, one adoption after the other, from the root key on.

Most of these tests are attacks by somebody who can write the ledger's database, and holds some key, but not all.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.gates.evidence import Evidence
from tasks.ledger import quick_check
from tasks.policy import adoption, adoption_entries, adoption_signing, in_force, root_of_trust
from tasks.policy.adoption import Adoption
from tasks.policy.adoption_entries import ADOPTED
from tasks.policy.adoption_signing import SigningOutcome
from tasks.trust import dsse, keys
from tests.gates.test_attacks import plant
from tests.governed.house import PEOPLE, POLICY, House, raw

OTHER = POLICY.replace("at_least: 100}", "at_least: 50}")
TWO = POLICY.replace("policy: [{role: risk}]", "policy: [{role: risk, count: 2}]")
EASIER = TWO.replace("at_least: 100}", "at_least: 50}")


@pytest.fixture
def house(house: House) -> House:
    """With the sample policy in force."""
    root_of_trust.create_root_key(house.state)
    adopt(house, "root")
    return house


def adopt(house: House, signer: str, policy: str = POLICY, people: str = PEOPLE) -> SigningOutcome:
    (house.governance.folder / "policy.yaml").write_text(policy)
    (house.governance.folder / "people.yaml").write_text(people)
    what = in_force.load_proposed(house.governance.folder, house.state)
    return adoption_signing.sign_adoption(house.ledger, root(house), *what, house.key(signer))


def root(house: House) -> str:
    return root_of_trust.root_fingerprint(house.state)


def newest(house: House) -> Adoption:
    found = adoption_entries.read_chain(house.ledger, root(house)).newest_adoption
    assert found
    return found


def rows(house: House) -> float:
    """What the policy in force asks: enough rows."""
    loaded = in_force.load_in_force(house.governance.folder, house.state, house.ledger)
    return loaded.policy.gate("low", "data").checks[0].at_least or 0


def envelopes(house: House) -> list[dict[str, Any]]:
    return [entry.body["envelope"] for entry in house.ledger.entries(ADOPTED)]


def forged(house: House, signer: str, **changes: Any) -> dict[str, Any]:
    """The next adoption, of a policy that asks for fewer rows, put into the ledger as its database's owner can."""
    before = newest(house)
    (house.governance.folder / "policy.yaml").write_text(OTHER)
    policy, people = in_force.load_proposed(house.governance.folder, house.state)
    fields = {
        "environment": "local", "sequence": before.sequence + 1, "previous": adoption.adoption_digest(before),
        "root": before.root, "policy": policy, "people": people, "time": house.ledger.now(),
    }  # fmt: skip
    statement = adoption.statement_of(Adoption.model_validate(fields | changes))
    envelope = dsse.sign_statement(statement, house.key(signer))
    house.ledger.append(ADOPTED, "0" * 64, {"envelope": envelope})
    return envelope


def new_line() -> str:
    return keys.make_public_line(Ed25519PrivateKey.generate())


def why_not(house: House) -> str:
    return adoption_entries.read_chain(house.ledger, root(house)).problems[-1]


def test_what_the_named_roles_sign_is_in_force(house: House) -> None:
    assert rows(house) == 100
    done = adopt(house, "risk-one", OTHER)
    assert (done.is_adopted, rows(house)) == (True, 50)
    assert adopt(house, "risk-one", OTHER) == done, "the same again is the same"
    assert [entry.kind for entry in house.ledger.entries()] == [
        "governance.proposed", "governance.adopted", "governance.proposed", "governance.adopted"
    ]  # fmt: skip
    newest, people, _ = adoption.verify_chain(envelopes(house), root(house))
    assert newest.policy.gate("low", "data").checks[0].at_least == 50
    assert people.get("risk-one")


@pytest.mark.attack(rights="commit", stopped="policy and people in force are those adopted in the ledger")
def test_files_alone_change_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    in_force._warn_once.cache_clear()
    (house.governance.folder / "policy.yaml").write_text(OTHER)
    assert rows(house) == 100
    assert "says something else than what is in force" in caplog.text
    assert "--as both" in caplog.text
    (house.governance.folder / "policy.yaml").write_text("no policy at all")
    assert rows(house) == 100


@pytest.mark.parametrize("whose", ["gate", "risk-one"])
def test_a_person_with_the_key_of_somebody_else_is_a_mistake_of_the_file(house: House, whose: str) -> None:
    other = PEOPLE.replace("{id: owner,", f"{{id: owner, keys: [{house.line(whose)}],")
    with pytest.raises(
        InputError, match=rf"people.yaml: .*each key stands here once; twice: .*owner.*{whose}|{whose}.*owner"
    ):
        adopt(house, "risk-one", people=other)
    assert rows(house) == 100, "what was adopted before stays in force"


def test_several_sign_and_each_once(house: House) -> None:
    adopt(house, "risk-one", TWO)
    first = adopt(house, "risk-one", EASIER)
    assert first.missing_text == "somebody in role risk has to sign: both"
    assert adopt(house, "risk-one", EASIER) == first, "one person is one signature"
    assert rows(house) == 100
    second = adopt(house, "both", EASIER)
    assert (second.is_adopted, rows(house)) == (True, 50)
    assert len(envelopes(house)[-1]["signatures"]) == 2


@pytest.mark.attack(rights="approver", stopped="the policy in force names who signs off changes")
@pytest.mark.parametrize("who", ["owner", "demo-risk", "gone"])
def test_who_is_not_asked_signs_nothing(house: House, who: str) -> None:
    with pytest.raises(Refused):
        adopt(house, who, OTHER)
    assert rows(house) == 100


@pytest.mark.attack(rights="approver", stopped="the policy in force names who signs off changes")
def test_the_root_key_adopts_nothing_where_policy_names_who_does(house: House) -> None:
    with pytest.raises(Refused, match="the root key adopts nothing"):
        adopt(house, "root", OTHER)
    forged(house, "root")
    assert "root key signed where people must" in why_not(house)
    assert rows(house) == 100


def test_where_it_names_nobody_the_root_key_does(house: House) -> None:
    free = POLICY.replace("changes: {policy: [{role: risk}], people: [{role: risk}], code: [{role: risk}]}\n", "")
    adopt(house, "risk-one", free)
    with pytest.raises(Refused, match="owner holds data-owner; this change is signed off by the root key"):
        adopt(house, "owner", OTHER)
    adopt(house, "root", OTHER)
    assert rows(house) == 50


@pytest.mark.attack(rights="database", stopped="the signatures of those whom policy names")
@pytest.mark.parametrize("signer", ["gate", "owner", "demo-risk"])
def test_an_adoption_forged_with_another_key_counts_for_nothing(house: House, signer: str) -> None:
    forged(house, signer)
    assert rows(house) == 100
    assert "adopts nothing here" in why_not(house)


@pytest.mark.attack(rights="approver", stopped="the people in force judge, not those proposed")
def test_people_of_the_proposed_files_do_not_judge_them(house: House) -> None:
    """An owner gives themself the role that signs off."""
    people = PEOPLE.replace("name: Data owner, roles: [data-owner]", "name: Data owner, roles: [data-owner, risk]")
    with pytest.raises(Refused, match="owner holds data-owner"):
        adopt(house, "owner", people=people)
    forged(house, "owner", people=in_force.load_proposed(house.governance.folder, house.state)[1])
    assert "lacks the signature of somebody in role risk; signed by owner" in why_not(house)


@pytest.mark.attack(rights="database", stopped="adoptions are a chain, each after the one before")
def test_older_adoptions_do_not_come_back(house: House) -> None:
    adopt(house, "risk-one", OTHER)
    first, second = envelopes(house)
    for replayed in (first, second):
        house.ledger.append(ADOPTED, "0" * 64, {"envelope": replayed})
        assert "does not follow the one before it" in why_not(house)
    assert rows(house) == 50
    old = adoption.read_adoption(first)
    forged(house, "root", policy=old.policy, people=old.people, sequence=1, previous=None)
    forged(house, "risk-one", policy=old.policy, people=old.people, sequence=2, previous=adoption.adoption_digest(old))
    assert rows(house) == 50
    adopt(house, "risk-one", POLICY)
    assert rows(house) == 100, "going back is an adoption like any other"


@pytest.mark.attack(rights="approver", stopped="a signature is for one place in the chain")
def test_what_was_signed_under_an_older_policy_counts_no_more(house: House) -> None:
    adopt(house, "risk-one", TWO)
    adopt(house, "risk-one", EASIER)
    other = TWO.replace("new fact", "newer fact")
    adopt(house, "risk-one", other)
    adopt(house, "both", other)
    assert adopt(house, "both", EASIER).missing_text == "somebody in role risk has to sign: risk-one"
    assert rows(house) == 100


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (lambda before: {"sequence": 3}, "does not follow"),
        (lambda before: {"previous": "0" * 64}, "does not follow"),
        (
            lambda before: {
                "environment": "production",
                "policy": before.policy.model_copy(update={"environment": "production"}),
            },
            "an environment is adopted once",
        ),
        (lambda before: {"time": before.time - timedelta(days=1)}, "proposed before the one that it follows"),
        (lambda before: {"policy": before.policy, "people": before.people}, "it changes nothing"),
    ],
)
def test_statements_that_do_not_follow(house: House, changes: Callable[[Adoption], dict], why: str) -> None:
    forged(house, "risk-one", **changes(newest(house)))
    assert why in why_not(house)
    assert rows(house) == 100


def test_signatures_have_one_order_and_are_each_there_once(house: House) -> None:
    adopt(house, "risk-one", TWO)
    adopt(house, "risk-one", EASIER)
    adopt(house, "both", EASIER)
    chain = envelopes(house)
    first, second = chain[-1]["signatures"]
    for signatures in ([second, first], [first], [first, first], [first, second, second], []):
        with pytest.raises(Refused):
            adoption.verify_chain([*chain[:-1], {**chain[-1], "signatures": signatures}], root(house))
    assert adoption.verify_chain(chain, root(house))


@pytest.mark.attack(rights="database", stopped="adoptions are a chain from the root key")
def test_a_chain_wants_its_root_its_beginning_and_its_order(house: House, tmp_path: Path) -> None:
    adopt(house, "risk-one", OTHER)
    chain = envelopes(house)
    foreign = keys.fingerprint(keys.create_key_pair(tmp_path / "foreign", "root"))
    for wrong, fingerprint in (
        (chain, foreign), (chain[1:], root(house)), (chain[::-1], root(house)), ([], root(house)),
        ([chain[0], chain[0]], root(house)),
    ):  # fmt: skip
        with pytest.raises(Refused):
            adoption.verify_chain(wrong, fingerprint)


@pytest.mark.attack(rights="disk", stopped="the chain begins with the root key that was pinned")
def test_another_root_key_on_the_disk_puts_nothing_in_force(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its genesis follows from another root: what was adopted counts no more, and it is told."""
    trusted = root(house)
    for path in (house.state / "keys").glob("root*"):
        path.unlink()
    keys.create_key_pair(house.state / "keys", "root")
    with pytest.raises(InputError, match=r"no policy is in force under root key .*it follows from root key"):
        rows(house)
    monkeypatch.setenv(root_of_trust.ROOT_VARIABLE, trusted)
    with pytest.raises(InputError, match="find out who replaced it"):
        rows(house)
    (house.state / "keys" / "root.pub").unlink()
    assert rows(house) == 100, "the fingerprint alone is enough"
    root_of_trust.create_root_key(house.state)
    assert not (house.state / "keys" / "root.pub").exists(), "no key is made where one is pinned"


def test_a_deleted_adoption_falls_back_and_is_seen_to_differ(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """The ledger's signed heads make it evident; here it shows since the files say something else."""
    adopt(house, "risk-one", OTHER)
    assert rows(house) == 50
    raw(house, f"DELETE FROM hallmark_ledger WHERE seq = {house.ledger.entries(ADOPTED)[-1].seq}")
    in_force._warn_once.cache_clear()
    assert rows(house) == 100
    assert "says something else than what is in force" in caplog.text


@pytest.mark.attack(rights="approver", stopped="the key is revoked as of a time, whatever the statement is dated")
def test_a_key_revoked_before_signs_off_nothing(house: House) -> None:
    """Also where the thief writes an earlier time into the statement, and the database."""
    line = house.key("risk-one").public_line
    people = PEOPLE.replace("name: Risk one,", f"name: Risk one, keys: ['{line}'],")
    adopt(house, "risk-one", people=people)
    gone = f"name: Risk one, keys: [{{public_key: '{line}', revoked_as_of: 2026-01-01, reason: stolen}}],"
    adopt(house, "both", people=PEOPLE.replace("name: Risk one,", gone))
    with pytest.raises(Refused, match="no key that counted then"):
        adopt(house, "risk-one", OTHER, PEOPLE.replace("name: Risk one,", gone))
    forged(house, "risk-one", time=datetime.fromisoformat("2025-12-01T00:00:00Z"))
    assert rows(house) == 100
    assert adoption.verify_chain(envelopes(house)[:3], root(house)), "what it signed before stays"


@pytest.mark.attack(rights="approver", stopped="a statement names the digests of what it holds")
def test_the_same_in_another_spelling_counts_for_nothing(house: House) -> None:
    adopt(house, "risk-one", OTHER)
    chain = envelopes(house)
    statement = dsse.unverified_statement(chain[1])
    statement["subject"][0]["digest"]["sha256"] = "0" * 64
    other = dsse.sign_statement(statement, house.key("risk-one"))
    with pytest.raises(Refused, match="about other digests than what it holds"):
        adoption.verify_chain([chain[0], other], root(house))


def test_a_policy_that_locks_everybody_out_of_changes_is_not_adopted(house: House) -> None:
    for policy in (POLICY.replace("people: [{role: risk}]", "people: [{role: nobody-has-it}]"),
                   POLICY.replace("people: [{role: risk}]", "people: [{role: risk, count: 3}]")):  # fmt: skip
        with pytest.raises(HallmarkError, match=r"changes.people: policy that nobody can satisfy"):
            adopt(house, "risk-one", policy)


@pytest.mark.attack(rights="approver", stopped="what an adoption adds counts from its own time on")
@pytest.mark.parametrize(
    "given", ["data-owner", "{role: data-owner, valid_after: 2020-01-01}"], ids=["without a date", "dated back"]
)
def test_a_role_given_now_makes_no_earlier_decision_count(house: House, asked: Evidence, given: str) -> None:
    """Nor does a key given now; what is decided from now on counts."""
    plant(house, asked, "lead")
    adopt(house, "risk-one", people=PEOPLE.replace("roles: [ml-lead]", f"roles: [ml-lead, {given}]"))
    house.governance = in_force.load_in_force(house.governance.folder, house.state, house.ledger)
    assert not in_force.difference_text(house.governance)
    assert house.judge(asked).state == "waiting" and "lead did not hold role data-owner" in house.why_not(asked)
    house.decide(asked, "lead")
    assert house.judge(asked).state == "passed"


@pytest.mark.attack(rights="approver", stopped="what an adoption adds counts from its own time on")
def test_a_key_given_now_makes_no_earlier_signature_count(house: House, asked: Evidence) -> None:
    plant(house, asked, "owner", key=house.key("gone"))
    both = f"id: owner, keys: ['{house.line('owner')}', '{house.line('gone')}'],"
    people = PEOPLE.replace("id: owner,", both).replace("id: gone,", f"id: gone, keys: ['{new_line()}'],")
    adopt(house, "risk-one", people=people)
    house.governance = in_force.load_in_force(house.governance.folder, house.state, house.ledger)
    assert house.judge(asked).state == "waiting" and "counts only from" in house.why_not(asked)
    house.decide(asked, "owner", signer=house.key("gone"))
    assert house.judge(asked).state == "passed"


@pytest.mark.attack(rights="approver", stopped="a key that ended or was revoked stays so")
@pytest.mark.parametrize(
    ("was", "told"),
    [("valid_before: 2026-01-01", "ended on 2026-01-01"), ("revoked_as_of: 2026-01-01, reason: r", "is revoked as of")],
)
def test_a_key_that_ended_does_not_come_back(house: House, was: str, told: str) -> None:
    line = house.line("owner")
    held = f"id: owner, keys: [{{public_key: '{line}', {was}}}, '{house.line('demo-owner')}'],"
    people = PEOPLE.replace("id: owner,", held).replace("id: demo-owner,", f"id: demo-owner, keys: ['{new_line()}'],")
    adopt(house, "risk-one", people=people)
    with pytest.raises(Refused, match=f"{told}.* and would count again"):
        adopt(house, "risk-one", people=people.replace(f", {was}", ""))
    forged(house, "risk-one", people=in_force.load_proposed(house.governance.folder, house.state)[1])
    assert "would count again" in why_not(house)


def test_junk_in_the_ledger_is_passed_over(house: House) -> None:
    for body in ({}, {"envelope": None}, {"envelope": {"payload": "x"}}, {"envelope": []}):
        for kind in (adoption_entries.PROPOSED, adoption_entries.SIGNED, ADOPTED):
            house.ledger.append(kind, "0" * 64, body)
    adopt(house, "risk-one", OTHER)
    assert rows(house) == 50


@pytest.mark.attack(rights="database", stopped="each adoption's entry is read on its own, and what is wrong is told")
@pytest.mark.parametrize("kind", [adoption_entries.PROPOSED, adoption_entries.SIGNED, ADOPTED])
@pytest.mark.parametrize(
    ("time", "body"),
    [
        ("", '{"envelope":NaN}'),
        ("", r'{"envelope":"\ud800"}'),
        ("", r'{"envelope":{"payload":"\ud800","payloadType":"\ud800","signatures":[{"keyid":"\ud800","sig":""}]}}'),
        ("", r'{"\ud800":1}'),
        ("", "[]"),
        ("", "x"),
        ("yesterday", "{}"),
    ],
    ids=["no number", "no text", "no text in an envelope", "no name", "no object", "no JSON", "no time"],
)
def test_one_appended_row_stops_no_adoption(house: House, kind: str, time: str, body: str) -> None:
    stamp = time or house.ledger.entries()[-1].model_dump(mode="json")["time"]
    row = f"max(seq) + 1, '{stamp}', '{kind}', 'x', '{body}'"
    raw(house, f"INSERT INTO hallmark_ledger SELECT {row} FROM hallmark_ledger")
    assert quick_check.find_problems(house.ledger, house.governance, every_entry=True) == []
    assert rows(house) == 100
    assert root_of_trust.root_fingerprints(house.ledger) == [root(house)]
    adopt(house, "risk-one", OTHER)
    assert rows(house) == 50
    if kind == ADOPTED:
        why_not(house).encode()


@pytest.mark.parametrize("machine", ["ledger", "gate", "worker"])
def test_an_adoption_keeps_the_keys_of_machines(house: House, machine: str) -> None:
    """The ledger's old heads cannot be verified without its old key, and then nothing can be done."""
    new = f"{PEOPLE}machines: {{{machine}: {{keys: ['{new_line()}']}}}}\n"
    with pytest.raises(Refused, match=f"leaves out a key of machine {machine} .* list it under machines.{machine}"):
        adopt(house, "risk-one", people=new)
    assert len(house.ledger.entries()) == 2, "nothing is proposed either"
    old = f"{{public_key: '{house.line(machine)}', valid_before: 2026-01-01}}"
    assert adopt(house, "risk-one", people=new.replace("keys: ['", f"keys: [{old}, '")).is_adopted
