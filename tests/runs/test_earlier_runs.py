"""An estimate for a governed run goes by governed runs alone, and whatever it reads is as it was signed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.advice import ranking
from tasks.core.files import read_json, write_json
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.gates import record_chain
from tasks.runs import journal, run_entries, stage
from tasks.runs.journal import Journal
from tasks.runs.requests import earlier_runs, resolution, training_estimate
from tasks.runs.run import Run, open_run
from tasks.supervise import materials
from tasks.trust import stage_record
from tests.checkouts import Checkouts
from tests.copies import copy_tree
from tests.tiny_project import create
from tests.whole_run import RUN

TRIED = "20260201-000000-beef"
"""An experiment, newer than the governed run."""
EXPERIMENT = {"use_case.risk_tier": "experiment"}
STAGES = ("split", "base_model", "tokenise", "train")
SPEED = 777_777.0
"""Tokens a second that the experiment claims."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """A released run, and an experiment that has left the same files and another speed."""
    project = checkouts.released(tmp_path_factory.mktemp("earlier") / "project")
    governed, tried = open_run(project, RUN), create(project, TRIED, changes=EXPERIMENT)
    for name in STAGES:
        for ours, theirs in zip(folders(tried, name), folders(governed, name), strict=True):
            shutil.copytree(theirs, ours, dirs_exist_ok=True)
    path = tried.layout.measurements("train") / "facts.json"
    said = read_json(path)
    said["facts"]["tokens_per_second"]["value"] = SPEED
    write_json(path, said)
    for run in (governed, tried):
        journal.write_journal(
            project / ".hallmark", Journal(run=run.id, requested_by="ml-engineer", status="experiment")
        )
    for name in STAGES:
        sign(project, name)
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return copy_tree(made, tmp_path / "project")


def folders(run: Run, name: str) -> list[Path]:
    return [
        path
        for path in run.layout.output_folders(name, has_measurements=True)
        if name == "train" or "artefacts" in str(path)
    ]


def sign(project: Path, name: str) -> None:
    """Sign and record what the experiment has left of a stage now, as the supervisor does."""
    governed, tried = open_run(project, RUN), open_run(project, TRIED)
    ledger = tried.ledger()
    record = record_chain.records_of_run(ledger, tried.governance(), RUN)[name].record
    where = record.environment.model_copy(update={"run": TRIED, "experiment": True})
    envelope = stage_record.sign_record(
        record.model_copy(update={"environment": where}),
        materials.output_digests(name, tried.layout),
        stage.load_worker_keys(governed.governance(), ledger).signer,
    )
    ledger.append(run_entries.STAGE_KIND, TRIED, {"stage": name, "outputs": "", "read": {}, "envelope": envelope})


def params_of(project: Path, changes: dict[str, str] | None = None) -> Params:
    return resolution.read_params(project / "params.yaml", changes or {})[0]


def model_of(project: Path, changes: dict[str, str] | None = None) -> Path:
    with training_estimate.open_model_folder(params_of(project, changes), Layout(project)) as folder:
        return folder


def rows_of(project: Path, changes: dict[str, str] | None = None) -> str:
    found = ranking._newest_profile(params_of(project, changes), Layout(project))
    return found.run if found else ""


@pytest.mark.attack(rights="commit", stopped="an estimate for a governed run goes by no experiment")
def test_a_governed_run_goes_by_no_experiment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier_runs, "MAX_RUNS", 1)  # a newer experiment does not hide the governed run either
    told = training_estimate.estimate_training(project, None, {})
    assert told.run_with_rows == RUN and RUN in told.estimate.speed.source
    assert told.estimate.speed.tokens_per_second < SPEED
    assert RUN in model_of(project).parts and rows_of(project) == RUN


def test_an_experiment_goes_by_experiments_too_and_by_no_speed_of_theirs(project: Path) -> None:
    told = training_estimate.estimate_training(project, None, EXPERIMENT)
    assert told.run_with_rows == TRIED and told.estimate.speed.tokens_per_second < SPEED
    assert TRIED in model_of(project, EXPERIMENT).parts and rows_of(project, EXPERIMENT) == TRIED


@pytest.mark.attack(rights="commit", stopped="of an earlier run counts what its stages' signed records have")
def test_what_is_not_as_it_was_signed_does_not_count(project: Path) -> None:
    governed = Layout(project / ".hallmark" / "runs" / RUN)
    for path in (
        governed.artefacts("tokenise") / "ends.bin",
        governed.artefacts("base_model") / "model" / "config.json",
        governed.artefacts("split") / "train.parquet",
        governed.measurements("train") / "facts.json",
    ):
        before = path.read_bytes()
        path.unlink()
        path.write_bytes(before + b" ")
    told = training_estimate.estimate_training(project, None, {})
    assert told.run_with_rows == "" and RUN not in told.estimate.speed.source
    assert RUN not in model_of(project).parts and rows_of(project) == ""


ODD: dict[str, tuple[str, str, Callable[[bytes], bytes]]] = {
    "ends that go back": ("tokenise", "ends.bin", lambda data: data[8:16] + data[:8] + data[16:]),
    "ends beyond all tokens": ("tokenise", "ends.bin", lambda data: data[:-8] + b"\xff" * 7 + b"\x7f"),
    "half an end": ("tokenise", "ends.bin", lambda data: data[:-3]),
    "no tokens": ("tokenise", "tokens.bin", lambda _: b""),
    "targets before their row": ("tokenise", "starts.bin", lambda data: b"\xff" * len(data)),
    "validation by no row": ("tokenise", "validation.bin", lambda _: b"\xff" * 16),
    "no index": ("tokenise", "index.json", lambda _: b"[" * 100_000),
    "no table": ("split", "train.parquet", lambda data: data[:-20]),
}


@pytest.mark.attack(rights="commit", stopped="what an estimate reads of an experiment is checked first")
@pytest.mark.parametrize("odd", ODD)
def test_odd_rows_of_an_experiment_are_passed_over(project: Path, odd: str) -> None:
    name, file, change = ODD[odd]
    path = Layout(project / ".hallmark" / "runs" / TRIED).artefacts(name) / file
    path.write_bytes(change(path.read_bytes()))
    sign(project, name)
    if name == "split":
        assert rows_of(project, EXPERIMENT) == RUN
    else:
        assert training_estimate.estimate_training(project, None, EXPERIMENT).run_with_rows == RUN


ODD_SIZES: dict[str, dict[str, object]] = {
    "a text": {"max_position_embeddings": "x"},
    "a list": {"max_position_embeddings": [1]},
    "too large": {"hidden_size": 10**400},
    "negative": {"num_hidden_layers": -5},
    "no number": {"hidden_size": {}},
    "kinds of no text": {"layer_types": [1]},
}


@pytest.mark.attack(rights="commit", stopped="sizes of a model are whole numbers in bounds, else it is passed over")
@pytest.mark.parametrize("odd", ODD_SIZES)
def test_an_odd_model_of_an_experiment_is_passed_over(project: Path, odd: str) -> None:
    path = Layout(project / ".hallmark" / "runs" / TRIED).artefacts("base_model") / "model" / "config.json"
    config = read_json(path)
    path.unlink()
    write_json(path, config | ODD_SIZES[odd])
    sign(project, "base_model")
    training_estimate.estimate_training(project, None, EXPERIMENT)
    assert RUN in model_of(project, EXPERIMENT).parts


@pytest.mark.attack(rights="commit", stopped="every file of an earlier run's model is as its signed record has it")
@pytest.mark.parametrize("added", [True, False])
def test_a_model_with_other_weights_than_signed_does_not_count(project: Path, added: bool) -> None:
    folder = Layout(project / ".hallmark" / "runs" / RUN).artefacts("base_model") / "model"
    weights = next(folder.glob("*.safetensors"))
    data = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(data if added else data[:-1] + b"\x01")
    if added:
        (folder / "more.safetensors").write_bytes(data)
    assert RUN not in model_of(project).parts


@pytest.mark.attack(rights="commit", stopped="a calibration, which has no sandbox, loads no experiment's weights")
def test_a_calibration_takes_no_model_of_an_experiment(project: Path) -> None:
    with training_estimate.open_model_folder(
        params_of(project, EXPERIMENT), Layout(project), governed_only=True
    ) as folder:
        assert RUN in folder.parts
