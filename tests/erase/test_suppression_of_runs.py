"""A run that was resolved before somebody was to be forgotten reads their rows no more."""

import os
from pathlib import Path
from typing import Any

import pytest

from flows.stages import run_stage
from tasks.core.errors import Refused
from tasks.erase import execution
from tasks.reproduce import obstacles
from tasks.runs import run_lease
from tasks.runs.checkout import Checkout
from tasks.runs.run import open_run
from tasks.runs.run_lock import hold_run_lock
from tasks.sources import vault_keys
from tasks.sources.suppression_digests import person_digest
from tasks.sources.vault import open_vault
from tasks.sources.vault_writer import SOCKET_VARIABLE, TokenValue, VaultClient
from tasks.stages.data.protect.tokens import make_token
from tasks.supervise import shell
from tests import whole_run
from tests.checkouts import Checkouts
from tests.erase.test_erasure import ADA, decide_all, request
from tests.in_process import hallmark
from tests.stages.data.build import Run, params, several, source, stages, table, worded
from tests.tiny_project import create


@pytest.fixture
def project(checkouts: Checkouts, tmp_path: Path) -> Path:
    return checkouts.released(tmp_path / "project")


def execute(project: Path) -> str:
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    hallmark(project, "erase", "execute", erasure, code=1)
    return str(erasure)


def test_a_run_that_waited_meanwhile_does_not_ingest(project: Path) -> None:
    before = create(project, "before")
    before.require_suppression()
    execute(project)
    with pytest.raises(Refused, match=r"run before was resolved before somebody .* ask for the run anew: hallmark run"):
        run_stage.fn(before, "ingest")
    assert not before.layout.artefacts("ingest").exists()
    create(project, "after").require_suppression()


def test_inputs_that_were_changed_after_the_resolution_are_refused(project: Path) -> None:
    execute(project)
    run = create(project, "after")
    run.require_suppression()
    run.layout.sources_path.write_text(run.layout.sources_path.read_text() + " ")
    with pytest.raises(Refused, match=r"inputs/sources.json changed since the run was resolved"):
        run.require_suppression()


def test_a_run_is_not_reproduced_and_of_a_release_ingest_is_not_built(project: Path) -> None:
    run = create(project, "before")
    assert obstacles.suppression_reason(run.layout, run.id, run.ledger()) is None
    execute(project)
    told = hallmark(project, "reproduce", whole_run.RUN, code=1)
    assert f"run {whole_run.RUN} was resolved before somebody was to be forgotten" in " ".join(told.split())
    assert "hallmark run" in told and not any((project / ".hallmark" / "reproduced").glob("*/"))
    assert "ask for the run anew" in str(obstacles.suppression_reason(run.layout, run.id, run.ledger()))


def test_a_run_that_begins_just_before_the_suppression_stops_the_execution(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    record, here = execution.record_step, Checkout(project)
    held = hold_run_lock(here.state, whole_run.RUN)

    def record_late(*given: Any) -> None:
        held.__enter__()
        record(*given)

    monkeypatch.setattr(execution, "record_step", record_late)
    try:
        with pytest.raises(Refused, match="is executing and reads a source of the person"):
            execution.execute(here, erasure, lambda _: None)
    finally:
        held.__exit__(None, None, None)
    assert [entry.body["step"] for entry in here.ledger.entries("erasure.step")] == ["suppression"]
    assert (here.state / "runs" / whole_run.RUN / "artefacts" / "split" / "train.parquet").exists()


def test_a_run_on_another_machine_stops_the_execution(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_run(project, whole_run.RUN).require_suppression()  # records the resolution, as the flow does
    elsewhere = {whole_run.RUN: "machine two", "20260101-000000-ffff": "machine three, before its resolution"}
    with monkeypatch.context() as patched:
        patched.setattr(run_lease, "runs_on_other_machines", lambda _: elsewhere)
        erasure = request(project)["erasure"]
        decide_all(project, erasure)
        told = hallmark(project, "erase", "execute", erasure, code=1)
        assert "is executing on another machine (machine two)" in " ".join(told.split())
        assert Checkout(project).ledger.entries("erasure.step") == []
    hallmark(project, "erase", "execute", erasure, code=1)
    create(project, "after").require_suppression()
    monkeypatch.setattr(run_lease, "runs_on_other_machines", lambda _: {"after": "machine two"})
    told = hallmark(project, "erase", "execute", erasure, code=1)
    assert "another machine" not in told, "it was resolved after the suppression"


def test_the_supervisor_takes_no_value_of_a_suppressed_person(run: Run) -> None:
    vault_keys.create_key(run.layout.state)
    keys = vault_keys.load_keys(run.layout.state)
    ada, eve = (TokenValue(make_token("name", name, keys.tokens), name) for name in (ADA, "Eve Moneypenny"))
    run.resolve(*several(run.root, {"tickets": worded("tickets", 12)}), suppressed=[person_digest(ada.token)])
    with shell._serve_vault("ingest", run.layout) as given:
        writer = VaultClient(os.dup(int(given.variables[SOCKET_VARIABLE])))
        with pytest.raises(Refused, match="a value of somebody who is to be forgotten"):
            writer.add_values([eve, ada])
        assert writer.add_values([eve]) == 1 and writer.find_missing_tokens([ada.token]) == [ada.token]
        writer.close()


def test_who_labels_with_the_name_of_a_suppressed_person_stops_no_run(run: Run) -> None:
    vault_keys.create_key(run.layout.state)
    token = make_token("name", ADA, vault_keys.load_keys(run.layout.state).tokens)
    (run.root / "data.csv").write_bytes(table([{"text": "card lost", "label": "cards", "by": ADA}]))
    mapping = {"prompt": "text", "response": "label", "labelled_by": "by"}
    run.resolve(source("data.csv", mapping=mapping), suppressed=[person_digest(token)])
    stages()["ingest"].run(params(), run.layout)
    (record,) = run.records_of("ingest")
    assert record["labelled_by"] == f"[{token}]"
    assert open_vault(run.layout.state).find_missing_tokens([token]) == [token], "the value is not kept"
