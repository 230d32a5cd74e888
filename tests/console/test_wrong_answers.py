"""Wrong answers of a run on their page: for who may see the source, as the gate looked at them, narrowed by a form."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from tasks.core.layout import Layout
from tests.console.visits import reader_of
from tests.editing import changed
from tests.in_process import hallmark_json
from tests.whole_run import RUN

ERRORS = f"/runs/{RUN}/errors"


def test_an_owner_looks_through_what_the_command_lists(app: FastAPI, lived_in: Path) -> None:
    client = reader_of(app, "data-owner")
    listed = hallmark_json(lived_in, "evaluate", "errors", RUN, "--model", "base", "--as", "data-owner")
    page = client.get(f"/api{ERRORS}?model=base").json()
    assert page["compared"] and page["wrong"] == page["total"] == listed["total"] > 0
    assert page["rows"] == listed["answers"][: len(page["rows"])]
    html = client.get(f"{ERRORS}?model=base").text
    assert f"{listed['total']} of {listed['answered']} test rows" in html
    label = page["rows"][0]["expected_label"]
    same = client.get(f"/api{ERRORS}?model=base&label={label}&min_length=&max_length=").json()
    assert 0 < same["total"] == sum(row["expected_label"] == label for row in listed["answers"])
    none = client.get(f"/api{ERRORS}?model=base&error=&min_length=100000").json()
    assert (none["total"], none["chosen"]) == (0, {"min_length": "100000"})
    assert client.get(f"{ERRORS}?model=other").status_code == 400
    assert f'href="{ERRORS}"' in client.get(f"/runs/{RUN}").text


@pytest.mark.attack(rights="visitor", stopped="texts of records are for who may see single records of their source")
@pytest.mark.parametrize("path", [ERRORS, f"/api{ERRORS}", f"{ERRORS}.csv"])
def test_who_may_not_see_the_source_sees_how_many_there_are(app: FastAPI, path: str) -> None:
    shown = reader_of(app, "data-owner").get(f"/api{ERRORS}?model=base").json()
    answer = reader_of(app, "ml-engineer").get(f"{path}?model=base")
    assert answer.status_code == 200
    assert not any(row["prompt"] in answer.text or row["record_id"] in answer.text for row in shown["rows"])
    if path.startswith("/api"):
        assert (answer.json()["withheld"], answer.json()["choices"]["expected_label"]) == (shown["wrong"], [])


@pytest.mark.attack(rights="worker", stopped="a page beside a decision shows only files that the gate looked at")
def test_answers_that_were_changed_after_the_question_are_not_shown(app: FastAPI, lived_in: Path) -> None:
    client = reader_of(app, "data-owner")
    path = Layout(lived_in / ".hallmark" / "runs" / RUN).artefacts("evaluate") / "examples.parquet"
    with changed(path, lambda before: before + b" "):
        answer = client.get(ERRORS)
        assert answer.status_code == 409 and "is not what its evaluation gate looked at" in answer.text
    assert client.get(ERRORS).status_code == 200
