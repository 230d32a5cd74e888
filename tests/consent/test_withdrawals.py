"""An owner takes back a source, and nobody else can, nor give it again."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks.consent import withdrawals
from tasks.consent.withdrawals import UsedSource
from tasks.core.errors import InputError, Refused
from tasks.core.files import write_bytes, write_json
from tasks.core.layout import Layout
from tasks.declarations import declarations, signing
from tasks.gates.signed_request import record_request
from tasks.ledger.ledger import Entry
from tasks.policy import governance
from tasks.runs.requests.resolution import resolve_run
from tasks.sources import expectation_suites, sources, vault_keys
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources
from tasks.trust import dsse, keys
from tests.governed.house import PEOPLE, POLICY, House, keyed, raw, reload
from tests.stages.data.build import TODAY, messages, source, table

IDS = ("tickets", "chats")


@pytest.fixture
def owned(house: House) -> House:
    """`owner` owns the tickets, `both` the chats."""
    declare(house, "owner", "both")
    return house


def declare(house: House, *owners: str) -> None:
    """Write sources.yaml, with one owner for each source."""
    named = [source(f"{name}.csv", id=name, owner=who, steward=who) for name, who in zip(IDS, owners, strict=True)]
    document = {"sources": [item.model_dump(mode="json") for item in named]}
    write_bytes(house.governance.folder / "sources.yaml", json.dumps(document).encode())  # JSON is YAML


def folder(house: House) -> Path:
    return house.governance.folder


def withdraw(house: House, who: str = "owner", name: str = "tickets", reason: str = "consent ended") -> Entry:
    return withdrawals.withdraw_source(house.ledger, house.governance, name, who, reason)


def restore(house: House, who: str = "owner", name: str = "tickets", reason: str = "a mistake") -> Entry:
    return withdrawals.restore_source(house.ledger, house.governance, name, who, reason)


def held(house: House, *names: str) -> str | None:
    return held_back(house, *map(UsedSource, names or IDS))


def held_back(house: House, *uses: UsedSource) -> str | None:
    return withdrawals.block_reason(house.ledger, house.governance, uses)


def adopt(house: House, who: str) -> None:
    """The tickets, as sources.yaml declares them."""
    inventory = sources.load_sources(folder(house))
    declared = declarations.declarations_of_sources(inventory, expectation_suites.load_suites(folder(house), inventory))
    signing.sign_declarations(house.ledger, house.governance, who, declared[:1], "mine")


def forge(house: House, kind: str, name: str, who: str, key: str, **changes: Any) -> None:
    """Append a statement that `who` is said to have made and the holder of `key` signed."""
    plain = {"verb": "withdraw", "source": name, "person": who, "reason": "r", "restores": None}
    predicate = plain | {"time": house.ledger.now().isoformat()} | changes
    statement = dsse.make_statement(withdrawals.PREDICATE_TYPE, {name: "0" * 64}, predicate)
    house.ledger.append(kind, name, {"envelope": dsse.sign_statement(statement, house.key(key))})


def standing(house: House) -> withdrawals.Withdrawal:
    ((found,),) = withdrawals.withdrawals_in_force(house.ledger, house.governance).values()
    return found


def by(house: House, name: str = "tickets") -> list[str | None]:
    """Who withdrew it, of those that stand."""
    return [each.person for each in withdrawals.withdrawals_in_force(house.ledger, house.governance).get(name, [])]


def new_key(house: House, who: str = "owner") -> None:
    """The person has another key from now on."""
    for file in (house.state / "keys" / who, house.state / "keys" / f"{who}.pub"):
        file.unlink()
    keys.create_key_pair(house.state / "keys", who)


def test_a_withdrawn_source_holds_back_what_uses_it_and_says_who_why_and_what_to_do(owned: House) -> None:
    assert held(owned) is None
    withdraw(owned)
    told = held(owned)
    assert told and "source tickets was withdrawn by owner on 20" in told and "(consent ended)" in told
    assert f"hallmark data withdraw tickets --restore --reason TEXT --as owner --governance {folder(owned)}" in told
    assert held(owned, "chats") is None


def test_what_is_given_again_is_free_and_can_be_withdrawn_again(owned: House) -> None:
    withdraw(owned)
    restore(owned)
    assert held(owned) is None
    withdraw(owned, reason="for good")
    assert "(for good)" in (held(owned) or "")
    kinds = [entry.kind for entry in owned.ledger.entries() if entry.kind.startswith("source.")]
    assert kinds == [withdrawals.WITHDRAWN, withdrawals.RESTORED, withdrawals.WITHDRAWN], "nothing is overwritten"


def test_withdrawn_twice_is_withdrawn_once(owned: House) -> None:
    first = withdraw(owned)
    assert withdraw(owned, reason="again") == first
    restore(owned)
    with pytest.raises(Refused, match="not withdrawn, so there is nothing to take back"):
        restore(owned)


@pytest.mark.parametrize("who", ["both", "asker", "risk-one", "lead"])
def test_nobody_but_the_owner_withdraws_or_restores(owned: House, who: str) -> None:
    with pytest.raises(Refused, match=f"{who} does not own source tickets; only owner may"):
        withdraw(owned, who)
    withdraw(owned)
    with pytest.raises(Refused, match="does not own"):
        restore(owned, who)
    assert held(owned)


@pytest.mark.parametrize(
    ("who", "name", "reason", "error", "wanted"),
    [
        ("owner", "letters", "r", InputError, "'letters' is not in sources.yaml, which has tickets, chats, and no run"),
        ("stranger", "tickets", "r", InputError, "'stranger' is nobody in people.yaml"),
        ("owner", "tickets", "\u2800", InputError, "say in words why"),
        ("gone", "chats", "r", Refused, "gone holds no role on"),
    ],
)
def test_what_cannot_be_withdrawn(
    owned: House, who: str, name: str, reason: str, error: type[Exception], wanted: str
) -> None:
    with pytest.raises(error, match=wanted):
        withdraw(owned, who, name, reason)
    assert held(owned) is None


def test_without_the_owners_key_nothing_is_withdrawn(owned: House) -> None:
    (owned.state / "keys" / "owner").write_bytes((owned.state / "keys" / "both").read_bytes())
    with pytest.raises(Refused, match="is not one that owner can sign with"):
        withdraw(owned)


@pytest.mark.attack(rights="database", stopped="the owner's signature")
def test_a_restoration_by_somebody_else_restores_nothing(owned: House) -> None:
    withdraw(owned)
    mine = standing(owned).sha256
    for who, key in (("owner", "asker"), ("asker", "asker"), ("both", "both")):
        forge(owned, withdrawals.RESTORED, "tickets", who, key, verb="restore", restores=mine)
    forge(owned, withdrawals.RESTORED, "chats", "both", "both", verb="restore", source="chats", restores=mine)
    forge(owned, withdrawals.RESTORED, "tickets", "owner", "owner", verb="withdraw", restores=mine)
    owned.ledger.append(withdrawals.RESTORED, "tickets", {})
    assert held(owned)


@pytest.mark.attack(rights="database", stopped="a restoration names the withdrawal that it takes back")
def test_an_old_restoration_written_anew_restores_nothing(owned: House) -> None:
    withdraw(owned)
    old = restore(owned)
    withdraw(owned)
    owned.ledger.append(old.kind, old.subject, old.body)
    assert held(owned)


def test_a_withdrawal_that_was_changed_holds_back_what_it_is_about(owned: House) -> None:
    entry = withdraw(owned)
    raw(owned, f"UPDATE hallmark_ledger SET subject = 'chats' WHERE seq = {entry.seq}")
    for name in IDS:
        told = held(owned, name) or ""
        assert "source chats and tickets was withdrawn on 20" in told and "cannot be verified: what was signed" in told
        assert f"as entry {entry.seq} of the ledger says" in told
    assert held(owned, "letters") is None
    restore(owned)
    assert held(owned, "tickets") is None and held(owned, "chats")
    restore(owned, "both", "chats")
    assert held(owned) is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"envelope": "none"},
        {"envelope": {"payload": "\ud800"}},
        {"envelope": {"payload": "e30=", "payloadType": dsse.PAYLOAD_TYPE, "signatures": []}},
    ],
)
def test_a_withdrawal_that_cannot_be_read_holds_back_its_source_until_the_owner_gives_it(
    owned: House, body: dict[str, Any]
) -> None:
    spelled = json.dumps(body)
    time = f"{owned.ledger.now():%Y-%m-%dT%H:%M:%S.%fZ}"
    raw(owned, f"INSERT INTO hallmark_ledger VALUES (1, '{time}', '{withdrawals.WITHDRAWN}', 'tickets', '{spelled}')")
    assert "cannot be verified" in (held(owned) or "") and held(owned, "chats") is None
    restore(owned)
    assert held(owned) is None


def test_who_gave_a_source_again_and_has_another_key_since_stops_nothing(owned: House) -> None:
    withdraw(owned)
    restore(owned)
    new_key(owned)
    assert held(owned) is None


def test_who_withdrew_and_has_another_key_since_is_told_and_may_give_it_again(owned: House) -> None:
    withdraw(owned)
    new_key(owned)
    told = held(owned) or ""
    assert "the envelope is signed by" in told and "--restore --reason TEXT --as owner" in told
    assert held(owned, "chats") is None
    restore(owned)
    assert held(owned) is None


def test_a_withdrawal_by_somebody_whom_only_other_governance_files_know_stops_its_source_alone(owned: House) -> None:
    forge(owned, withdrawals.WITHDRAWN, "tickets", "stranger", "both")
    assert "stranger is not in people.yaml" in (held(owned) or "") and held(owned, "chats") is None
    with pytest.raises(Refused, match="both does not own source tickets"):
        restore(owned, "both")
    restore(owned)
    assert held(owned) is None


def test_a_person_without_a_public_key_here_stops_only_what_they_withdrew(owned: House) -> None:
    withdraw(owned)
    (owned.state / "keys" / "owner.pub").unlink()
    assert "cannot be verified" in (held(owned, "tickets") or "") and held(owned, "chats") is None


def test_owners_withdraw_one_after_the_other_and_the_present_one_gives_all_of_it_again(owned: House) -> None:
    first = withdraw(owned)
    declare(owned, "both", "both")
    second = withdraw(owned, "both")
    assert second != first and withdraw(owned, "both") == second and by(owned) == ["owner", "both"]
    assert (held(owned) or "").count("was withdrawn by") == 2
    restore(owned, "both")
    assert by(owned) == []


def test_a_former_owner_gives_again_only_what_they_withdrew(owned: House) -> None:
    withdraw(owned)
    declare(owned, "both", "both")
    withdraw(owned, "both")
    restore(owned, "owner")
    assert by(owned) == ["both"]
    for again in (restore, withdraw):
        with pytest.raises(Refused, match="owner does not own source tickets; only both may"):
            again(owned, "owner")


def test_a_source_given_again_by_a_new_owner_stays_so_under_the_next(owned: House) -> None:
    withdraw(owned)
    declare(owned, "both", "both")
    restore(owned, "both")
    declare(owned, "asker", "asker")
    assert by(owned) == []
    document = {"sources": [source("a.csv", id="chats", owner="both", steward="both").model_dump(mode="json")]}
    write_bytes(folder(owned) / "sources.yaml", json.dumps(document).encode())
    assert held(owned) is None
    new_key(owned, "both")
    assert held(owned) is None


def test_only_this_installations_signature_makes_an_owner_of_then(owned: House) -> None:
    """Of somebody who owns the source now, and appends their own signed statement to the ledger without asking."""
    withdraw(owned)
    declare(owned, "both", "both")
    said = {"verb": "restore", "restores": standing(owned).sha256, "environment": "local"}
    forge(owned, withdrawals.RESTORED, "tickets", "both", "both", **said)
    forge(owned, withdrawals.RESTORED, "tickets", "both", "both", **said, owned_under=owned.governance.relative_folder)
    (last,) = owned.ledger.entries(withdrawals.RESTORED)[-1:]
    owned.ledger.append(last.kind, last.subject, {**last.body, "countersigned": last.body["envelope"]})
    assert by(owned) == ["owner"]


def test_other_governance_files_give_a_source_again_for_themselves_alone(owned: House, tmp_path: Path) -> None:
    """`--governance` may name files in which anybody owns anything."""
    withdraw(owned)
    theirs = shutil.copytree(folder(owned), tmp_path / "theirs")
    other = House(
        owned.layout, owned.params, governance.load_governance(theirs, owned.state), owned.ledger, owned.state
    )
    declare(other, "both", "both")
    restore(other, "both")
    assert by(other) == [] and by(owned) == ["owner"]
    restore(owned, "owner")
    assert by(owned) == []


def test_what_a_new_owner_gave_again_in_another_environment_is_not_given_here(owned: House) -> None:
    withdraw(owned)
    declare(owned, "both", "both")
    restore(owned, "both")
    people = keyed(PEOPLE, owned.state)
    reload(owned, policy=POLICY.replace("environment: local", "environment: prod"), people=people)
    adopt(owned, "both")
    assert by(owned) == ["owner"]
    restore(owned, "both")
    assert by(owned) == []


def test_a_withdrawal_outlasts_its_owner(owned: House) -> None:
    withdraw(owned)
    declare(owned, "both", "both")
    assert held(owned)
    left = owned.ledger.now().isoformat()
    role = f"{{role: data-owner, valid_before: '{left}'}}"
    reload(owned, people=PEOPLE.replace("Data owner, roles: [data-owner]", f"Data owner, roles: [{role}]"))
    assert held(owned), "who left cannot decide, and what they decided stands"
    restore(owned, "both")
    assert held(owned) is None


def resolved_with(house: House, run: str, owner: str, at: int, name: str = "letters", content: str = "0") -> Layout:
    """A run made at a time, with a source."""
    pinned = ResolvedSource(source=source("old.csv", id=name, owner=owner), sha256=content * 64, bytes=1)
    layout = Layout(house.state / "runs" / run)
    write_json(
        layout.sources_path, ResolvedSources(sources=[pinned], as_of=TODAY, vault="0" * 32).model_dump(mode="json")
    )
    os.utime(layout.sources_path, (at, at))
    return layout


@pytest.mark.attack(rights="commit", stopped="a withdrawal holds by content and by place, under whatever name")
@pytest.mark.parametrize(
    "use",
    [
        UsedSource("other", sha256="1" * 64),
        UsedSource("other", sha256="2" * 64),
        UsedSource("other", location="tickets.csv"),
        UsedSource("other", location="./x/..//tickets.csv"),
        UsedSource("other", location="${NOT_SET_HERE:-tickets.csv}"),
        UsedSource("other", location="link.csv"),
    ],
    ids=["as a run read it", "as it is now", "the same place", "spelled otherwise", "by a variable", "by a link"],
)
def test_another_name_for_the_same_is_withdrawn_too(owned: House, use: UsedSource) -> None:
    resolved_with(owned, "before", "owner", at=1, name="tickets", content="1")
    (owned.state.parent / "x").mkdir()
    (owned.state.parent / "link.csv").symlink_to("tickets.csv")
    assert held_back(owned, use) is None
    withdrawals.withdraw_source(owned.ledger, owned.governance, "tickets", "owner", "consent ended", ["2" * 64])
    told = held_back(owned, use) or ""
    assert "source tickets was withdrawn by owner" in told
    assert "other is the same, by its content or where it lies" in told
    assert "hallmark data withdraw tickets --restore --reason TEXT --as owner" in told
    assert held_back(owned, UsedSource("other", sha256="3" * 64, location="chats.csv")) is None
    restore(owned)
    assert held_back(owned, use) is None


@pytest.mark.attack(rights="database", stopped="a withdrawal that was changed holds back what it names, content too")
def test_a_changed_withdrawal_holds_its_content_back_too(owned: House) -> None:
    contents = ["1" * 64, 7]
    forge(owned, withdrawals.WITHDRAWN, "tickets", "owner", "asker", contents=contents, location="x/a.csv")
    forge(owned, withdrawals.WITHDRAWN, "tickets", "owner", "asker", contents="no list", location=["no text"])
    for use in (UsedSource("other", sha256="1" * 64), UsedSource("other", location="x/a.csv")):
        assert "cannot be verified" in (held_back(owned, use) or "")


@pytest.mark.attack(rights="commit", stopped="outside environment local an owner is who the adopted source names")
def test_outside_local_who_writes_sources_yaml_owns_nothing(owned: House) -> None:
    outside = POLICY.replace("environment: local", "environment: production")
    reload(owned, outside, keyed(PEOPLE, owned.state))
    adopt(owned, "owner")
    withdraw(owned)
    declare(owned, "both", "both")
    with pytest.raises(Refused, match="both does not own source tickets; only owner may"):
        restore(owned, "both")
    with pytest.raises(InputError, match="'chats' is not among those adopted, which are tickets"):
        withdraw(owned, "both", "chats")
    assert held(owned, "tickets")


def test_a_source_that_only_runs_still_have_is_withdrawn_by_who_owned_it(owned: House) -> None:
    resolved_with(owned, "zz", "owner", at=1)
    resolved_with(owned, "20260302-120000-aaaa", "both", at=2)
    broken = resolved_with(owned, "20260303-120000-aaaa", "both", at=3)
    write_json(broken.sources_path, {})
    others = "20260304-120000-aaaa"
    resolved_with(owned, others, "asker", at=4)
    record_request(owned.ledger, owned.governance, owned.sign_request(others, governance="theirs"))
    with pytest.raises(Refused, match="owner does not own source letters; only both may"):
        withdraw(owned, "owner", "letters")
    withdraw(owned, "both", "letters")
    assert held(owned, "letters")
    restore(owned, "both", "letters")
    assert held(owned, "letters") is None


def test_a_person_taken_out_of_people_yaml_is_asked_back(owned: House) -> None:
    withdraw(owned)
    declare(owned, "both", "both")
    reload(owned, people=PEOPLE.replace("  - {id: owner, name: Data owner, roles: [data-owner]}\n", ""))
    assert "or people.yaml no longer has who made it" in (held(owned, "tickets") or "")
    assert held(owned, "chats") is None
    reload(owned)
    assert by(owned) == ["owner"]


def test_a_new_run_that_names_the_source_is_refused(owned: House, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "checkout")
    (layout.state).mkdir(parents=True)
    vault_keys.create_key(layout.state)
    for name in IDS:
        (layout.root / f"{name}.csv").write_bytes(table(messages(3)))
    resolve_run(owned.params, owned.ledger, owned.governance, layout, "0" * 64)
    withdraw(owned)
    layout.sources_path.unlink()
    with pytest.raises(Refused, match="source tickets was withdrawn by owner"):
        resolve_run(owned.params, owned.ledger, owned.governance, layout, "0" * 64)
    assert not layout.sources_path.exists()
