"""What a run put aside, for who answers for the rows: all of it, in order, with what was kept instead, and no value."""

import csv
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from tasks.core.errors import InputError
from tasks.core.files import read_json
from tasks.core.records.record import read_table, write_table
from tasks.inquiry import inventory, quarantined_rows
from tasks.inquiry.quarantined_rows import QuarantinedRow, QuarantinedRows
from tasks.sources import dataset as dataset_of
from tasks.sources.dataset import COUNTED_STAGES, Dataset, StageCounts
from tests.stages.data.build import Run, messages, params, source, stages, table

SECRET = "Zanzibar"
"""In every row that is put aside."""
MAPPING = {"prompt": "text", "response": "label", "effective_from": "day"}
HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", '",=1')
"""Columns whose names a spreadsheet would compute."""
HOW = params(near_duplicates={"jaccard": 0.9, "conflict_jaccard": 0.9}, min_prompt_chars=5, train_rows=10)


@pytest.fixture
def done(run: Run) -> Run:
    """Through all stages, with rows that each of them puts aside: source b's are those from row 21 on, and a's last."""
    told = f"What does a ticket to {SECRET} cost at the weekend"
    rows = [row | {"day": "2025-01-01"} for row in messages(20)]
    bad = [
        {"text": told, "label": "", "day": "2025-01-01"},
        {"text": told, "label": "x", "day": f"the day of {SECRET}"},
        {"text": "hm", "label": SECRET, "day": "2025-01-01"},
        {"text": told, "label": "one", "day": "2025-01-01"},
        {"text": told, "label": "one", "day": "2025-01-01"},
        {"text": told, "label": "two", "day": "2026-01-01"},
    ]
    other = [row | {"text": f"another {row['text']}"} for row in rows]
    other.append(bad[2])
    (run.root / "a.csv").write_bytes(table(other, ["text", "label", "day"]))
    broken = table([*rows, *bad], ["text", "label", "day"]) + f"{SECRET}\n".encode()
    (run.root / "b.csv").write_bytes(broken)
    run.resolve(*(source(f"{name}.csv", id=name, mapping=MAPPING) for name in "ba"))
    for stage in stages().values():
        stage.run(HOW, run.layout)
    return run


def found(run: Run, *rules: str, sources: tuple[str, ...] = ("b",)) -> dict[int, QuarantinedRow]:
    """By row."""
    return {entry.row: entry for entry in quarantined_rows.read_quarantine(run.layout, sources, rules).first_rows(100)}


