"""Which records two datasets share, known by what they say; by their ids where that is gone."""

import shutil
from pathlib import Path
from typing import Any

from tasks.core.layout import Layout
from tasks.inquiry import shared_records
from tasks.inquiry.lineage import indexing
from tasks.inquiry.shared_records import SourceDiff
from tests.stages.data.build import Run, messages, params, source, stages, table


def dataset(state: Path, name: str, rows: list[dict[str, str]], seed: int = 17) -> str:
    """Every data stage over the rows in a run of its own, and their index. Returns the dataset's digest."""
    run = Run(state / "runs" / name)
    run.root.mkdir(parents=True, exist_ok=True)
    (run.root / "data.csv").write_bytes(table(rows))
    run.resolve(source("data.csv"))
    for stage in stages().values():
        stage.run(params(test_share=0.3, seed=seed), run.layout)
    return indexing.add_dataset(run.layout, "tests").sha256


def counts(**given: Any) -> SourceDiff:
    nothing = {"kept": 0, "moved": 0, "added": 0, "removed": 0, "relabelled": 0}
    return SourceDiff.model_validate(nothing | given)


def test_a_row_put_in_at_the_top_is_one_record_added(state: Path) -> None:
    """By id every record would be another: they are made of rows."""
    rows = messages(30)
    before, now = dataset(state, "one", rows), dataset(state, "two", [{"text": "a new one", "label": "label0"}, *rows])
    found = shared_records.compare_datasets(state, before, now)
    assert (found.how, found.why) == ("text", "")
    assert found.sources["src"].model_copy(update={"moved": 0}) == counts(kept=30, added=1)


def test_another_target_is_a_relabelling_and_neither_added_nor_removed(state: Path) -> None:
    rows = messages(30)
    changed = [rows[0] | {"label": "label9"}, rows[1] | {"label": "label9"}, *rows[3:]]
    found = shared_records.compare_datasets(state, dataset(state, "one", rows), dataset(state, "two", changed))
    assert found.sources["src"].model_copy(update={"moved": 0}) == counts(kept=27, removed=1, relabelled=2)


def test_a_record_that_changes_sides_is_kept_and_said(state: Path) -> None:
    rows = messages(30)
    found = shared_records.compare_datasets(state, dataset(state, "one", rows), dataset(state, "two", rows, seed=3))
    assert found.sources["src"].kept == 30
    assert 0 < found.sources["src"].moved < 30


def test_the_same_dataset_has_nothing_to_compare(state: Path) -> None:
    made = dataset(state, "one", messages(12))
    assert shared_records.compare_datasets(state, made, made).how == "same"


def test_where_the_records_are_gone_ids_tell_of_sources_that_are_the_same(state: Path) -> None:
    rows = messages(30)
    before, now = dataset(state, "one", rows), dataset(state, "two", rows, seed=3)
    shutil.rmtree(Layout(state / "runs" / "one").artefacts("split"))
    found = shared_records.compare_datasets(state, before, now)
    assert found.how == "id" and before[:12] in found.why
    assert found.sources["src"].moved > 0
    assert found.sources["src"].model_copy(update={"moved": 0}) == counts(kept=30, relabelled=None)


def test_of_a_source_that_changed_ids_tell_nothing(state: Path) -> None:
    before, now = dataset(state, "one", messages(30)), dataset(state, "two", messages(31))
    shutil.rmtree(Layout(state / "runs" / "one").artefacts("split"))
    found = shared_records.compare_datasets(state, before, now)
    assert (found.how, found.sources) == ("id", {})


def test_records_that_were_changed_since_are_not_those_of_the_dataset(state: Path) -> None:
    before, now = dataset(state, "one", messages(12)), dataset(state, "two", messages(13))
    (Layout(state / "runs" / "two").artefacts("split") / "train.parquet").write_bytes(b"other")
    assert shared_records.compare_datasets(state, before, now).how == "id"


def test_without_records_and_index_it_says_that_it_does_not_know(state: Path) -> None:
    made = dataset(state, "one", messages(12))
    found = shared_records.compare_datasets(state, made, "0" * 64)
    assert (found.how, found.sources) == ("unknown", {})
    assert "no run here has the records of dataset 000000000000" in found.why
