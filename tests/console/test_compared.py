"""Two runs compared on their page: one that was promoted, and one that waits at its data gate."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.console.conftest import WAITING
from tests.console.visits import reader_of
from tests.whole_run import RUN


@pytest.fixture(scope="module")
def reader(app: FastAPI) -> TestClient:
    return reader_of(app, "ml-engineer")


def test_a_run_without_an_evaluation_says_so_and_the_rest_is_compared(reader: TestClient) -> None:
    said = reader.get(f"/api/runs/{RUN}/to/{WAITING}").json()
    (lack,) = said["lacks"]
    assert lack.startswith(f"run {WAITING} has no evaluation (")
    assert lack.endswith(": it has not been through that stage")
    assert {"what": "data.seed", "change": "1 → 2"} in said["parts"]["parameters"]
    assert "test rows" in {move["what"] for move in said["parts"]["data"]} and said["test"] == []


def test_the_form_on_the_page_of_runs_picks_two(reader: TestClient) -> None:
    page = reader.get("/runs").text
    assert 'action="/compare"' in page and page.count(f"<option >{WAITING}</option>") == 2
    picked = reader.get("/compare", params={"first": RUN, "second": RUN}).text
    assert "rows were answered by both" in picked and "Nothing differs." in picked
    assert f"<option selected>{RUN}</option>" in picked


def test_no_run_or_one_alone_is_told(reader: TestClient) -> None:
    assert "Compare two runs" in reader.get("/compare", params={"first": RUN}).text
    answer = reader.get(f"/runs/{RUN}/to/none")
    assert answer.status_code == 400 and "there is no run" in answer.text
