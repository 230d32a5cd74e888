"""Real data that nobody on this project wrote, by the use case kept in examples/banking77."""

import os
from pathlib import Path

import pytest

from tasks.core.params.params import load_params
from tasks.sources import expectation_suites, sources
from tests.stages.data.build import Run, stages

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
    inventory = sources.load_sources(EXAMPLE / "governance")
    run.resolve_inventory(inventory)
    run.put_suites(expectation_suites.load_suites(EXAMPLE / "governance", inventory))
    params = load_params(EXAMPLE / "params.yaml")
    made = {name: stage.run(params, run.layout) for name, stage in stages(validate=True).items()}
    assert {source.id: source.counts.records for source in made["ingest"].sources} == {
        "banking77-train": 10_003,
        "banking77-test": 3_080,
    }
    assert made["ingest"].counts.removed == made["clean"].counts.removed == 0
    assert made["deduplicate"].counts.quarantined == {"exact_duplicate": 4}
    assert [suite.suite for suite in made["validate"].suites if not suite.success] == []
    result = made["split"]
    assert result.counts.quarantined == {"prompt_in_test": 7}
    assert (result.train_rows, result.test_rows) == (10_003 - 4 - 7, 3_080)
    assert (result.groups_on_both_sides, result.labels_only_in_test) == (0, [])
