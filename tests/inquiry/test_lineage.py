"""Where a record is, and where a person is: the index, what is shown of a record, and the inventory."""

import json
import shutil
import sqlite3
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import read_json, write_json
from tasks.core.layout import Layout
from tasks.inquiry import access_entries, disclosure, inventory
from tasks.inquiry.lineage import indexing, queries, tables
from tasks.ledger.ledger import open_ledger
from tasks.policy.people import People
from tasks.sources import vault_keys
from tasks.sources.dataset import PARTITIONS
from tasks.sources.sources import Sources
from tasks.stages.data.protect.tokens import make_token
from tests.stages.data.build import SEVERAL, Run, messages, params, several, source, stages, table, worded

PERSON = {"text": "My name is Ada Lovelace and my card is lost", "label": "label0"}
PEOPLE = People.model_validate(
    {
        "people": [
            {"id": "data-owner", "name": "Owner", "roles": ["data_owner"]},
            {"id": "stranger", "name": "Stranger", "roles": ["requester"]},
            {"id": "reader", "name": "Reader", "roles": ["auditor"]},
        ]
    }
)


def dataset(run: Run, rows: list[dict[str, str]], **fields: Any) -> tables.IndexedDataset:
    """Every data stage over the rows, and their index."""
    (run.root / "data.csv").write_bytes(table(rows))
    run.resolve(source("data.csv", **fields))
    for stage in stages().values():
        stage.run(params(test_share=0.3), run.layout)
    return indexing.add_dataset(run.layout, "tests")


def test_a_record_is_found_with_its_side_source_and_row(run: Run, state: Path) -> None:
    made = dataset(run, messages(40))
    for side in ("train", "test"):
        for record in run.records_of("split", side)[:3]:
            (found,) = queries.memberships_of_record(state, record["record_id"])
            number = int(record["messages"][0]["content"].split()[-1])
            assert (found.dataset, found.side, found.source_id, found.row) == (made.sha256, side, "src", number + 1)
    assert queries.memberships_of_record(state, "f" * 32) == []
    assert sum(made.rows.values()) == 40


def test_a_person_is_found_in_every_dataset_by_their_token(run: Run, state: Path) -> None:
    first = dataset(run, [*messages(20), PERSON])
    second = dataset(run, [*messages(30), PERSON, PERSON | {"text": "Ada Lovelace once more, hello"}])
    key = vault_keys.load_keys(state).tokens
    found = queries.memberships_of_subjects(state, [make_token("name", "ada  LOVELACE", key)])
    assert sorted((m.dataset, m.row) for m in found) == sorted(
        [(first.sha256, 21), (second.sha256, 31), (second.sha256, 32)]
    )
    assert queries.memberships_of_subjects(state, [make_token("name", "Somebody Else", key)]) == []
    stored = b"".join(path.read_bytes() for path in state.glob(f"{tables.DATABASE_FILE}*"))
    assert stored and b"Lovelace" not in stored


def test_what_was_put_aside_is_found_as_that(run: Run, state: Path) -> None:
    """The second of two equal records is a duplicate: the run has it, a release would not."""
    made = dataset(run, [*messages(20), PERSON, PERSON])
    assert made.rows[tables.QUARANTINED] == 1
    found = queries.memberships_of_subjects(
        state, [make_token("name", "Ada Lovelace", vault_keys.load_keys(state).tokens)]
    )
    kept, gone = sorted(found, key=lambda member: member.side == tables.QUARANTINED)
    assert (kept.row, kept.side in PARTITIONS, gone.row, gone.side) == (21, True, 22, tables.QUARANTINED)
    assert [member.row for member in queries.memberships_of_dataset(state, made.sha256)] == list(range(1, 22))


