"""Accidents of processes: a full disk, a kill, two runs at once. What is written is whole or not there."""

import json
import shutil
import signal
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from tasks.core.files import tree_manifest
from tasks.sources.expectation_suites import Suites
from tasks.sources.vault import open_vault
from tasks.stages.data.ingest import pool
from tests import forking
from tests.forking import Forking
from tests.small_disk import fill, small_disk
from tests.stages.data.build import Run, messages, params, stages, suite, table
from tests.stages.data.test_protect import PERSONAL

STAGES = stages(validate=True)
MAIN = "import sys; from tasks.stages.__main__ import main; sys.exit(main())"
"""Code that acts as `python -m tasks.stages STAGE` in a process that has imported the stages' libraries."""
DYING = f"""
import os, signal, sys
target = sys.argv.pop(1)
def die(event, args):
    if event == "os.rename" and str(args[1]) == target:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die)
{MAIN}
"""
"""The same, killed when the output is to get its name, which is the first argument."""
READY = """
from tasks.stages.data.protect.recognisers.names import spacy_model
spacy_model.load_pipeline()
"""
ROWS = 300
BETWEEN = "expect_column_values_to_be_between"
SUITE = suite(*((BETWEEN, {"column": "prompt_chars", "min_value": n}) for n in range(1, 4)))


def begin(run: Run, rows: int) -> Run:
    """params.yaml and inputs: what the first stage needs."""
    (run.root / "params.yaml").write_text(json.dumps(params().model_dump(mode="json")))  # JSON is YAML
    run.pin(table(messages(rows)))
    run.put_suites(Suites(by_source={}, dataset=SUITE))
    return run


def before(stage: str) -> list[str]:
    """The stages that one reads of; of `validate` none does."""
    return [name for name in takewhile(lambda name: name != stage, STAGES) if name != "validate"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Through all stages."""
    run = begin(Run(tmp_path_factory.mktemp("made")), ROWS)
    for name in before(""):
        STAGES[name].run(params(), run.layout)
    return run


@pytest.fixture(scope="module")
def processes() -> Iterator[Forking]:
    """Processes in which stages run. `ingest` has no pool here; test_pool.py tests a stage that dies with its pool."""
    modules = [module.__name__ for module in STAGES.values()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(pool.WORKERS_VARIABLE, "1")
        with forking.importing(*modules, "great_expectations", before=READY) as started:
            yield started


def prepare(run: Run, stage: str, made: Run) -> None:
    """Everything in place for `stage` to run."""
    shutil.copytree(made.root, run.root, ignore=shutil.ignore_patterns("artefacts"), dirs_exist_ok=True)
    for name in before(stage):
        shutil.copytree(made.layout.artefacts(name), run.layout.artefacts(name))
    if stage == "ingest":
        run.forget()


def asides(run: Run, stage: str) -> list[Path]:
    return list((run.root / "artefacts").glob(f".{stage}.*"))


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Iterator[Run]:
    """A run whose artefacts/ is a disk of 16 MiB of its own."""
    with small_disk(tmp_path / "artefacts", mebibytes=16):
        yield Run(tmp_path)


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_said_and_leaves_nothing_behind(
    on_small_disk: Run, stage: str, made: Run, processes: Forking
) -> None:
    run = on_small_disk
    prepare(run, stage, made)
    filler = fill(run.root / "artefacts")
    ended = processes.run(MAIN, stage, cwd=run.root)
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (
        3,
        f"{stage}: no space left on the disk that holds {run.root}; free some and run again, nothing is lost",
    )
    assert not run.layout.artefacts(stage).exists() and not asides(run, stage)
    filler.unlink()
    again = processes.run(MAIN, stage, cwd=run.root)
    assert (again.returncode, again.stderr) == (0, "") and run.result(stage)["facts"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_while_it_writes_leaves_nothing_half_written(
    run: Run, stage: str, made: Run, processes: Forking
) -> None:
    prepare(run, stage, made)
    killed = processes.run(DYING, run.layout.artefacts(stage), stage, cwd=run.root)
    assert killed.returncode == -signal.SIGKILL, killed
    assert asides(run, stage) and not run.layout.artefacts(stage).exists()
    again = processes.run(MAIN, stage, cwd=run.root)
    assert (again.returncode, again.stderr) == (0, "")
    assert tree_manifest(run.layout.artefacts(stage)) and not asides(run, stage)


def two_runs(root: Path) -> list[Run]:
    """Return two runs of one checkout, with their parameters."""
    runs = [Run(root / ".hallmark" / "runs" / name) for name in ("a", "b")]
    for each in runs:
        each.root.mkdir(parents=True)
        (each.root / "params.yaml").write_text(json.dumps(params().model_dump(mode="json")))
    return runs


def ingest_at_once(runs: list[Run], processes: Forking) -> list[str]:
    """Ingest each run in a process of its own, all at once; return what each printed."""
    begun = [processes.start(MAIN, "ingest", cwd=each.root) for each in runs]
    said = [process.communicate() for process in begun]
    assert [process.returncode for process in begun] == [0, 0], said
    return [printed for printed, _ in said]


def test_two_runs_fill_the_vault_at_once(run: Run, processes: Forking) -> None:
    """Different sources of the same people, so that neither waits for the other's reading."""
    runs = two_runs(run.root)
    for number, each in enumerate(runs):
        people = [{"text": f"mail person{n}@example.org or ada@example.org", "label": str(number)} for n in range(300)]
        each.pin(table(people), id=f"src{number}")
    ingest_at_once(runs, processes)
    tokens = [{row["token"] for row in each.records_of("ingest", "tokens")} for each in runs]
    assert tokens[0] == tokens[1] and len(tokens[0]) == 301
    assert open_vault(runs[0].layout.state).find_missing_tokens(tokens[0]) == []


def test_of_two_runs_at_once_one_reads_and_both_have_it(run: Run, processes: Forking) -> None:
    runs = two_runs(run.root)
    for each in runs:
        each.pin(table([*PERSONAL, *messages(200)]))
    said = ingest_at_once(runs, processes)
    assert sorted("rows read" in text for text in said) == [False, True], said
    first, second = (tree_manifest(each.layout.artefacts("ingest")) for each in runs)
    assert first == second


@pytest.mark.parametrize("stage", stages())
def test_a_failing_stage_keeps_what_was_there(run: Run, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(run, rows=50)
    for name in before(stage):
        STAGES[name].run(params(), run.layout)
    STAGES[stage].run(params(), run.layout)
    there = tree_manifest(run.layout.artefacts(stage))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(STAGES[stage], "write_json", fail)
    with pytest.raises(OSError, match="No space left"):
        STAGES[stage].run(params(), run.layout)
    assert tree_manifest(run.layout.artefacts(stage)) == there and not asides(run, stage)
