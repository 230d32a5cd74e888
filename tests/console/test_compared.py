"""Two runs compared on their page: one that was promoted, and one that waits at its data gate."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tasks.core.files import read_json, write_json
from tasks.core.layout import Layout
from tests.console.conftest import WAITING
from tests.console.visits import reader_of
from tests.whole_run import RUN

SECRET = "my name is Ada Lovelace"


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


@contextmanager
def written(path: Path, document: object) -> Iterator[None]:
    """Another file in its place, until the end of the block."""
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    write_json(path, document)
    try:
        yield
    finally:
        path.unlink()
        if before is not None:
            path.write_bytes(before)


@pytest.mark.attack(rights="worker", stopped="the page that compares runs shows files that a gate looked at")
@pytest.mark.parametrize(
    ("run", "name"), [(RUN, "evaluate/result.json"), (RUN, "evaluate/metrics.json"), (WAITING, "split/manifest.json")]
)
def test_figures_that_changed_after_their_gate_are_not_compared(
    reader: TestClient, lived_in: Path, run: str, name: str
) -> None:
    path = Layout(lived_in / ".hallmark" / "runs" / run).artefacts(name)
    with written(path, read_json(path) | {"more": 1}):
        answer = reader.get(f"/api/runs/{RUN}/to/{WAITING}")
        assert answer.status_code == 409 and f"{name} of run {run} is not what its" in answer.text


@pytest.mark.attack(rights="commit", stopped="figures that no gate looked at are for who may see the run's records")
def test_words_in_figures_that_no_gate_looked_at(app: FastAPI, reader: TestClient, lived_in: Path) -> None:
    path = Layout(lived_in / ".hallmark" / "runs" / WAITING).artefacts("evaluate") / "result.json"
    with written(path, {"facts": {"exact_match": {"value": 0.5, "unit": SECRET}}}):
        refused = reader.get(f"/runs/{RUN}/to/{WAITING}")
        assert refused.status_code == 409 and SECRET not in refused.text and "may hold texts of records" in refused.text
        let_in = reader_of(app, "data-owner").get(f"/runs/{RUN}/to/{WAITING}")
        assert let_in.status_code != 409 and "may hold texts of records" not in let_in.text
