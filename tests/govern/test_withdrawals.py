"""An owner takes back a source, and nobody else can, nor give it again."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import InputError, Refused
from tasks.files import write_bytes, write_json
from tasks.govern import dsse, vault_keys, withdrawals
from tasks.govern.ledger import Entry
from tasks.govern.sources import ResolvedSource, ResolvedSources
from tasks.layout import Layout
from tasks.runs.resolve import resolve
from tests.data.build import TODAY, messages, source, table
from tests.govern.house import PEOPLE, House, raw, reload

IDS = ("tickets", "chats")


@pytest.fixture
def owned(house: House) -> House:
    """`owner` owns the tickets, `both` the chats."""
    declare(house, "owner", "both")
    return house


def declare(house: House, *owners: str) -> None:
    """Write sources.yaml, with one owner for each source."""
    named = [source("a.csv", id=name, owner=who, steward=who) for name, who in zip(IDS, owners, strict=True)]
    document = {"sources": [item.model_dump(mode="json") for item in named]}
    write_bytes(house.governance.folder / "sources.yaml", json.dumps(document).encode())  # JSON is YAML


def withdraw(house: House, who: str = "owner", name: str = "tickets", reason: str = "consent ended") -> Entry:
    return withdrawals.withdraw(house.ledger, house.governance, name, who, reason)


def restore(house: House, who: str = "owner", name: str = "tickets", reason: str = "a mistake") -> Entry:
    return withdrawals.restore(house.ledger, house.governance, name, who, reason)


def held(house: House, *names: str) -> str | None:
    return withdrawals.held_back(house.ledger, house.governance, names or IDS)


def forge(house: House, kind: str, name: str, who: str, key: str, **changes: Any) -> None:
    """Append a statement that `who` is said to have made and the holder of `key` signed."""
    plain = {"verb": "withdraw", "source": name, "person": who, "reason": "r", "restores": None}
    predicate = plain | {"time": house.ledger.now().isoformat()} | changes
    statement = dsse.statement(withdrawals.PREDICATE_TYPE, {name: "0" * 64}, predicate)
    house.ledger.append(kind, name, {"envelope": dsse.sign(statement, house.key(key))})


def standing(house: House) -> withdrawals.Withdrawal:
    (found,) = withdrawals.in_force(house.ledger, house.governance).values()
    return found


def test_a_withdrawn_source_holds_back_what_uses_it_and_says_who_why_and_what_to_do(owned: House) -> None:
    assert held(owned) is None
    withdraw(owned)
    told = held(owned)
    assert told and "source tickets was withdrawn by owner on 20" in told and "(consent ended)" in told
    assert "hallmark data withdraw tickets --restore" in told
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
        (
            "owner",
            "letters",
            "r",
            InputError,
            "'letters' is not in sources.yaml, which has tickets, chats, and no run",
        ),
        ("stranger", "tickets", "r", InputError, "'stranger' is nobody in people.yaml"),
        ("owner", "tickets", "  ", InputError, "say why with --reason"),
        ("gone", "chats", "r", Refused, "gone is not active"),
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
    with pytest.raises(Refused, match="is not that of owner"):
        withdraw(owned)


def test_a_restoration_by_somebody_else_restores_nothing(owned: House) -> None:
    withdraw(owned)
    mine = standing(owned).sha256
    for who, key in (("owner", "asker"), ("asker", "asker"), ("both", "both")):
        forge(owned, withdrawals.RESTORED, "tickets", who, key, verb="restore", restores=mine)
    forge(owned, withdrawals.RESTORED, "chats", "both", "both", verb="restore", source="chats", restores=mine)
    forge(owned, withdrawals.RESTORED, "tickets", "owner", "owner", verb="withdraw", restores=mine)
    owned.ledger.append(withdrawals.RESTORED, "tickets", {})
    assert held(owned)


def test_an_old_restoration_written_anew_restores_nothing(owned: House) -> None:
    withdraw(owned)
    old = restore(owned)
    withdraw(owned)
    owned.ledger.append(old.kind, old.subject, old.body)
    assert held(owned)


def test_a_withdrawal_that_was_changed_stops_everything(owned: House) -> None:
    entry = withdraw(owned)
    raw(owned, f"UPDATE hallmark_ledger SET subject = 'other' WHERE seq = {entry.seq}")
    with pytest.raises(Refused, match=f"entry {entry.seq} of the ledger, which withdraws source other, cannot be veri"):
        held(owned)


def test_a_withdrawal_outlasts_its_owner(owned: House) -> None:
    withdraw(owned)
    declare(owned, "both", "both")
    assert held(owned)
    reload(owned, people=PEOPLE.replace("id: owner, name: Data owner,", "id: owner, name: Data owner, active: false,"))
    assert held(owned), "who left cannot decide, and what they decided stands"
    restore(owned, "both")
    assert held(owned) is None


def test_a_source_that_only_runs_still_have_is_withdrawn_by_who_owned_it(owned: House) -> None:
    for run, owner in (("20260301-120000-aaaa", "owner"), ("20260302-120000-aaaa", "both")):
        pinned = ResolvedSource(source=source("a.csv", id="letters", owner=owner), sha256="0" * 64, bytes=1)
        resolved = ResolvedSources(sources=[pinned], as_of=TODAY, vault="0" * 32)
        layout = Layout(owned.state / "runs" / run)
        write_json(layout.sources, resolved.model_dump(mode="json"))
    broken = Layout(owned.state / "runs" / "20260303-120000-aaaa")
    write_json(broken.sources, {})
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
    with pytest.raises(Refused, match=r"no longer in people.yaml: put them back, as `active: false`"):
        held(owned)


def test_a_new_run_that_names_the_source_is_refused(owned: House, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "checkout")
    (layout.state).mkdir(parents=True)
    vault_keys.create(layout.state)
    (layout.root / "a.csv").write_bytes(table(messages(3)))
    resolve(owned.params, owned.governance, owned.ledger, layout)
    withdraw(owned)
    layout.sources.unlink()
    with pytest.raises(InputError, match="source tickets was withdrawn by owner"):
        resolve(owned.params, owned.governance, owned.ledger, layout)
    assert not layout.sources.exists()
