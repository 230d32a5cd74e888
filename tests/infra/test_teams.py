"""Teams at the command line: their table, the quota that refuses a run, schedules passed over, notices and metrics."""

from pathlib import Path

import pytest

from flows import lifecycle
from flows.scheduling import OccasionHandler
from infra.metrics.exposition import MetricsPage
from tasks.core.errors import InputError
from tasks.gates.signed_request import ENTRY_KIND
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.registry.history.notices import notice_from_entry
from tasks.runs import installation, run_entries
from tasks.runs.reporting.run_notices import NOTICE_BUILDERS
from tasks.runs.run import installed_governance
from tasks.scheduling import open_runs, requests
from tasks.scheduling.occasion_log import PASSED_OVER, TAKEN, OccasionLog
from tests.checkouts import Checkouts
from tests.copies import copy_tree
from tests.flows.test_occasions import declare_soon, look, wait_until_due
from tests.in_process import adopt, hallmark, hallmark_json
from tests.infra.test_metrics import values
from tests.runs.test_run_list import make_run
from tests.tiny_project import commit, create

TEAMS = """
teams:
  sorting: {use_cases: [tiny], people: [ml-engineer], quota: {runs_at_once: 1, cost_in_30_days: 5}}
  writing: {use_cases: [letters, answers], people: [colleague], risk_tiers: [limited]}
overseers: [risk_officer]
"""


def add_teams(project: Path) -> Path:
    path = project / "infra" / "governance" / "policy.yaml"
    path.write_text(path.read_text() + TEAMS)
    commit(project, "Teams")
    adopt(project)
    return project


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return add_teams(checkouts.ready(tmp_path_factory.mktemp("teams") / "project"))


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return copy_tree(made, tmp_path / "project")


def ledger_of(project: Path) -> Ledger:
    return open_ledger(project / ".hallmark")


def test_a_checkout_without_teams_says_how_to_declare_some(checkouts: Checkouts, tmp_path: Path) -> None:
    project = checkouts.ready(tmp_path / "project")
    assert (
        hallmark(project, "teams") == "policy has no teams: add `teams` to policy.yaml, then `hallmark policy adopt`\n"
    )
    assert hallmark_json(project, "teams") == []
    assert "--team x: policy has no teams" in hallmark(project, "runs", "list", "--team", "x", code=2)
    assert "team" not in hallmark(project, "metrics")


def test_the_table_has_use_and_quota_of_each_team(project: Path) -> None:
    create(project, "one")
    ledger_of(project).append(run_entries.STAGE_KIND, "one", {"stage": "train", "seconds": 36_000, "cached": False})
    lines = [line.split() for line in hallmark(project, "teams").splitlines()]
    assert lines[1] == [
        "sorting",
        "tiny",
        "ml-engineer",
        "experiment,",
        "limited",
        "1",
        "of",
        "1",
        "1.00",
        "of",
        "5.00",
    ]
    assert lines[2] == ["writing", "letters,", "answers", "colleague", "limited", "0", "0.00"]
    first, second = hallmark_json(project, "teams")
    assert (first["team"], first["open_runs"], first["cost_in_30_days"]) == ("sorting", ["one"], 1.0)
    assert (second["quota"]["runs_at_once"], second["risk_tiers"]) == (None, ["limited"])


def test_a_run_beyond_the_quota_or_of_another_team_is_refused(project: Path) -> None:
    create(project, "one")
    told = hallmark(project, "run", "--as", "ml-engineer", code=2)
    assert "team sorting may have 1 run at once, and 1 are queued or executing: one; ask again once" in told
    told = hallmark(project, "run", "--as", "colleague", code=1)
    assert "use case tiny is of team sorting, and colleague is not; its people are ml-engineer: let one of them" in told
    run_entries.record_end(ledger_of(project), "one", "failed", None, None)
    ledger_of(project).append(run_entries.STAGE_KIND, "one", {"stage": "train", "seconds": 360_000, "cached": False})
    run_entries.record_end(ledger_of(project), "one", "failed", None, "x")
    told = hallmark(project, "run", "--as", "ml-engineer", code=2)
    assert "team sorting may use 5.00 USD in 30 days, and its stages have cost 10.00 USD" in told
    assert [entry.subject for entry in ledger_of(project).entries(ENTRY_KIND)] == ["one"]


