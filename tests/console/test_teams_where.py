"""A person finds where a record or somebody is in the runs and releases of their own teams alone."""

import pytest
from fastapi import FastAPI

from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tests.checkouts import Checkouts
from tests.console.conftest import write_journal
from tests.console.visits import console_of, govern, reader_of
from tests.tiny_project import PEOPLE
from tests.whole_run import RUN

TEAMS = """
teams:
  sorting: {use_cases: [tiny], people: [ml-engineer]}
  writing: {use_cases: [letters], people: [helper]}
"""
MORE_PEOPLE = """\
  - {id: helper, name: Helper, roles: [data_owner]}
  - {id: eve, name: Eve, roles: [auditor]}
"""
EVERYTHING, NOTHING, RUN_ALONE = ([RUN], ["tiny-1"]), None, ([RUN], [])


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> FastAPI:
    root = checkouts.released(tmp_path_factory.mktemp("where") / "project")
    write_journal(root, RUN, "promoted", release="tiny-1")
    policy = root / "infra" / "governance" / "policy.yaml"
    policy.write_text(policy.read_text() + TEAMS)
    return console_of(govern(root, PEOPLE + MORE_PEOPLE))


@pytest.mark.parametrize(
    ("person", "expected"),
    [("ml-engineer", EVERYTHING), ("eve", EVERYTHING), ("data-owner", RUN_ALONE), ("helper", NOTHING)],
)
def test_a_record_is_shown_in_runs_of_own_teams(
    teams: FastAPI, person: str, expected: tuple[list[str], list[str]] | None
) -> None:
    layout = Layout(teams.state.root / ".hallmark" / "runs" / RUN)
    record = read_table(layout.artefacts("split") / "train.parquet", ["record_id"])["record_id"][0].as_py()
    said = reader_of(teams, person).get(f"/api/where?record={record}").json()
    assert [(row["runs"], row["releases"]) for row in said["rows"]] == ([expected] if expected else [])
    assert ("of other teams are left out" in said["notice"]) is (expected is None)


@pytest.mark.attack(rights="approver", stopped="a search for a person names runs and releases of own teams alone")
def test_a_search_for_a_person_names_no_run_of_another_team(teams: FastAPI) -> None:
    for person, sees_run in (("data-owner", True), ("helper", False)):
        client = reader_of(teams, person)
        token = client.get("/where").text.partition('name="form_token" value="')[2].partition('"')[0]
        asked = {"subject": "Ada Lovelace", "reason": "she asked", "form_token": token}
        answer = client.post("/where", data=asked)
        assert answer.status_code == 200 and "messages" in answer.text, "by the rights of the source"
        assert (RUN in answer.text) is sees_run and "tiny-1" not in answer.text
