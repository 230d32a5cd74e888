"""Every table of every page is a CSV, and every page leads to its own."""

import csv
import io

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from infra.console.pages import PAGES, Page, api_path, csv_paths
from tests.console.test_access import GIVEN
from tests.console.visits import reader_of
from tests.whole_run import RUN

SHOWN = [page for page in PAGES if "{incident}" not in page.path]


@pytest.fixture(scope="module")
def reader(app: FastAPI) -> TestClient:
    return reader_of(app, "data-owner")


def table(reader: TestClient, path: str) -> list[dict[str, str]]:
    answer = reader.get(path)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/csv"), answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.path)
def test_each_page_leads_to_its_json_and_its_tables(reader: TestClient, page: Page) -> None:
    text = reader.get(page.path.format(**GIVEN)).text
    for path in (api_path(page), *csv_paths(page).values()):
        link = path.format(**GIVEN)
        assert f'href="{link}"' in text or f'href="{link}?most=10000"' in text, link
        assert reader.get(link).status_code == 200


def test_a_line_has_the_fields_of_what_it_holds(reader: TestClient) -> None:
    stages = table(reader, f"/runs/{RUN}/stages.csv")
    assert {"ingest", "split"} <= {line["name"] for line in stages} and stages[0]["state"] == "done"
    figures = table(reader, f"/runs/{RUN}/evaluation.figures.csv")
    assert figures and all(float(line["models.Candidate.value"]) >= 0 for line in figures), figures
    (model,) = table(reader, "/production/moment.models.csv")
    assert model["champion.release"] == "tiny-1"
    moves = table(reader, f"/runs/{RUN}/to/{GIVEN['second']}/parts.csv")
    assert {"name": "parameters", "what": "data.seed", "change": "1 → 2"} in moves


def test_what_the_reader_asked_for_is_what_the_link_leads_to(reader: TestClient) -> None:
    text = reader.get(f"/ledger?run={RUN}&kind=run.stage").text
    assert f'href="/ledger.csv?run={RUN}&amp;kind=run.stage&amp;most=10000"' in text
    lines = table(reader, f"/ledger.csv?run={RUN}&kind=run.stage&most=10000")
    assert lines and {line["kind"] for line in lines} == {"run.stage"}
