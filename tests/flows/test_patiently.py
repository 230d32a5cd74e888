"""A stage is tried again after failures that may pass, as often as is declared, and ended where it takes too long."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from prefect.logging import disable_run_logger

from flows import stages
from tasks.core.errors import HallmarkError, InputError, ProcessDied, Refused, TimeLimitExceeded, Unavailable
from tasks.ledger.ledger import open_ledger
from tasks.runs import journal, stage
from tasks.runs.journal import Journal, StageState
from tasks.runs.outputs.dvc import StageOutcome
from tasks.runs.run import Run
from tasks.scheduling import control
from tests.checkouts import Checkouts
from tests.tiny_project import create

FILE = """\
retries:
  away: {times: 3, wait: 1s, factor: 10, at_most: 30s}
  died: {times: 1, wait: 2s}
timeouts: {train: 2h}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Run:
    project = checkouts.ready(tmp_path_factory.mktemp("project"))
    run = create(project, "one")
    control.declare_deployments(open_ledger(project / ".hallmark"), run.governance(), "ml-engineer", FILE)
    journal.write_journal(run.layout.state, Journal(run="one", requested_by="ml-engineer"))
    return run


@pytest.fixture
def run(made: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("HALLMARK_ROOT", str(made.checkout.root))
    with disable_run_logger():
        yield made


class Failing:
    """A stage that fails in given ways before it ends well."""

    def __init__(self, patch: pytest.MonkeyPatch, *failures: HallmarkError) -> None:
        self.left, self.waited, self.most = list(failures), list[float](), list[float | None]()
        patch.setattr(stages, "run_stage", self)
        patch.setattr(stages, "time", SimpleNamespace(monotonic=time.monotonic, sleep=self.waited.append))

    def __call__(self, run: Run, name: str, most: float | None = None) -> StageOutcome:
        self.most.append(most)
        if self.left:
            raise self.left.pop(0)
        return StageOutcome(stage=name, seconds=1.0, cached=False)


def test_what_is_away_is_waited_for_longer_each_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing(monkeypatch, *[Unavailable("the store does not answer")] * 3)
    assert stages.run_with_retries(run, "train").stage == "train"
    assert failing.waited == [1, 10, 30] and failing.most == [7200.0] * 4


def test_after_the_last_try_it_has_failed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing(monkeypatch, *[Unavailable("away")] * 4)
    with pytest.raises(Unavailable, match="away"):
        stages.run_with_retries(run, "ingest")
    assert failing.waited == [1, 10, 30] and failing.most == [None] * 4


def test_each_kind_of_failure_has_its_own_tries(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing(monkeypatch, ProcessDied("killed"), Unavailable("away"), ProcessDied("killed"))
    with pytest.raises(ProcessDied):
        stages.run_with_retries(run, "train")
    assert failing.waited == [2, 1]


def test_how_often_a_stage_was_tried_stands_in_the_journal(run: Run) -> None:
    for state in ("running", "failed", "running", "failed", "running", "done"):
        stages._update_stage_state(run, "split", StageState(state=state))
    known = journal.read_journal(run.layout.state, run.id)
    assert known and known.stages["split"] == StageState(state="done", tries=3)


@pytest.mark.parametrize("error", [InputError("wrong"), Refused("no"), TimeLimitExceeded("too long")])
def test_what_a_person_mends_or_nobody_declared_is_not_tried_again(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: HallmarkError
) -> None:
    failing = Failing(monkeypatch, error)
    with pytest.raises(type(error)):
        stages.run_with_retries(run, "train")
    assert failing.waited == []


def stages_here() -> set[psutil.Process]:
    return {process for process in psutil.Process().children(recursive=True) if is_stage(process)}


def is_stage(process: psutil.Process) -> bool:
    try:
        return "stages" in " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def test_a_stage_that_takes_too_long_is_ended_with_all_its_processes(run: Run) -> None:
    """A real one, in its sandbox: it needs more than half a second to start."""
    before = stages_here()  # workers of other tests
    with pytest.raises(TimeLimitExceeded, match=r"stage ingest took longer than the 0\.4 s that it has, and was ended"):
        stage.provide_outputs(
            run.layout,
            "ingest",
            stage.load_worker_keys(run.governance(), run.ledger()),
            lambda _: None,
            max_seconds=0.4,
        )
    assert not stages_here() - before
    assert not (Path(run.layout.artefacts("ingest")) / "result.json").exists()