def test_what_was_not_drawn_is_found_as_that(run: Run, state: Path) -> None:
    (run.root / "data.csv").write_bytes(table([*messages(30), PERSON, PERSON]))
    run.resolve(source("data.csv"))
    for stage in stages().values():
        stage.run(params(test_share=0.3, train_rows=4, test_rows=2), run.layout)
    made = indexing.add_dataset(run.layout, "tests")
    assert made.rows == {"train": 4, "test": 2, tables.QUARANTINED: 1, tables.NOT_DRAWN: 25}
    left = run.records_of("split", "not_drawn")[0]
    (found,) = queries.memberships_of_record(state, left["record_id"])
    assert (found.side, found.row) == (tables.NOT_DRAWN, left["row"])
    assert len(queries.memberships_of_dataset(state, made.sha256)) == 6


def test_indexing_again_changes_nothing(run: Run, state: Path) -> None:
    made = dataset(run, messages(20))
    before = rows(state)
    assert indexing.add_dataset(run.layout, "tests") == made
    assert rows(state) == before and queries.list_datasets(state) == [made]


def test_a_dataset_knows_every_run_that_made_it(run: Run, state: Path) -> None:
    made = dataset(run, messages(20))
    assert queries.runs_with_dataset(state, made.sha256) == [run.root.name]
    again = Layout(state / "runs" / "20260303-120000-a1b2")
    shutil.copytree(run.root / "artefacts", again.root / "artefacts")
    assert indexing.add_dataset(again, "tests") == made
    assert set(queries.runs_with_dataset(state, made.sha256)) == {run.root.name, "20260303-120000-a1b2"}