def test_the_run_itself_is_refused_if_another_began_first(project: Path) -> None:
    """Two commands at the same moment both found room."""
    create(project, "one")
    with pytest.raises(InputError, match="team sorting may have 1 run at once"):
        create(project, "two")
    assert not (project / ".hallmark" / "runs" / "two").exists()


def test_a_schedule_beyond_the_quota_is_passed_over_and_told(project: Path) -> None:
    create(project, "one")
    wait_until_due(project, declare_soon(project))
    (line,), _ = look(OccasionHandler(project).handle_schedules)
    assert "passed over, team sorting may have 1 run at once" in line
    (entry,) = ledger_of(project).entries(PASSED_OVER)
    assert (entry.body["team"], entry.body["over_quota"]) == ("sorting", True) and not ledger_of(project).entries(TAKEN)
    told = notice_from_entry(entry, installed_governance(project, None), NOTICE_BUILDERS)
    assert told is not None and told.title == "hourly requested no run: quota of team sorting"
    assert "1 are queued or executing: one" in told.text and told.command == "hallmark teams"


def test_a_run_that_a_schedule_asked_for_counts_before_it_begins(project: Path) -> None:
    wait_until_due(project, declare_soon(project))
    look(OccasionHandler(project).handle_schedules)
    (taken,) = ledger_of(project).entries(TAKEN)
    assert taken.body["team"] == "sorting"
    assert hallmark_json(project, "teams")[0]["open_runs"] == [taken.body["run"]]
    assert "1 are queued or executing" in hallmark(project, "run", "--as", "ml-engineer", code=2)


def test_a_run_that_fails_before_its_request_is_recorded_does_not_stay_open(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run has taken the last place since."""
    wait_until_due(project, declare_soon(project))
    look(OccasionHandler(project).handle_schedules)
    (taken,) = OccasionLog().update(ledger_of(project)).pending_occasions(installation.installation_id(project))
    asked = requests.read_request(taken)
    monkeypatch.setenv("HALLMARK_ROOT", str(project))
    with pytest.raises(InputError, match="no place"), lifecycle.run_lifecycle(asked.request, asked.envelope):
        raise InputError("no place")
    (ended,) = ledger_of(project).entries(run_entries.ENDED_KIND, taken.run)
    assert ended.body["status"] == "failed" and hallmark_json(project, "teams")[0]["open_runs"] == []
    assert open_runs.find_open_run(ledger_of(project), OccasionLog().update(ledger_of(project)), "hourly") is None


def test_runs_are_listed_by_team_and_metrics_are_labelled(project: Path) -> None:
    state = project / ".hallmark"
    make_run(state, "own", 1000, use_case="tiny", status="failed", price_per_hour=1.0)
    make_run(state, "theirs", 2000, use_case="answers", status="failed", price_per_hour=1.0)
    assert [run["run"] for run in hallmark_json(project, "runs", "list", "--team", "sorting")] == ["own"]
    assert [run["run"] for run in hallmark_json(project, "status", "--team", "writing")] == ["theirs"]
    shown = hallmark(project, "status", "--team", "writing")
    assert "theirs" in shown and "own " not in shown
    assert "--team other: policy has teams sorting, writing" in hallmark(project, "status", "--team", "other", code=2)
    found = values(MetricsPage(project).text().decode())
    assert (
        found["hallmark_runs", "failed", "sorting", "tiny"]
        == found["hallmark_runs", "failed", "writing", "answers"]
        == 1
    )
    assert found["hallmark_cost_usd_total", "writing", "answers"] == 0
    assert (found["hallmark_team_open_runs", "sorting"], found["hallmark_team_quota_open_runs", "sorting"]) == (0, 1)
    assert found["hallmark_team_quota_cost_30_days_usd", "sorting"] == 5
    assert ("hallmark_team_quota_open_runs", "writing") not in found
