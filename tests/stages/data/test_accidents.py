"""A full disk and a killed process, in each data stage: what is written is whole or not there."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from tasks.core.files import tree_manifest
from tasks.sources.sources import Suite, Suites
from tasks.stages.data.ingest import pool
from tests.small_disk import fill, small_disk
from tests.stages.data.build import Run, messages, params, source, stages, table

STAGES = stages(validate=True)
DIE = Path(__file__).parents[2] / "die_at_rename.py"
ROWS = 2_500
"""Three batches of `ingest`, which two processes read."""
SUITE = Suite.model_validate(
    {
        "name": "many",
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "prompt_chars", "min_value": n},
                "why": "w",
            }
            for n in range(1, 20)
        ],
    }
)


def begin(run: Run, rows: int) -> Run:
    """params.yaml and inputs: what the first stage needs."""
    (run.root / "params.yaml").write_text(json.dumps(params().model_dump(mode="json")))  # JSON is YAML
    (run.root / "data.csv").write_bytes(table(messages(rows)))
    run.resolve(source("data.csv"))
    run.put_suites(Suites(by_source={}, dataset=SUITE))
    return run


def before(stage: str) -> list[str]:
    """The stages that one reads of; of `validate` none does."""
    return [name for name in takewhile(lambda name: name != stage, STAGES) if name != "validate"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Through all stages."""
    run = begin(Run(tmp_path_factory.mktemp("made")), ROWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(pool.WORKERS, "1")
        for name in before(""):
            STAGES[name].run(params(), run.layout)
    return run


def prepare(run: Run, stage: str, made: Run) -> None:
    """Everything in place for `stage` to run."""
    shutil.copytree(made.root, run.root, ignore=shutil.ignore_patterns("artefacts"), dirs_exist_ok=True)
    for name in before(stage):
        shutil.copytree(made.layout.stage(name), run.layout.stage(name))
    if stage == "ingest":
        run.forget()


def start(run: Run, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command], cwd=run.root, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def asides(run: Run, stage: str) -> list[Path]:
    return list((run.root / "artefacts").glob(f".{stage}.*"))


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Iterator[Run]:
    """A run whose artefacts/ is a disk of 16 MiB of its own."""
    with small_disk(tmp_path / "artefacts", mebibytes=16):
        yield Run(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_said_and_leaves_nothing_behind(
    on_small_disk: Run, stage: str, made: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = on_small_disk
    prepare(run, stage, made)
    filler = fill(run.root / "artefacts")
    process = start(run, "-m", "tasks.stages", stage)
    said = process.communicate(timeout=120)[1]
    assert (process.returncode, said.splitlines()[-1]) == (
        3,
        f"{stage}: no space left on the disk that holds {run.root}; free some and run again, nothing is lost",
    )
    assert not run.layout.stage(stage).exists() and not asides(run, stage)
    filler.unlink()
    monkeypatch.setenv(pool.WORKERS, "1")
    STAGES[stage].run(params(), run.layout)
    assert run.result(stage)["facts"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_while_it_writes_leaves_nothing_half_written(
    run: Run, stage: str, made: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(run, stage, made)
    process = start(run, "-P", str(DIE), str(run.layout.stage(stage)), stage)
    told = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, told
    assert asides(run, stage) and not run.layout.stage(stage).exists()
    monkeypatch.setenv(pool.WORKERS, "1")
    STAGES[stage].run(params(), run.layout)
    assert tree_manifest(run.layout.stage(stage)) and not asides(run, stage)


@pytest.mark.parametrize("stage", stages())
def test_a_failing_stage_keeps_what_was_there(run: Run, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(run, rows=50)
    for name in before(stage):
        STAGES[name].run(params(), run.layout)
    STAGES[stage].run(params(), run.layout)
    there = tree_manifest(run.layout.stage(stage))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(STAGES[stage], "write_json", fail)
    with pytest.raises(OSError, match="No space left"):
        STAGES[stage].run(params(), run.layout)
    assert tree_manifest(run.layout.stage(stage)) == there and not asides(run, stage)
