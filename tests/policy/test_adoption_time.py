"""An adoption has the time of the ledger: none that is dated ahead or back counts."""

from datetime import timedelta

import pytest

from tasks.core.errors import Refused
from tasks.ledger.entry import format_time
from tasks.ledger.ledger import Ledger
from tasks.policy import adoption, adoption_entries, adoption_signing, in_force, root_of_trust
from tasks.policy.adoption import Adoption
from tasks.policy.adoption_entries import ADOPTED, MAX_SIGNING_TIME, PROPOSED, SIGNED
from tasks.trust import dsse
from tasks.trust.keys import Signer
from tests.governed.house import House, raw
from tests.policy.test_adoption import EASIER, OTHER, TWO, adopt, forged, newest, root, rows, why_not

YEARS, MINUTE = timedelta(days=20000), timedelta(minutes=1)
THIRD = OTHER.replace("at_least: 50}", "at_least: 60}")


@pytest.fixture
def house(house: House) -> House:
    """With the sample policy in force."""
    root_of_trust.create_root_key(house.state)
    adopt(house, "root")
    return house


def recorded_later(house: House, kind: str, by: timedelta) -> None:
    """The newest entry of a kind as it were had it been recorded later."""
    entry = house.ledger.entries(kind)[-1]
    raw(house, f"UPDATE hallmark_ledger SET time = '{format_time(entry.time + by)}' WHERE seq = {entry.seq}")


def proposed(house: House, signer: str, ahead: timedelta, kind: str = PROPOSED) -> Adoption:
    """A proposal of what lies in the folder, dated so much after now, put into the ledger."""
    before, (policy, people) = newest(house), in_force.load_proposed(house.governance.folder, house.state)
    wanted = Adoption(
        environment="local", sequence=before.sequence + 1, previous=adoption.adoption_digest(before), root=before.root,
        policy=policy, people=people, time=house.ledger.now() + ahead,
    )  # fmt: skip
    part = dsse.sign_statement(adoption.statement_of(wanted), house.key(signer))
    house.ledger.append(kind, adoption.adoption_digest(wanted), {"envelope": part})
    return wanted


@pytest.mark.attack(rights="approver", stopped="an adoption is not dated after the ledger recorded it")
def test_an_adoption_dated_ahead_locks_nobody_out(house: House) -> None:
    forged(house, "risk-one", time=house.ledger.now() + YEARS)
    assert "and was recorded on" in why_not(house) and rows(house) == 100
    assert adopt(house, "risk-one", OTHER).is_adopted and rows(house) == 50


@pytest.mark.attack(rights="approver", stopped="an adoption is not dated after the ledger recorded it")
@pytest.mark.parametrize("kind", [PROPOSED, SIGNED])
def test_a_proposal_dated_ahead_is_signed_by_nobody_else(house: House, kind: str) -> None:
    adopt(house, "risk-one", TWO)
    (house.governance.folder / "policy.yaml").write_text(EASIER)
    wanted = proposed(house, "risk-one", YEARS, kind)
    assert not adoption_signing.open_proposals(house.ledger, adoption_entries.read_chain(house.ledger, root(house)))
    assert not adopt(house, "both", EASIER).is_adopted, "a proposal of its own"
    assert adopt(house, "risk-one", EASIER).is_adopted and newest(house).time < wanted.time - YEARS / 2


@pytest.mark.attack(rights="approver", stopped="an adoption is not dated long before it was proposed")
def test_an_adoption_dated_back_counts_for_nothing(house: House) -> None:
    """Nor under the name of a proposal that is as old as that."""
    adopt(house, "risk-one", TWO)
    adopt(house, "risk-one", EASIER)
    old = house.ledger.entries(PROPOSED)[-1]
    (house.governance.folder / "policy.yaml").write_text(OTHER)
    wanted = proposed(house, "risk-one", timedelta())
    parts = [dsse.sign_statement(adoption.statement_of(wanted), house.key(who)) for who in ("risk-one", "both")]
    house.ledger.append(ADOPTED, old.subject, {"envelope": adoption.merge_signatures(parts)})
    for kind in (PROPOSED, ADOPTED):
        recorded_later(house, kind, MAX_SIGNING_TIME + MINUTE)
    assert "later than the 60 minutes that signing may take" in why_not(house) and rows(house) == 100


def test_whoever_signs_after_the_first_may_take_days(house: House) -> None:
    adopt(house, "risk-one", TWO)
    adopt(house, "risk-one", EASIER)
    adopt(house, "both", EASIER)
    recorded_later(house, ADOPTED, timedelta(days=9))
    assert rows(house) == 50


def test_clocks_may_differ_a_little_and_the_next_one_follows_at_once(house: House) -> None:
    forged(house, "risk-one", time=house.ledger.now() + 5 * MINUTE)
    assert rows(house) == 50
    assert adopt(house, "risk-one", THIRD).is_adopted and rows(house) == 60
    assert newest(house).time > house.ledger.now()


def test_who_takes_longer_to_sign_than_that_signs_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    key, before = house.key("risk-one"), len(house.ledger.entries())
    later = house.ledger.now() + MAX_SIGNING_TIME + MINUTE

    def slowly(data: bytes) -> bytes:
        monkeypatch.setattr(Ledger, "now", lambda ledger: later)
        return key.sign(data)

    (house.governance.folder / "policy.yaml").write_text(OTHER)
    what = in_force.load_proposed(house.governance.folder, house.state)
    with pytest.raises(Refused, match="later than the 60 minutes that signing may take; sign anew"):
        adoption_signing.sign_adoption(house.ledger, root(house), *what, Signer(key.public_line, slowly))
    assert len(house.ledger.entries()) == before and rows(house) == 100
