"""What was in production when, and who had decided it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tasks.core.errors import InputError
from tasks.gates import signed_decision
from tasks.registry.history import history
from tasks.registry.history.history import ModelState
from tasks.registry.release import production_periods, promotions
from tests.registry.house import NAME, House, open_house

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


def made(house: House) -> list[datetime]:
    return [entry.time for entry in house.ledger.entries(promotions.PROMOTION_KIND, NAME)]


def standing(house: House, when: datetime) -> ModelState:
    (found,) = history.production_state_at(when.isoformat(), house.ledger, house.governance).models
    return found


def test_each_moment_has_its_champion_and_its_rollback(succeeded: House) -> None:
    succeeded.roll_back()
    one, two, three = made(succeeded)

    before = standing(succeeded, one - timedelta(hours=1))
    assert (before.champion, before.rollback) == (None, None)
    assert before.first == one
    first = standing(succeeded, one)
    assert first.champion and (first.champion.release, first.champion.until, first.rollback) == ("triage-1", two, None)
    second = standing(succeeded, three - timedelta(microseconds=1))
    assert second.champion and second.rollback
    assert (second.champion.release, second.rollback.release) == ("triage-2", "triage-1")
    assert (second.champion.since, second.rollback.until) == (two, two)

    now = standing(succeeded, three)
    assert now.champion and (now.champion.release, now.champion.until, now.rollback) == ("triage-1", None, None)
    assert (now.champion.ordered_by, now.champion.reason) == (["risk-officer as risk"], "wrong queue")
    assert now.champion.requested_by == "engineer", "who asked for the run, not who ordered the rollback"


def test_it_says_who_decided_with_the_entries_that_hold_it(released: House) -> None:
    champion = standing(released, made(released)[0]).champion
    assert champion is not None
    told = {approval.gate: (approval.who, approval.entry) for approval in champion.approvals}
    entries = {entry.seq: entry for entry in released.ledger.entries(signed_decision.ENTRY_KIND)}
    wanted = {
        "data": ("owner", "data-owner"),
        "evaluation": ("product", "product-owner"),
        "release": ("risk-officer", "risk"),
    }
    assert {gate: who for gate, (who, _) in told.items()} == {g: f"{p} as {r}" for g, (p, r) in wanted.items()}
    for gate, (_, entry) in told.items():
        assert entry is not None
        decision = signed_decision.read_decision(entries[entry], released.governance).decision
        assert (decision.gate, decision.person) == (gate, wanted[gate][0])
    assert champion.entry == released.ledger.entries(promotions.PROMOTION_KIND, NAME)[0].seq


def test_what_the_key_did_not_sign_was_never_in_production(released: House) -> None:
    (entry,) = released.ledger.entries(promotions.PROMOTION_KIND, NAME)
    forged = entry.body["envelope"] | {"payload": "e30="}
    written = released.ledger.append(promotions.PROMOTION_KIND, NAME, {"envelope": forged})
    champion = standing(released, written.time).champion
    assert champion is not None and champion.entry == entry.seq


def test_an_order_that_the_statement_does_not_name_is_nobodys(succeeded: House) -> None:
    """Whoever owns the database can write other orders beside a statement; their digests are signed."""
    succeeded.roll_back()
    newest = promotions.read_promotions(succeeded.ledger, succeeded.governance, NAME).valid_statements[-1]
    assert newest.entry is not None and history.rollback_orderers(newest) == ["risk-officer as risk"]
    decision = succeeded.ledger.entries(signed_decision.ENTRY_KIND)[0].body["envelope"]
    for body in ({"order": decision}, {"joined": [decision]}, {"order": "none"}):
        forged = newest.entry.model_copy(update={"body": newest.entry.body | body})
        assert history.rollback_orderers(replace(newest, entry=forged)) == ["risk-officer"]


def test_a_time_that_was_moved_back_moves_nothing(succeeded: House) -> None:
    """Whoever owns the database can write another time beside a statement; the statement's own is signed."""
    line = promotions.read_promotions(succeeded.ledger, succeeded.governance, NAME)
    first, second = line.valid_statements
    assert second.entry is not None
    early = second.entry.model_copy(update={"time": first.promotion.time - timedelta(days=9)})
    moved = promotions.SignedPromotion(second.promotion, second.release_sha256, second.sha256, second.envelope, early)
    told = production_periods.production_periods(promotions.Promotions((first, moved), ()))
    assert told[1].since == second.promotion.time
    assert told[0].until == second.promotion.time


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-03-03T11:00", datetime(2026, 3, 3, 11, tzinfo=UTC)),
        ("2026-03-03 11:00", datetime(2026, 3, 3, 11, tzinfo=UTC)),
        ("2026-03-03T11:00+01:00", datetime(2026, 3, 3, 10, tzinfo=UTC)),
        ("2026-03-03T11:00Z", datetime(2026, 3, 3, 11, tzinfo=UTC)),
        ("2026-03-02", datetime(2026, 3, 2, 23, 59, 59, 999999, tzinfo=UTC)),
        ("2026-03-03", NOW),
    ],
)
def test_times_are_utc_and_a_date_means_its_end(text: str, wanted: datetime) -> None:
    assert history.parse_time(text, NOW) == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3 March", "'3 March' is no time; expected one as 2026-03-03T12:00"),
        ("", "'' is no time"),
        ("2026-02-30", "'2026-02-30' is no time"),
        ("2026-03-03T12:00:01", "2026-03-03T12:00:01 has not come yet"),
        ("9999-12-31", "9999-12-31 has not come yet"),
        ("0001-01-01T00:00+14:00", "is no time"),
        ("2026-03-04", "2026-03-04 has not come yet"),
        ("2026-03-03T12:30-01:00", "has not come yet"),
    ],
)
def test_what_is_no_time_of_the_past_is_said(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        history.parse_time(text, NOW)


def test_a_house_without_releases_has_no_models(house: House) -> None:
    found = history.production_state_at("2026-03-03", house.ledger, house.governance)
    assert (found.models, found.environment) == ([], "local")


def test_a_second_installation_reads_the_same(released: House) -> None:
    when = made(released)[0]
    assert standing(open_house(released.root), when) == standing(released, when)
