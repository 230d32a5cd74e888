"""Trainings with other parameters for real: the best is found, a poor one is stopped, and what is done is kept."""

import shutil
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from urllib3.util import connection

from infra.cli.progress_display import ProgressDisplay
from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.core.layout import Layout
from tasks.core.params import params as params_file
from tasks.gates import statement
from tasks.ledger.ledger import open_ledger
from tasks.policy.policy import BaseModels
from tasks.runs import journal
from tasks.runs.journal import Journal
from tasks.runs.reporting import mlflow_runs
from tasks.runs.requests.resolution import read_params
from tasks.runs.run import Run, installed_governance, open_run
from tasks.stages.data.split import split
from tasks.sweep import mlflow_trials, rows, search_space, study
from tasks.sweep.document import SweepDocument, Trial
from tasks.sweep.sweep import SweepRequest, run_sweep
from tasks.sweep.trial import TrialOutcome
from tests import in_process, recorded, tiny_project, whole_run
from tests.checkouts import Checkouts
from tests.compare.conftest import come_to_its_rows
from tests.copies import copy_tree
from tests.tiny_project import create

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
POOR = "1e-09"
OVER = ("--over", f"training.learning_rate=0.01,{POOR}", "--set", "training.validate_steps=10")
LONG = ("--set", "training.epochs=30")
"""Enough that a training is looked at while it goes on."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """A checkout whose run has no validation rows and has passed its data gate."""
    project = checkouts.warm(tmp_path_factory.mktemp("sweep") / "plain")
    whole_run.pass_gate(come_to_its_rows(project, "20260101-000000-aaaa"), "data")
    return project


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory, plain: Path) -> Path:
    """A checkout whose run has validation rows and has passed its data gate."""
    project = copy_tree(plain, tmp_path_factory.mktemp("sweep") / "project")
    file = project / "params.yaml"
    file.write_text(file.read_text().replace("test_share: 0.2,", "test_share: 0.2, validation_share: 0.3,"))
    tiny_project.commit(project, "validation rows")
    run = create(project, whole_run.RUN)
    split_again(run, Layout(project / ".hallmark" / "runs" / "20260101-000000-aaaa"))
    journal.write_journal(
        run.layout.state, Journal(run=run.id, requested_by="ml-engineer", use_case="tiny", status="waiting")
    )
    whole_run.pass_gate(run, "data")
    return project


def split_again(run: Run, other: Layout) -> None:
    """Have the data stages lie in a run, those before `split` as another run has them, with their records."""
    for name in DATA_STAGE_NAMES[:-1]:
        shutil.copytree(other.artefacts(name), run.layout.artefacts(name))
    split.run(run.params, run.layout)
    recorded.record(run.layout, run.ledger(), run.layout.state / "keys" / "worker", DATA_STAGE_NAMES)


@pytest.fixture(scope="module")
def swept(passed: Path) -> tuple[Path, Any]:
    """A sweep that was interrupted after its first trial, and begun again with the same command."""
    line = ProgressDisplay.line

    def interrupt(screen: ProgressDisplay, text: str) -> None:
        line(screen, text)
        if text.startswith("trial 1 of 2"):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProgressDisplay, "line", interrupt)
        in_process.hallmark(passed, "sweep", *OVER, *LONG, code=130)
    return passed, in_process.hallmark_json(passed, "sweep", *OVER, *LONG)


def test_the_best_is_found_and_a_poor_trial_is_stopped(swept: tuple[Path, Any]) -> None:
    _, told = swept
    first, poor = told["trials"]
    assert told["best"] == 1 and first["changes"] == {"training.learning_rate": "0.01"}
    assert poor["changes"] == {"training.learning_rate": POOR} and poor["outcome"]["stopped"]
    whole = first["outcome"]["points"]
    assert [point["step"] for point in whole if "validation_loss" in point][:2] == [10, 20]
    assert len(poor["outcome"]["points"]) < len(whole)
    best = told["trials"][told["best"] - 1]["outcome"]["points"]
    lowest = [min(point.get("validation_loss", 9) for point in it["outcome"]["points"]) for it in told["trials"]]
    assert min(lowest) == min(point.get("validation_loss", 9) for point in best)


def test_what_was_done_before_the_interruption_is_not_done_again(swept: tuple[Path, Any]) -> None:
    project, told = swept
    kept = [read_json(path) for path in (project / ".hallmark" / "swept" / ".hallmark" / "outcomes").glob("*.json")]
    assert told["trials"][0]["outcome"] in kept
    assert all(not each["stopped"] for each in kept)
    output = in_process.hallmark(project, "sweep", *OVER, *LONG, "--trials", "1")
    assert (
        "was done before" in output
        and "hallmark run --as ID --set training.validate_steps=10 --set training.epochs=30 --set training.l" in output
    )


def test_tracking_that_is_away_is_told_in_a_line_and_holds_up_no_trial(
    swept: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing but the document may stand in what --json prints."""
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "")  # restored after the test, whatever is set in it
        monkeypatch.delenv(name)
    connect, tries = connection.create_connection, list[object]()
    monkeypatch.setattr(connection, "create_connection", lambda *to, **how: tries.append(to) or connect(*to, **how))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{taken.getsockname()[1]}")
        project, told = swept
        outcome = TrialOutcome.model_validate(told["trials"][0]["outcome"])
        said = mlflow_trials.log_trial(Layout(project), "tiny", "r1", 7, {}, outcome)
    assert said and said.startswith("tracking is away") and said.endswith("trial 7 is not in MLflow")
    assert len(tries) == 2, "by default MLflow tries for four minutes"
    assert not capfd.readouterr().out


