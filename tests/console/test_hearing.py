"""What the code of a run says in words of its own: for who may see single records of all its sources."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tasks.core.files import write_json
from tasks.core.layout import EXPERIMENT_TIER, Layout
from tasks.ledger.ledger import open_ledger
from tasks.runs import journal
from tasks.runs.journal import Journal, StageState
from tasks.trust import keys, stage_record
from tasks.trust.stage_record import StageEnvironment, StageRecord
from tests.console.conftest import FAILING
from tests.console.visits import reader_of

SECRET = "my name is Ada Lovelace"


@pytest.fixture
def spoken(lived_in: Path) -> Iterator[Journal]:
    """A run whose stages put a row into an error and into the words of their progress."""
    state = lived_in / ".hallmark"
    before = journal.read_journal(state, FAILING)
    assert before
    stages = {"ingest": StageState(state="done"), "clean": StageState(state="running", progress=f"3/9 {SECRET}")}
    said = before.model_copy(update={"stages": stages, "error": f"stage clean: the row {SECRET}\n{SECRET}"})
    journal.write_journal(state, said)
    yield said
    journal.write_journal(state, before)


@pytest.mark.attack(rights="commit", stopped="what a stage says is for who may see single records of all its sources")
@pytest.mark.parametrize("path", ["/api/runs", f"/api/runs/{FAILING}", "/runs", f"/runs/{FAILING}"])
def test_the_words_of_a_stage_are_for_who_may_see_its_rows(app: FastAPI, spoken: Journal, path: str) -> None:
    told = reader_of(app, "ml-engineer").get(path).text
    assert SECRET not in told and "records of messages are not for ml-engineer" in told
    assert SECRET in reader_of(app, "data-owner").get(path).text


def test_how_far_it_is_and_that_it_failed_is_for_all(app: FastAPI, spoken: Journal) -> None:
    said = reader_of(app, "ml-engineer").get(f"/api/runs/{FAILING}").json()
    assert said["stages"]["clean"]["progress"] == "3/9" and said["error"].startswith(
        "stage clean failed; its own words"
    )


@pytest.mark.attack(
    rights="commit", stopped="files of an experiment, which has named them, are for who may see its records"
)
def test_names_of_an_experiments_files(app: FastAPI, lived_in: Path) -> None:
    layout = Layout(lived_in / ".hallmark" / "runs" / FAILING)
    before = layout.authority_path.read_bytes()
    write_json(layout.authority_path, json.loads(before) | {"tier": EXPERIMENT_TIER})
    try:
        refused = reader_of(app, "ml-engineer").get(f"/runs/{FAILING}/artefacts")
        assert refused.status_code == 409 and "names of files of run" in refused.text
        assert reader_of(app, "data-owner").get(f"/runs/{FAILING}/artefacts").status_code == 200
    finally:
        layout.authority_path.write_bytes(before)


@pytest.mark.attack(rights="commit", stopped="a page that no gate looked at is for who may see the run's records")
@pytest.mark.parametrize("page", ["report", "measured"])
def test_pages_that_no_gate_looked_at(app: FastAPI, lived_in: Path, page: str) -> None:
    layout = Layout(lived_in / ".hallmark" / "runs" / FAILING)
    folder = layout.artefacts("evaluate") if page == "report" else layout.root / "measured"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text(f"<p>{SECRET}</p>")
    try:
        refused = reader_of(app, "ml-engineer").get(f"/runs/{FAILING}/{page}")
        assert refused.status_code == 409 and SECRET not in refused.text
        assert "may hold texts of records" in refused.text
        assert SECRET in reader_of(app, "data-owner").get(f"/runs/{FAILING}/{page}").text
    finally:
        (folder / "report.html").unlink()


@pytest.mark.attack(
    rights="commit", stopped="files of an experiment, which has named them, are for who may see its records"
)
def test_names_of_an_experiments_files_in_its_record(app: FastAPI, lived_in: Path) -> None:
    state, run = lived_in / ".hallmark", "20260104-000000-beef"
    shutil.copytree(Layout(state / "runs" / FAILING).inputs_folder, Layout(state / "runs" / run).inputs_folder)
    where = StageEnvironment(
        run=run, sandbox="bubblewrap", network=False, platform="p", packages="c" * 64, experiment=True
    )
    said = StageRecord(name="clean", command=["python"], materials=[], environment=where, tree_sha256="d" * 64)
    signer = keys.make_signer(keys.load_private_key(state / "keys" / "worker"))
    envelope = stage_record.sign_record(said, {f"artefacts/clean/{SECRET}": "e" * 64}, signer)
    entry = open_ledger(state).append(stage_record.STAGE_ENTRY_KIND, run, {"stage": "clean", "envelope": envelope})
    try:
        closed = reader_of(app, "ml-engineer").get(f"/ledger/{entry.seq}").text
        assert SECRET not in closed and "names of files may hold texts of records" in closed
    finally:
        shutil.rmtree(state / "runs" / run)
