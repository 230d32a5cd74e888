"""A person of one team sees nothing of another team's runs, gates and releases, unless it is theirs to decide."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from infra.console.team_access import RELEASE_PARAMETERS, RUN_PARAMETERS
from tasks.ledger.ledger import open_ledger
from tests.checkouts import Checkouts
from tests.console.conftest import FAILING, WAITING, copy_of_lived_in, write_journal
from tests.console.visits import console_of, govern, post_fitting, reader_of, seated
from tests.tiny_project import PEOPLE
from tests.whole_run import RUN

TEAMS = """
teams:
  sorting: {use_cases: [tiny], people: [ml-engineer]}
  writing: {use_cases: [letters], people: [colleague]}
overseers: [risk_officer]
"""
LETTERS = "20260104-000000-face"
"""A run of team writing."""
RUN_PAGES = [
    f"/api/runs/{RUN}", f"/runs/{RUN}", f"/api/runs/{RUN}/rows", f"/api/runs/{RUN}/artefacts", f"/api/runs/{RUN}/log",
    f"/api/runs/{RUN}/to/{WAITING}", f"/api/runs/{LETTERS}/to/{RUN}", f"/api/compare?first={LETTERS}&second={RUN}",
    f"/runs/{RUN}/report", f"/runs/{RUN}/docs/", f"/runs/{RUN}/measured", f"/api/gates/{WAITING}/data",
    "/api/releases/tiny-1", "/releases/tiny-1", "/api/releases/tiny-1/to/tiny-1", "/api/audit?release=tiny-1",
]  # fmt: skip

POSTS_OF_NO_TEAM = {
    "/sign-in", "/sign-out",
    "/where",  # leaves runs of other teams out of its answer: test_teams_where.py
    "/incidents/{incident}/draw", "/incidents/{incident}/decide", "/schedules/{name}/draw", "/schedules/{name}/decide",
}  # fmt: skip
"""Paths of POST routes about no run or release. Pages of incidents and schedules are everybody's."""


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts, shared: Path) -> FastAPI:
    root = copy_of_lived_in(checkouts, shared, tmp_path_factory.mktemp("teams") / "project")
    policy = root / "infra" / "governance" / "policy.yaml"
    policy.write_text(policy.read_text() + TEAMS)
    govern(root, PEOPLE + "  - {id: eve, name: Eve, roles: [auditor]}\n")
    write_journal(root, LETTERS, "failed")
    path = root / ".hallmark" / "runs" / f"{LETTERS}.json"
    path.write_text(path.read_text().replace('"tiny"', '"letters"').replace('"ml-engineer"', '"colleague"'))
    return console_of(root)


def runs_of(app: FastAPI, person: str) -> set[str]:
    return {row["run"] for row in reader_of(app, person).get("/api/runs").json()["rows"]}


@pytest.mark.parametrize(
    ("person", "seen"),
    [
        ("colleague", {LETTERS}),
        ("ml-engineer", {RUN, WAITING, FAILING}),
        ("data-owner", {RUN, WAITING, FAILING}),
        ("product-owner", set()),
        ("risk-officer", {RUN, WAITING, FAILING, LETTERS}),
        ("eve", {RUN, WAITING, FAILING, LETTERS}),
    ],
)
def test_runs_of_a_person(teams: FastAPI, person: str, seen: set[str]) -> None:
    assert runs_of(teams, person) == seen
    assert set(reader_of(teams, person).get("/api/compare").json()["choices"]) == seen
    text = reader_of(teams, person).get("/runs.csv").text
    assert {run for run in (RUN, WAITING, FAILING, LETTERS) if run in text} == seen


def test_pages_of_runs_are_filled_across_those_of_others(teams: FastAPI) -> None:
    first = reader_of(teams, "ml-engineer").get("/api/runs?most=1").json()
    second = reader_of(teams, "ml-engineer").get(f"/api/runs?most=1&below={first['older']}").json()
    assert [each["rows"][0]["run"] for each in (first, second)] == [FAILING, WAITING]


@pytest.mark.attack(rights="approver", stopped="each page about a run or release asks first whose team it is of")
def test_pages_of_another_team_are_refused(teams: FastAPI) -> None:
    stranger, own, auditor = (reader_of(teams, person) for person in ("colleague", "ml-engineer", "eve"))
    for path in RUN_PAGES:
        answer = stranger.get(path)
        assert answer.status_code == 409 and "is of another team" in answer.text, path
        for reader in (own, auditor):
            assert "is of another team" not in reader.get(path.replace(LETTERS, WAITING)).text, path


@pytest.mark.attack(rights="approver", stopped="each request about a run or release asks first whose team it is of")
def test_nothing_is_signed_or_disclosed_about_another_team(teams: FastAPI) -> None:
    routes = {each.path: each for each in teams.routes if isinstance(each, APIRoute) and "POST" in each.methods}
    named = {*RUN_PARAMETERS, *RELEASE_PARAMETERS}
    of_a_team = {path for path, route in routes.items() if named & route.param_convertors.keys()}
    assert routes.keys() - of_a_team == POSTS_OF_NO_TEAM, "a new route asks for its team, or is of no team"
    for person, is_refused in (("colleague", True), ("ml-engineer", False)):
        client = seated(teams, teams.state.root, person)
        form = {"form_token": client.headers["x-form-token"], "record": "messages:1", "reason": "x"}
        for path in sorted(of_a_team):
            if "sign" in routes[path].tags:
                answer = post_fitting(client, path, run=WAITING, label="tiny-1")
            else:
                answer = client.post(path.format(run=WAITING, label="tiny-1"), data=form)
            assert ("is of another team" in answer.text) is is_refused, (person, path, answer.text)
            assert answer.status_code == 409 or not is_refused, (path, answer.text)


def test_lists_show_nothing_of_another_team(teams: FastAPI) -> None:
    client = reader_of(teams, "colleague")
    assert client.get("/api/releases").json()["rows"] == client.get("/api/releases").json()["champions"] == []
    assert client.get("/api/production").json()["moment"]["models"] == []
    assert client.get("/api/audit").json()["releases"] == []
    inbox = client.get("/api/inbox").json()
    assert inbox["rows"] == inbox["others"] == []
    own = reader_of(teams, "ml-engineer")
    assert [row["label"] for row in own.get("/api/releases").json()["rows"]] and own.get("/api/audit").json()[
        "releases"
    ]
    assert {row["run"] for row in own.get("/api/inbox").json()["others"]} == {WAITING, FAILING}


def test_a_run_of_another_machine_is_seen_by_its_team(teams: FastAPI) -> None:
    root, run = teams.state.root, "20260106-000000-beef"
    account = {"team": "sorting", "use_case": "tiny", "price_per_hour": 1.0}
    open_ledger(root / ".hallmark").append("run.requested", run, {"account": account})
    for person, seen in (("ml-engineer", True), ("colleague", False)):
        answer = reader_of(teams, person).get(f"/api/gates/{run}/data")
        assert ("is of another team" not in answer.text) is seen


def test_a_run_that_is_not_resolved_yet_is_seen_by_its_requesters_team(teams: FastAPI) -> None:
    root = teams.state.root
    run = "20260105-000000-feed"
    write_journal(root, run, "running")
    path = root / ".hallmark" / "runs" / f"{run}.json"
    path.write_text(path.read_text().replace('"tiny"', '""'))
    try:
        assert run in runs_of(teams, "ml-engineer") and run not in runs_of(teams, "colleague")
    finally:
        path.unlink()
