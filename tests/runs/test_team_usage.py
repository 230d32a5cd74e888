"""Open runs and cost of teams, and the quota that refuses a run: counted in the ledger, on whatever machine it ran."""

from datetime import timedelta

import pytest

from tasks.core.errors import InputError
from tasks.gates import signed_request
from tasks.ledger.ledger import Ledger
from tasks.policy.policy import Policy
from tasks.runs import run_entries, team_usage
from tests.governed.fixtures import house, made
from tests.governed.house import POLICY, READ, House, reload

__all__ = ["house", "made"]
TEAMS = """\
teams:
  claims: {use_cases: [triage], people: [asker], quota: {runs_at_once: 2, cost_in_30_days: 10}}
  support: {use_cases: [letters], people: [asker]}
"""
PARAMS = READ.model_copy(update={"evaluation": READ.evaluation.model_copy(update={"price_per_hour": 4.0})})
LETTERS = PARAMS.model_copy(update={"use_case": PARAMS.use_case.model_copy(update={"name": "letters"})})


@pytest.fixture
def policy(house: House) -> Policy:
    reload(house, POLICY + TEAMS)
    return house.governance.policy


def begin(house: House, run: str, params: object = PARAMS) -> None:
    policy = house.governance.policy
    signed_request.record_request(
        house.ledger, house.governance, house.sign_request(run),
        lambda: team_usage.admission_fields(house.ledger, policy, params, run),
    )  # fmt: skip


def end(house: House, run: str, status: str = "failed") -> None:
    run_entries.record_end(house.ledger, run, status, None, None)


def spend(house: House, run: str, hours: float, stage: str = "train") -> None:
    house.ledger.append(run_entries.STAGE_KIND, run, {"stage": stage, "seconds": hours * 3600, "cached": False})


def take(house: House, run: str, team: str = "claims") -> None:
    house.ledger.append(run_entries.TAKEN_KIND, f"nightly/{run}", {"name": "nightly", "run": run, "team": team})


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    now = Ledger.now
    monkeypatch.setattr(Ledger, "now", lambda ledger: now(ledger) + timedelta(days=days))


def test_open_are_runs_that_are_queued_or_executing(house: House, policy: Policy) -> None:
    begin(house, "run-1")
    take(house, "run-2")
    begin(house, "run-3", LETTERS)
    assert team_usage.read_usage(house.ledger, policy)["claims"].open_runs == ["run-1", "run-2"]
    assert team_usage.read_usage(house.ledger, policy)["support"].open_runs == ["run-3"]
    house.ask(run="run-1")
    end(house, "run-2")
    assert team_usage.read_usage(house.ledger, policy)["claims"].open_runs == [], "one waits at its gate, one has ended"


def test_a_run_that_failed_is_open_again_once_it_goes_on(house: House, policy: Policy) -> None:
    begin(house, "run-1")
    end(house, "run-1")
    spend(house, "run-1", 1)
    assert team_usage.read_usage(house.ledger, policy)["claims"].open_runs == ["run-1"]
    run_entries.record_interruption(house.ledger, "run-1", 1, goes_on=True)
    assert team_usage.read_usage(house.ledger, policy)["claims"].open_runs == ["run-1"]
    run_entries.record_interruption(house.ledger, "run-1", 4, goes_on=False)
    assert team_usage.read_usage(house.ledger, policy)["claims"].open_runs == []


def test_a_run_of_which_nothing_is_heard_for_a_week_is_not_open(
    house: House, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(house, "run-1")
    take(house, "run-2")
    later(monkeypatch, 8)
    assert team_usage.read_usage(house.ledger, policy)["claims"].open_runs == []


def test_the_cost_is_that_of_stages_of_thirty_days(
    house: House, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(house, "run-1")
    spend(house, "run-1", 0.5)
    later(monkeypatch, 20)
    spend(house, "run-1", 0.25, "evaluate")
    assert team_usage.read_usage(house.ledger, policy)["claims"].cost == pytest.approx(3)
    later(monkeypatch, 15)
    assert team_usage.read_usage(house.ledger, policy)["claims"].cost == pytest.approx(1)
    reload(house, POLICY + TEAMS.replace("runs_at_once: 2,", "price_per_hour: 40,"))
    assert team_usage.read_usage(house.ledger, house.governance.policy)["claims"].cost == pytest.approx(10)


def test_a_run_beyond_the_quota_is_not_recorded(house: House, policy: Policy) -> None:
    begin(house, "run-1")
    take(house, "run-2")
    with pytest.raises(
        InputError, match="team claims may have 2 runs at once, and 2 are queued or executing: run-1, run-2"
    ):
        begin(house, "run-3")
    assert not house.ledger.entries(signed_request.ENTRY_KIND, "run-3")
    begin(house, "run-2")  # it has its place already
    begin(house, "run-4", LETTERS)  # another team, without a quota
    end(house, "run-1")
    begin(house, "run-3")


def test_nor_one_after_the_money_is_spent(house: House, policy: Policy) -> None:
    begin(house, "run-1")
    spend(house, "run-1", 2.5)
    with pytest.raises(
        InputError, match=r"team claims may use 10\.00 USD in 30 days, and its stages have cost 10\.00 USD"
    ):
        begin(house, "run-2")


def test_runs_of_a_team_that_policy_no_longer_has_are_charged_to_nobody(house: House, policy: Policy) -> None:
    begin(house, "run-1")
    spend(house, "run-1", 0.5)
    take(house, "run-2")
    begin(house, "run-3", LETTERS)
    used = team_usage.read_usage(house.ledger, policy)["claims"]
    assert (used.open_runs, used.cost) == (["run-1", "run-2"], pytest.approx(2))
    reload(house, POLICY + TEAMS.replace("claims", "disputes"))
    disputes, support = team_usage.read_usage(house.ledger, house.governance.policy).values()
    assert (disputes.open_runs, disputes.cost) == ([], 0) and (support.open_runs, support.cost) == (["run-3"], 0)
    begin(house, "run-4")
    assert team_usage.read_usage(house.ledger, house.governance.policy)["disputes"].open_runs == ["run-4"]


def test_without_teams_the_entry_of_a_request_is_as_before(house: House) -> None:
    reload(house)
    begin(house, "run-1")
    (entry,) = house.ledger.entries(signed_request.ENTRY_KIND, "run-1")
    assert set(entry.body) == {"envelope"}