def lines(asked: QuarantinedRows, path: Path) -> list[dict[str, str]]:
    asked.write_csv(path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_place_states_one_figure_for_a_source(done: Run) -> None:
    """What `hallmark data quarantine` and the page of rows count, what the gate shows, and what the inventory shows."""
    dataset = Dataset.from_bytes((done.layout.artefacts("split") / "manifest.json").read_bytes())
    for name, origin in dataset.sources.items():
        listed: Counter[str] = Counter()
        for count in quarantined_rows.read_quarantine(done.layout, [name]).count_by_rule():
            listed[count.rule] += count.rows
        assert dict(listed) == origin.quarantined
        (quality,) = inventory.quality_trend(name, [done.layout.root])
        assert quality.quarantined_share == pytest.approx(origin.quarantined_share, abs=1e-4)
        assert quality.quarantined_share == pytest.approx(listed.total() / origin.rows_read, abs=1e-4)
    split = StageCounts(rows=9, records=4, quarantined={"prompt_in_test": 2, "not_drawn": 3})
    assert dataset_of.count_quarantined_by_rule({"split": split}) == {"prompt_in_test": 2}, (
        "an earlier version counted what it left"
    )


def test_every_row_that_a_stage_put_aside_is_told_with_the_reason(done: Run) -> None:
    told = found(done)
    assert {row: (entry.stage, entry.rule) for row, entry in told.items()} == {
        21: ("ingest", "missing_target"),
        22: ("ingest", "bad_effective_from"),
        23: ("clean", "prompt_too_short"),
        24: ("deduplicate", "conflict"),
        25: ("deduplicate", "conflict"),
        27: ("ingest", "field_count"),
    }
    assert told[21].reason == "column 'label' is empty; a record needs a target" and told[21].record_id is None
    assert told[23].record_id is not None and told[23].winner is None


def test_what_was_kept_instead_is_told_with_its_place(done: Run) -> None:
    places = {row["record_id"]: (row["source_id"], row["row"]) for row in done.records_of("ingest", "rows")}
    told = found(done)[24]
    assert told.winner is not None and (told.winner_source, told.winner_row) == places[told.winner] == ("b", 26)


def test_rows_come_by_source_and_row_and_the_first_are_enough(done: Run) -> None:
    every = quarantined_rows.read_quarantine(done.layout)
    order = [(entry.source_id, entry.row) for entry in every.first_rows(100)]
    assert order == sorted(order) and {name for name, _ in order} == {"a", "b"} and every.total == len(order)
    assert [(entry.source_id, entry.row) for entry in every.first_rows(3)] == order[:3]
    assert every.first_rows(100) == quarantined_rows.read_quarantine(done.layout).first_rows(100)


def test_counts_are_those_of_the_stages(done: Run) -> None:
    counts = quarantined_rows.read_quarantine(done.layout).count_by_rule()
    for stage in COUNTED_STAGES:
        by_rule = done.result(stage)["counts"]["quarantined"]
        for rule, rows in by_rule.items():
            assert sum(one.rows for one in counts if (one.stage, one.rule) == (stage, rule)) == rows
    own = [one.rows for one in counts if one.source_id == "b"]
    assert (
        own == sorted(own, reverse=True)
        and sum(one.rows for one in counts) == quarantined_rows.read_quarantine(done.layout).total
    )


def test_records_that_were_not_drawn_are_counted_apart(done: Run) -> None:
    """In = out + put aside + not drawn, of every source too; and of one record it is told."""
    asked, over = quarantined_rows.read_quarantine(done.layout), done.records_of("split", "not_drawn")
    assert "not_drawn" not in {one.rule for one in asked.count_by_rule()} and asked.not_drawn == len(over) > 20
    counts = done.result("split")["counts"]
    assert counts["rows"] == counts["records"] + sum(counts["quarantined"].values()) + counts["not_drawn"]
    assert counts["not_drawn"] == asked.not_drawn
    origins = read_json(done.layout.artefacts("split") / "manifest.json")["sources"]
    for name in ("a", "b"):
        own, passage = quarantined_rows.read_quarantine(done.layout, [name]), origins[name]["passages"]["split"]
        assert passage["not_drawn"] == own.not_drawn == sum(item["source_id"] == name for item in over)
        read = origins[name]["passages"]["ingest"]["rows"]
        assert read == sum(origins[name]["rows"].values()) + own.total + own.not_drawn
    (told,) = quarantined_rows.reasons_for_row(done.layout, over[0]["source_id"], over[0]["row"])
    assert (told.stage, told.rule) == ("split", "not_drawn") and "keeps 10 of" in told.reason


def test_what_an_earlier_version_put_among_the_others_is_counted_apart_too(done: Run) -> None:
    now, folder = quarantined_rows.read_quarantine(done.layout), done.layout.artefacts("split")
    parts = [read_table(folder / f"{name}.parquet") for name in ("quarantine", "not_drawn")]
    write_table(pa.concat_tables(parts), folder / "quarantine.parquet")
    (folder / "not_drawn.parquet").unlink()
    before = quarantined_rows.read_quarantine(done.layout)
    assert (before.not_drawn, before.count_by_rule()) == (now.not_drawn, now.count_by_rule())


def test_sources_and_rules_narrow_it(done: Run) -> None:
    assert set(found(done, "missing_target")) == {21}
    assert set(found(done, "missing_target", "field_count", sources=("a", "b"))) == {21, 27}
    assert found(done, "missing_target", sources=("a",)) == {}
    nothing = quarantined_rows.read_quarantine(done.layout, (), ["near_test"])
    assert (nothing.total, nothing.count_by_rule(), nothing.first_rows(5)) == (0, [], [])


def test_a_source_or_rule_that_there_is_not_is_told_with_those_there_are(done: Run) -> None:
    with pytest.raises(InputError, match=r"has no source 'c'; it has b, a$"):
        quarantined_rows.read_quarantine(done.layout, ["a", "c"])
    with pytest.raises(
        InputError, match=r"there is no rule 'mising_target'; run .* quarantined rows by .*missing_target"
    ):
        quarantined_rows.read_quarantine(done.layout, (), ["mising_target"])


def test_a_run_is_told_as_far_as_it_has_come(run: Run) -> None:
    with pytest.raises(InputError, match=r"name one that has been through `ingest`"):
        quarantined_rows.read_quarantine(run.layout)
    run.ingest(table([*messages(3), {"text": "no label", "label": ""}]))
    (entry,) = quarantined_rows.read_quarantine(run.layout).first_rows(10)
    assert (entry.stage, entry.row, entry.winner_row) == ("ingest", 4, None)


def test_a_run_that_put_nothing_aside_has_nothing_to_tell(run: Run, tmp_path: Path) -> None:
    run.ingest(table(messages(3)))
    asked = quarantined_rows.read_quarantine(run.layout)
    assert (asked.total, asked.count_by_rule(), asked.first_rows(5), lines(asked, tmp_path / "all.csv")) == (
        0,
        [],
        [],
        [],
    )


def test_the_file_has_every_row_and_no_value_and_is_the_same_again(done: Run, tmp_path: Path) -> None:
    asked, path = quarantined_rows.read_quarantine(done.layout), tmp_path / "out" / "all.csv"
    written = lines(asked, path)
    assert written == [
        {name: "" if value is None else str(value) for name, value in entry} for entry in asked.first_rows(asked.total)
    ]
    assert SECRET not in path.read_text()
    before = path.read_bytes()
    quarantined_rows.read_quarantine(done.layout).write_csv(path)
    assert path.read_bytes() == before and [one.name for one in path.parent.iterdir()] == ["all.csv"]


@pytest.mark.parametrize("column", HOSTILE)
def test_no_cell_of_the_file_is_a_formula(run: Run, tmp_path: Path, column: str) -> None:
    rows = [{"x": "a message", column: label} for label in ("a", "b", "", "a")]
    run.ingest(table(rows, ["x", column]), mapping={"prompt": "x", "response": column})
    written = lines(quarantined_rows.read_quarantine(run.layout), tmp_path / "all.csv")
    assert [row["rule"] for row in written] == ["missing_target"]
    cells = [cell for row in written for cell in row.values()]
    assert all(cell[:1].isalnum() for cell in cells if cell)


def test_a_row_is_asked_about_alone(done: Run) -> None:
    assert [entry.rule for entry in quarantined_rows.reasons_for_row(done.layout, "b", 21)] == ["missing_target"]
    kept = done.records_of("split", "train")[0]["record_id"]
    place = next(item for item in done.records_of("ingest", "rows") if item["record_id"] == kept)
    assert quarantined_rows.reasons_for_row(done.layout, place["source_id"], place["row"]) == []
    assert quarantined_rows.reasons_for_row(done.layout, "c", 21) == []