@pytest.mark.parametrize("table", [table.name for table in tables.METADATA.sorted_tables])
def test_an_index_is_written_whole_or_not_at_all(run: Run, state: Path, table: str) -> None:
    """The disk is full at the first row of each table, in the order in which they are written, and is so no longer."""
    first = dataset(run, messages(20))
    before = rows(state)
    sql(state, f"CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(Unavailable, match=r"the index of lineage at .* cannot be used \(disk full\)"):
        dataset(run, [*messages(30), PERSON])
    whole = {name: found for name, found in rows(state).items() if name != tables.RUNS.name}
    if table == tables.RUNS.name:  # by then the dataset is indexed, and its run follows when it is asked again
        assert len(queries.list_datasets(state)) == 2
    else:
        assert whole == {name: before[name] for name in whole} and queries.list_datasets(state) == [first]
    sql(state, "DROP TRIGGER full")
    made = indexing.add_dataset(run.layout, "tests")
    assert (
        queries.runs_with_dataset(state, made.sha256) == [run.root.name]
        and len(queries.memberships_of_dataset(state, made.sha256)) == 31
    )


def test_what_another_run_indexed_meanwhile_is_left_as_it_is(run: Run, state: Path) -> None:
    made, before = dataset(run, messages(20)), rows(state)
    indexing.write_index(state, made, [indexing.IndexedRecord(bytes(8), "src", 1, "train")], [])
    assert rows(state) == before


def test_neighbours_in_a_large_index_are_not_mixed_up(tmp_path: Path) -> None:
    """Many keys, some of them next to each other and one at each end."""
    random = np.random.default_rng(1).integers(0, 2**64 - 1, 9_999, np.uint64)
    keys = np.unique(np.concatenate([random, np.array([0, 1, 2, 5, 2**64 - 1], np.uint64)])).tolist()
    read = tables.IndexedSource(id="src", sha256="1" * 64, owner="data-owner", steward="data-owner")
    for sha256 in ("0" * 64, "1" * 64):
        about = tables.IndexedDataset(sha256=sha256, use_case="t", sources=(read,), rows={})
        records = [indexing.IndexedRecord(key.to_bytes(8), "src", row, "train") for row, key in enumerate(keys)]
        indexing.write_index(tmp_path, about, records, [])
    for place in (0, 1, 2, 3, 5_000, len(keys) - 1):
        found = queries.memberships_of_record(tmp_path, f"{keys[place]:016x}" + "0" * 16)
        assert [(one.dataset[0], one.row) for one in found] == [("0", place), ("1", place)]
    assert queries.memberships_of_record(tmp_path, f"{3:016x}" + "0" * 16) == []


def test_two_records_whose_ids_begin_alike_are_both_found(tmp_path: Path) -> None:
    read = tables.IndexedSource(id="src", sha256="1" * 64, owner="data-owner", steward="data-owner")
    about = tables.IndexedDataset(sha256="0" * 64, use_case="t", sources=(read,), rows={})
    indexing.write_index(tmp_path, about, [indexing.IndexedRecord(bytes(8), "src", row, "train") for row in (3, 7)], [])
    assert [found.row for found in queries.memberships_of_record(tmp_path, "0" * 32)] == [3, 7]


def test_nothing_indexed_is_no_answer_and_leaves_no_file(tmp_path: Path) -> None:
    assert (
        queries.memberships_of_record(tmp_path, "0" * 32)
        == queries.list_datasets(tmp_path)
        == queries.runs_with_dataset(tmp_path, "0" * 64)
        == []
    )
    assert list(tmp_path.iterdir()) == []


def test_an_index_of_an_earlier_version_is_refused_in_words(run: Run, state: Path) -> None:
    made = dataset(run, messages(20))
    (state / "lineage").mkdir()
    for question in (
        lambda: queries.list_datasets(state),
        lambda: queries.memberships_of_dataset(state, made.sha256),
        lambda: queries.memberships_of_record(state, "0" * 32),
        lambda: queries.memberships_of_subjects(state, ["name:abc"]),
    ):
        with pytest.raises(Unavailable, match=r"lineage: an earlier version .* Delete the folder"):
            question()
    assert indexing.add_dataset(run.layout, "tests") == made, "a run goes on"


def test_an_index_that_says_otherwise_than_the_manifest_is_a_defect(run: Run, state: Path) -> None:
    names = [*SEVERAL]
    counts = dict(zip(names, (11, 4, 7), strict=True))
    run.resolve(*several(run.root, {one: worded(one, counts[one]) for one in names}))
    for stage in stages().values():
        stage.run(params(test_share=0.3), run.layout)
    path = run.layout.artefacts("split") / "manifest.json"
    manifest = read_json(path)
    signed = {name: manifest["sources"][name]["rows"] for name in names}
    for name, other in zip(names, sorted(names), strict=True):
        manifest["sources"][name]["rows"] = signed[other]
    write_json(path, manifest)
    with pytest.raises(AssertionError, match=r"lineage: the manifest has .* records of "):
        indexing.add_dataset(run.layout, "triage")
    assert queries.list_datasets(state) == [], "and nothing of it is kept"


def sql(state: Path, statement: str) -> list[Any]:
    connection = sqlite3.connect(state / tables.DATABASE_FILE)
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


def rows(state: Path) -> dict[str, list[Any]]:
    """Of every table of the index."""
    return {table: sql(state, f"SELECT * FROM {table}") for table in tables.METADATA.tables}


def shown(run: Run, person: str, reason: str = "the person asked") -> disclosure.DisclosedRow:
    record, who = next(r for r in run.records_of("ingest") if r["subjects"]), PEOPLE.get(person)
    assert who is not None
    ledger = open_ledger(run.layout.state)
    return disclosure.disclose_row(run.layout, record["record_id"][:20], run.access(who), reason, ledger)


def test_an_owner_sees_a_record_as_its_source_had_it_and_the_ledger_knows(run: Run) -> None:
    dataset(run, [*messages(20), PERSON, PERSON])
    found = shown(run, "data-owner")
    assert found.messages[0]["content"] == PERSON["text"] and found.row == 21
    (entry,) = open_ledger(run.layout.state).entries(access_entries.TOKENS_READ, found.record_id)
    assert entry.body["person"] == "data-owner" and "Lovelace" not in json.dumps(entry.body)


def test_a_row_that_holds_anothers_token_reveals_nothing(run: Run) -> None:
    """Whoever writes into a source they may look at asks for a value of a source they may not."""
    dataset(run, [*messages(20), PERSON])
    (stolen,) = (r["subjects"][0] for r in run.records_of("ingest") if r["subjects"])
    forged = {"text": f"Grace Hopper wants to know who [{stolen}] is", "label": "label0"}
    dataset(run, [*messages(20), forged])
    found = shown(run, "data-owner")
    assert "Grace Hopper" in found.messages[0]["content"] and "Lovelace" not in str(found)


def test_an_owner_sees_who_labelled_a_record(run: Run) -> None:
    rows = [row | {"by": "ada.l"} for row in (*messages(3), PERSON)]
    mapping = {"prompt": "text", "response": "label", "labelled_by": "by"}
    run.ingest(table(rows, ["text", "label", "by"]), mapping=mapping)
    assert "ada.l" not in str(run.records_of("ingest"))
    assert shown(run, "data-owner").labelled_by == "ada.l"


def test_who_holds_no_role_for_a_source_sees_nothing(run: Run) -> None:
    dataset(run, [*messages(20), PERSON], access=["auditor"])
    assert shown(run, "reader").messages
    with pytest.raises(Refused, match="stranger may not look at records of src"):
        shown(run, "stranger")
    with pytest.raises(InputError, match="say in words why you look"):
        shown(run, "data-owner", reason=" ")
    assert len(open_ledger(run.layout.state).entries(access_entries.TOKENS_READ)) == 1, "only who was shown something"


def test_the_inventory_tells_quality_freshness_and_what_would_be_lost(tmp_path: Path) -> None:
    run = Run(tmp_path / ".hallmark" / "runs" / "one")
    run.root.mkdir(parents=True)
    rows = [row | {"day": "2026-01-31"} for row in messages(30)]
    (run.root / "a.csv").write_bytes(table([*rows, {"text": "x", "label": "", "day": ""}], ["text", "label", "day"]))
    (run.root / "b.csv").write_bytes(table([{"text": f"frage {n}", "label": "label0"} for n in range(10)]))
    mapping = {"prompt": "text", "response": "label", "effective_from": "day"}
    german = {"constants": {"task": "triage", "language": "de", "department": "care"}}
    pinned = [source("a.csv", id="a", mapping=mapping), source("b.csv", id="b", **german)]
    run.resolve(*pinned)
    for stage in stages().values():
        stage.run(params(test_share=0.3), run.layout)
    first, second = inventory.read_inventory(Sources(sources=pinned), [run.root, tmp_path / "gone"], date(2026, 3, 14))
    assert (first.newest, first.age_days, first.stale) == (date(2026, 1, 31), 42, True)
    assert (second.newest, second.stale) == (None, False)
    assert [(q.run, q.rows, q.records) for q in first.trend] == [("one", 31, 30)]
    assert second.loss is not None and second.loss.only_here == {"department": ["care"], "language": ["de"]}
    assert second.loss.share == 0.25 and sum(second.loss.rows.values()) == 10


def test_the_inventory_reads_each_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [tmp_path / name for name in ("one", "two")]
    for root in runs:
        counts = {"rows": 3, "records": 2, "quarantined": {"missing_target": 1}}
        told = {"sources": [{"id": name, "counts": counts} for name in ("a", "b")]}
        write_json(Layout(root).artefacts("ingest") / "result.json", told)
    read: list[Path] = []
    monkeypatch.setattr(inventory, "read_stage_json", lambda path: (read.append(path), read_json(path))[1])
    monkeypatch.setattr(inventory, "_newest", lambda *_: None)
    named = Sources(sources=[source(f"{name}.csv", id=name) for name in ("a", "b", "c")])
    held = inventory.read_inventory(named, runs, date(2026, 3, 14))
    assert [[quality.run for quality in one.trend] for one in held] == [["one", "two"], ["one", "two"], []]
    assert len(read) == len(runs)


def test_a_source_that_never_ran_has_nothing_to_tell(tmp_path: Path) -> None:
    (held,) = inventory.read_inventory(Sources(sources=[source("a.csv")]), [], date(2026, 3, 14))
    assert (held.newest, held.trend, held.loss) == (None, [], None)
    assert Layout(tmp_path).state == tmp_path / ".hallmark"
