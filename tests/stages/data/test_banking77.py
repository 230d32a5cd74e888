"""Real data that nobody on this project wrote, by the use case kept in examples/banking77."""

import os
from pathlib import Path

import pytest

from tasks.core.params.params import load
from tasks.sources import sources
from tasks.stages.data.clean import clean
from tasks.stages.data.deduplicate import deduplicate
from tasks.stages.data.ingest import ingest
from tasks.stages.data.split import split
from tasks.stages.data.validate import validate
from tests.stages.data.build import Run

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "banking77"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(os.environ.get("HALLMARK_SHARED", ROOT.parent / "shared")).resolve()
    if not (folder / "data" / "banking77").is_dir():
        pytest.skip(f"BANKING77 is not in {folder}; set HALLMARK_SHARED to the folder that holds data/banking77")
    monkeypatch.setenv("HALLMARK_SHARED", str(folder))
    return folder


def test_banking77_comes_through_with_its_own_test_set(run: Run, shared: Path) -> None:
    inventory = sources.load(EXAMPLE / "governance")
    run.resolve_inventory(inventory)
    run.put_suites(sources.load_suites(EXAMPLE / "governance", inventory))
    params = load(EXAMPLE / "params.yaml")
    ingested = ingest.run(params, run.layout)
    assert {source.id: source.counts.records for source in ingested.sources} == {
        "banking77-train": 10_003,
        "banking77-test": 3_080,
    }
    assert ingested.counts.removed == 0
    assert clean.run(params, run.layout).counts.removed == 0
    assert deduplicate.run(params, run.layout).counts.quarantined == {"exact_duplicate": 4}
    assert [suite.suite for suite in validate.run(params, run.layout).suites if not suite.success] == []
    result = split.run(params, run.layout)
    assert result.counts.quarantined == {"prompt_in_test": 7}
    assert (result.train_rows, result.test_rows) == (10_003 - 4 - 7, 3_080)
    assert (result.groups_on_both_sides, result.labels_only_in_test) == (0, [])
