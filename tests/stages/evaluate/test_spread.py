"""Answers by workers on Ray: byte for byte those of one process, also where a worker is lost."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import yaml

from tasks.core import facts
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import read_json, tree_digest
from tasks.core.layout import Layout
from tasks.stages.cluster.storage import machine_cache, training_storage, trees
from tasks.stages.cluster.storage.training_storage import TrainingStorage
from tasks.stages.cluster.versions import LibraryVersions
from tasks.stages.cluster.worker_spec import WorkerSpec
from tasks.stages.evaluate import models, predict
from tasks.stages.evaluate.inference import ray_workers
from tasks.stages.evaluate.inference.in_process import InProcessExecutor
from tasks.stages.evaluate.inference.model_process import ModelProcess, ModelSetup
from tasks.stages.evaluate.inference.ray_workers import RayExecutor
from tasks.stages.evaluate.model_names import ModelName
from tests.patience import patience, wait_until
from tests.processes import title
from tests.stages.evaluate import house
from tests.stages.evaluate.test_predict import give_adapter
from tests.stages.evaluate.test_reading import document, params
from tests.tiny_project import ROOT

ROWS = 96
NAME = "predict@candidate"
SETTINGS = {"batch_size": 3, "max_new_tokens": 12}


@pytest.fixture
def many(layout: Layout) -> Layout:
    """Rows enough that a worker can be lost among them, and some plain texts."""
    house.write_split(layout, [*map(house.row, range(ROWS)), *map(document, range(6))])
    give_adapter(layout)
    return layout


def start(layout: Layout, **evaluation: object) -> "subprocess.Popen[bytes]":
    """The stage as dvc.yaml starts it, with its words in stage.log."""
    made = params(**SETTINGS, **evaluation).model_dump(mode="json", include={"evaluation", "prompts"})
    layout.params_path.write_text(yaml.safe_dump(made))
    own = layout.root if (layout.root / "tasks").exists() else ROOT
    command = [sys.executable, "-I", str(own / "tasks" / "stages" / "start.py"), NAME, predict.__name__]
    with log(layout).open("w") as file:
        return subprocess.Popen(command, cwd=layout.root, stdout=file, stderr=file)


def log(layout: Layout) -> Path:
    return layout.root / "stage.log"


DIES = """
        import os
        try:
            os.mkdir({died!r})
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), 9)
"""


def have_one_die(layout: Layout) -> None:
    """Code of the run's own, in which the worker that is asked first is killed as it answers."""
    shutil.copytree(ROOT / "tasks", layout.root / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    code = layout.root / "tasks/stages/evaluate/inference/model_process.py"
    begins = "    def answer(self, prompts: Sequence[Tokens]) -> list[GeneratedAnswer]:\n"
    text = code.read_text()
    assert begins in text
    code.write_text(text.replace(begins, begins + DIES.format(died=str(layout.root / "died"))))


def answerers(stage: "subprocess.Popen[bytes]") -> Iterator[psutil.Process]:
    """Workers."""
    for process in psutil.Process(stage.pid).children(recursive=True):
        if title(process).startswith("ray::ModelProcess"):
            yield process


@pytest.mark.slow
def test_workers_answer_as_one_process_does_though_one_is_lost(many: Layout) -> None:
    predict.run(params(**SETTINGS), many, "candidate")
    alone = tree_digest(many.artefacts("predict/candidate"))
    have_one_die(many)
    stage = start(many, workers=2)
    wait_until(lambda: stage.poll() is not None, "the answers", seconds=150, saw=log(many).read_text)
    assert stage.returncode == 0, log(many).read_text()
    assert "of 2 was lost; its rows are answered by others" in log(many).read_text()
    assert tree_digest(many.artefacts("predict/candidate")) == alone
    stated = facts.facts_from_json(read_json(many.measurements("predict/candidate") / "facts.json")["facts"])
    told = re.search(r"by ([12]) workers? together$", stated["rows_per_second"].note)
    assert told, stated
    price = params().evaluation.price_per_hour * int(told[1])
    assert stated["cost_per_1000_requests"].value == pytest.approx(price / 3.6 / stated["rows_per_second"].value)
    assert stated["latency_p95_ms"].value > 0


@pytest.mark.parametrize("storage", [True, False], ids=["storage", "common disk"])
def test_workers_of_a_cluster_are_sent_code_and_model_where_a_storage_is_named(
    layout: Layout, store: TrainingStorage, monkeypatch: pytest.MonkeyPatch, storage: bool
) -> None:
    """Here only what is sent is looked at; test_three_machines.py has real workers that answer."""
    sent: list[bool] = []

    @contextmanager
    def running(_crew: WorkerSpec, without_shared_disk: bool = False) -> Iterator[None]:
        sent.append(without_shared_disk)
        yield

    class Team(NamedTuple):
        brief: ModelSetup
        name: str

        def wait_until_loaded(self) -> None:
            assert sent, "not connected yet"

    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    if storage:
        monkeypatch.setenv(training_storage.LOCATION_VARIABLE, store.location)
    monkeypatch.setattr(ray_workers.connection, "connect_to_ray", running)
    monkeypatch.setattr(ray_workers, "RayExecutor", Team)
    _, brief = asked(layout, "base", workers=2)
    with ray_workers.start_workers(brief, "predict@base") as team:
        afar = team.brief.stored_model  # type: ignore[attr-defined]  # it is a Team
    assert (sent, afar and afar.location) == ([storage], store.location if storage else None)


@pytest.mark.slow
@pytest.mark.soak
def test_an_interrupt_leaves_nothing(many: Layout) -> None:
    """tests/stages/train/test_train.py interrupts a stage on Ray in each session."""
    stage = start(many, workers=2)
    wait_until(lambda: any(answerers(stage)), "a worker", seconds=100, saw=log(many).read_text, process=stage)
    all_of_it = [psutil.Process(stage.pid), *psutil.Process(stage.pid).children(recursive=True)]
    stage.send_signal(signal.SIGTERM)
    wait_until(lambda: stage.poll() is not None, "the stage to end")
    assert stage.returncode
    psutil.wait_procs(all_of_it, timeout=patience(60))
    assert not [title(process) for process in all_of_it if process.is_running()]
    assert not many.artefacts("predict/candidate").exists()


def asked(layout: Layout, which: ModelName, **evaluation: object) -> tuple[predict.EncodedRows, ModelSetup]:
    located = models.locate_model(layout, which)
    assert located
    made = predict.EncodedRows(
        models.read_prompt_limits(located), [*map(house.row, range(12))], house.params(**evaluation)
    )
    return made, made.model_setup(located)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingStorage:
    """A folder that every machine mounts."""
    monkeypatch.setenv(machine_cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "store").mkdir()
    return TrainingStorage(str(tmp_path / "store"))


@pytest.mark.parametrize("form", ["base", "adapter", "whole"])
def test_a_model_that_was_fetched_answers_as_the_one_that_was_stored(
    layout: Layout, store: TrainingStorage, form: str
) -> None:
    if form == "adapter":
        give_adapter(layout)
    if form == "whole":
        shutil.copytree(layout.artefacts("base_model") / "model", layout.artefacts("train") / "model")
        house.enliven(layout.artefacts("train") / "model", factor=0.5)
    made, brief = asked(layout, "base" if form == "base" else "candidate")
    expected = predict.predict(team_of(brief), made, "here", measures_latency=False).table
    there = ray_workers.store_model(brief, store, "predict@candidate")
    for folder in (layout.artefacts("base_model"), layout.artefacts("train")):
        shutil.rmtree(folder, ignore_errors=True)
    assert predict.predict(team_of(there), made, "there", measures_latency=False).table == expected
    if form == "adapter":
        assert there.stored_model and there.stored_model.adapter
        for digest in there.stored_model.adapter.values():
            (Path(store.location) / trees.SHARED_FOLDER / digest).write_bytes(b"other")
        shutil.rmtree(machine_cache.cached_tree_folder(there.stored_model.adapter))
        with pytest.raises(Refused, match="is not what was stored there"):
            ModelProcess(there).load()


def test_a_machine_that_does_not_see_the_model_is_named(layout: Layout) -> None:
    give_adapter(layout)
    _, brief = asked(layout, "candidate")
    shutil.rmtree(layout.artefacts("train"))
    with pytest.raises(InputError, match=r"does not see .*/adapter: mount .*, set HALLMARK_TRAINING_STORAGE"):
        ModelProcess(brief).load()


def team_of(brief: ModelSetup) -> InProcessExecutor:
    answerer = ModelProcess(brief)
    answerer.load()
    return InProcessExecutor(answerer)


def test_a_worker_with_other_libraries_loads_nothing(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "load_model", lambda *_: pytest.fail("loaded all the same"))
    _, brief = asked(layout, "base")
    other = LibraryVersions(python=brief.versions.python, libraries={**brief.versions.libraries, "torch": "1.0"})
    with pytest.raises(InputError, match=r"torch .* in place of 1\.0"):
        ModelProcess(replace(brief, versions=other)).load()


def test_workers_that_are_lost_one_after_the_other_end_it(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "kill", lambda _: None)
    monkeypatch.setattr(RayExecutor, "_start", lambda team, worker: team._actors.setdefault(worker))
    _, brief = asked(layout, "base", workers=2)
    team = RayExecutor(brief, "predict@base")
    for _ in range(ray_workers.MAX_LOSSES_IN_A_ROW):
        team._replace_lost(1, RuntimeError("gone"))
    with pytest.raises(Unavailable, match=r"worker 0 of 2 was lost for want of memory.*lower evaluation\.batch_size"):
        team._replace_lost(0, RuntimeError("ended by Ray: OutOfMemory"))


def test_what_workers_take_of_a_machine() -> None:
    made = ray_workers.worker_spec(house.params(workers=3, threads=4, device="gpu").evaluation)
    assert (made.section, made.workers, made.resources) == ("evaluation", 3, {"CPU": 4, "GPU": 1})
    assert made.environment["OMP_NUM_THREADS"] == "4"