def test_each_trial_is_a_run_of_mlflow(swept: tuple[Path, Any]) -> None:
    project, told = swept
    layout = Layout(project)
    client = MlflowClient(mlflow_runs.tracking_uri(layout))
    experiment = client.get_experiment_by_name("tiny sweeps")
    runs = {it.data.tags["hallmark.trial"]: it for it in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"1", "2"}
    assert runs["2"].info.status == "KILLED" and runs["1"].info.status == "FINISHED"
    for number, it in runs.items():
        trial = told["trials"][int(number) - 1]
        assert it.data.params == trial["changes"]
        least = min(point.get("validation_loss", 9) for point in trial["outcome"]["points"])
        assert it.data.metrics["best_validation_loss"] == least


def test_the_test_side_stays_unseen(swept: tuple[Path, Any]) -> None:
    project, _ = swept
    (worktree,) = (project / ".hallmark" / "swept" / ".hallmark" / "runs").iterdir()
    assert {path.name for path in (worktree / "artefacts" / "split").glob("*.parquet")} == set(rows.SPLIT_FILES)


def test_a_combination_that_cannot_be_is_told_before_anything_is_trained(passed: Path) -> None:
    given = ("--over", "training.method=lora,full")
    told = in_process.hallmark(passed, "sweep", *given, code=2)
    assert "method full has no such settings" in told


def trial_of(number: int, losses: list[float], stopped: bool = False) -> Trial:
    points = [{"step": at + 1, "loss": 1.0, "validation_loss": loss} for at, loss in enumerate(losses)]
    outcome = TrialOutcome(points=points, stopped=stopped, seconds=None, tokens_per_second=None)
    return Trial(number=number, changes={}, outcome=outcome if losses else None, failure=None if losses else "no")


def test_the_best_came_to_its_end() -> None:
    given = [trial_of(1, []), trial_of(2, [0.1], stopped=True), trial_of(3, [0.4, 0.3]), trial_of(4, [0.2, 0.5])]
    told = SweepDocument(use_case="tiny", run="one", demo=False, trials=given)
    assert [it.number for it in told.ranked_trials] == [4, 3, 2, 1] and told.best_trial == given[3]
    assert SweepDocument(use_case="tiny", run="one", demo=False, trials=given[:2]).best_trial is None


def test_others_are_not_compared_with_a_trial_that_failed() -> None:
    asking = study.new_study(stops_early=True, seed=1)
    asking.enqueue_trial({"rate": 2.0})
    failed = asking.ask()
    for step in (1, 2):
        failed.report(0.001, step)
        assert not failed.should_prune()
    asking.tell(failed, state=study.optuna_trial_state("FAIL"))
    asking = study.study_without_failures(asking, stops_early=True, seed=2)
    next_one = asking.ask()
    next_one.report(0.5, 1)
    next_one.report(0.4, 2)
    assert not next_one.should_prune()


def choose(project: Path, changes: Mapping[str, str] | None = None) -> rows.SweepRows:
    params, _ = read_params(project / "params.yaml", changes or {})
    governance = installed_governance(project, None)
    return rows.choose_rows(params, Layout(project), open_ledger(project / ".hallmark"), governance)


def test_the_parameters_that_made_the_rows_are_told_where_those_of_now_are_others(passed: Path) -> None:
    """The run that the command names would else learn from other rows, or keep the last weights for the best."""
    assert choose(passed).made_with == {}
    assert choose(passed, {"data.validation_share": "0"}).made_with == {"data.validation_share": "0.3"}


def test_a_base_model_whose_licence_policy_does_not_list_is_not_opened(passed: Path) -> None:
    governance = installed_governance(passed, None)
    strict = governance.policy.model_copy(update={"base_models": BaseModels(licences=["MIT"])})
    params = params_file.load_params(passed / "params.yaml")
    wish = SweepRequest(search_space.parse_axes(["training.lora_rank=2,4"]), lambda _: params)
    with pytest.raises(Refused, match=r"base_model\.licence: policy lists MIT"):
        run_sweep(
            passed, wish, open_ledger(passed / ".hallmark"), replace(governance, policy=strict), ProgressDisplay(None)
        )


def test_rows_whose_gate_has_not_passed_train_nothing(passed: Path, tmp_path: Path) -> None:
    project = copy_tree(passed, tmp_path / "project")
    run = open_run(project, whole_run.RUN)
    run.layout.gate_statement_path("data").unlink()
    with pytest.raises(Refused, match="its data gate has not passed"):
        choose(project)
    statement.write_experiment_statement(run.layout, "data", installed_governance(project, None))
    with pytest.raises(Refused, match="passed for experiments alone"):
        choose(project)


def test_a_run_without_validation_rows_says_what_to_set(plain: Path) -> None:
    with pytest.raises(InputError, match=r"has none; set data\.validation_share"):
        choose(plain)
