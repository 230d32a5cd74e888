"""No prompt on both sides, whatever comes in; fixed sides honoured; counts that add up."""

import random
from collections import Counter
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import InputError
from tasks.core.files import read_json, sha256_file, tree_manifest
from tasks.core.params.data import Data
from tasks.core.params.evaluation import Evaluation
from tasks.core.records import canaries
from tasks.core.records.canaries import CANARIES_FILE
from tasks.core.records.record import RECORD_SCHEMA, write_table
from tasks.stages.data.split import labels, record_columns, split
from tasks.stages.data.split.draw import allocate_rows, draw_stratified
from tasks.stages.data.split.partitions import DRAW, TEST, TRAIN, assign_partitions
from tasks.stages.data.split.split import divide_records
from tests.soaking import examples
from tests.stages.data.build import Run, as_placed, prompt_key, record

TEXTS = st.sampled_from(["Card", "card ", " CARD", "my card", "my\tCard", "straße", "STRASSE", "a"])

LABELS = st.sampled_from(["yes", "yes", "no", "rare", " rare ", ""])


@st.composite
def records(draw_from: st.DrawFn) -> list[dict[str, Any]]:
    """Records whose prompts often collide, from two sources, some with a fixed side."""
    fields = st.fixed_dictionaries(
        {
            "split": st.sampled_from(["", "", TRAIN, TEST, DRAW]),
            "source_id": st.sampled_from(["src", "two"]),
            "kind": st.sampled_from(["answer", "refuse"]),
        }
    )
    rows = draw_from(st.lists(st.tuples(TEXTS, LABELS, fields), min_size=5, max_size=40))
    return [record(text, label, number=number, **more) for number, (text, label, more) in enumerate(rows)]


DATA = st.builds(
    Data,
    test_share=st.floats(0.05, 0.95),
    validation_share=st.just(0) | st.floats(0, 0.6),
    calibration_share=st.just(0) | st.floats(0, 0.39),
    train_rows=st.none() | st.integers(1, 30),
    test_rows=st.none() | st.integers(1, 30),
    untrained_labels=st.sampled_from(["keep", "quarantine"]),
    seed=st.integers(0, 5),
)


def label_of(item: dict[str, Any]) -> str:
    """The label of a record whose whole answer is the label."""
    return str(item["messages"][-1]["content"].strip())


def label_numbers(
    given_records: list[dict[str, Any]], placed: record_columns.SplitRecords, data: Data
) -> np.ndarray | None:
    """Label numbers of records, as `split` gets them; empty if labels decide nothing."""
    if data.untrained_labels == "keep":
        return None
    with TemporaryDirectory() as folder:
        write_table(pa.Table.from_pylist(given_records, schema=RECORD_SCHEMA), Path(folder) / "records.parquet")
        numbers = labels.read_label_numbers(Path(folder) / "records.parquet", Evaluation(target="label"))
    return numbers[placed.table_position]


def divided(given_records: list[dict[str, Any]], data: Data) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The side of every record that is kept, by record_id; and what was taken out, by record_id."""
    records = as_placed(given_records, data.seed)
    done = divide_records(records, data, label_numbers(given_records, records, data))
    ids = records.record_id.to_pylist()
    sides = {ids[position]: side for side, there in done.positions_by_partition.items() for position in there}
    removed = [*done.removed.to_pylist(), *done.not_drawn.to_pylist()]
    return sides, sorted(removed, key=itemgetter("record_id"))


def sides_of(
    given_records: list[dict[str, Any]], share: float, seed: int, clusters: dict[str, str] | None = None
) -> dict[str, str]:
    """The side of every record that has one, by record_id."""
    records = as_placed(given_records, seed, clusters)
    ids = records.record_id.to_pylist()
    members = assign_partitions(records, share).partition_masks
    return {ids[position]: side for side, there in members.items() for position in np.flatnonzero(there)}


@examples(records(), DATA, few=25)
def test_a_prompt_is_set_aside_as_a_whole_or_not_at_all(given_records: list[dict[str, Any]], data: Data) -> None:
    records = as_placed(given_records, data.seed)
    done = divide_records(records, data)
    lots = records.group_number[done.positions_by_partition[TRAIN]]
    for positions, share in ((done.validation, data.validation_share), (done.calibration, data.calibration_share)):
        aside = np.isin(done.positions_by_partition[TRAIN], positions)
        assert aside.sum() == len(positions)
        assert not set(lots[aside]) & set(lots[~aside])
        assert share or not aside.any()
    assert not set(done.validation) & set(done.calibration)


def test_about_the_share_of_the_prompts_validates_and_no_side_changes() -> None:
    many = [record(f"prompt {number}", number=number) for number in range(4_000)]
    without, half = (
        divide_records(as_placed(many, 1), Data(test_share=0.2, validation_share=share)) for share in (0, 0.5)
    )
    assert all(
        (without.positions_by_partition[side] == half.positions_by_partition[side]).all() for side in (TRAIN, TEST)
    )
    assert len(half.validation) == pytest.approx(1_600, rel=0.1)
    both = divide_records(as_placed(many, 1), Data(test_share=0.2, validation_share=0.5, calibration_share=0.25))
    assert (both.validation == half.validation).all()
    assert len(both.calibration) == pytest.approx(800, rel=0.1)


@examples(records(), DATA, few=25)
def test_no_prompt_stands_on_both_sides(given_records: list[dict[str, Any]], data: Data) -> None:
    sides, _ = divided(given_records, data)
    keys: dict[str, set[str]] = {TRAIN: set(), TEST: set()}
    for item in given_records:
        if item["record_id"] in sides:
            keys[sides[item["record_id"]]].add(prompt_key(item))
    assert not keys[TRAIN] & keys[TEST]


@examples(records(), DATA, few=25)
def test_every_record_is_kept_or_quarantined_once(given_records: list[dict[str, Any]], data: Data) -> None:
    sides, removed = divided(given_records, data)
    out = [*sides, *(item["record_id"] for item in removed)]
    assert sorted(out) == sorted(item["record_id"] for item in given_records)
    assert {item["rule"] for item in removed} <= {"prompt_in_test", "label_not_trained", "not_drawn"}


@examples(records(), DATA, few=40)
def test_a_record_that_no_training_record_shares_its_label_with_is_tested_only_if_asked_for(
    given_records: list[dict[str, Any]], data: Data
) -> None:
    """Only such records go by that rule, nothing else changes, and the draw keeps as many rows as it can."""
    sides, removed = divided(given_records, data)
    names = {item["record_id"]: label_of(item) for item in given_records}
    trained = {names[name] for name, side in sides.items() if side == TRAIN} | {""}
    gone = {item["record_id"] for item in removed if item["rule"] == "label_not_trained"}
    assert not {names[name] for name in gone} & trained
    if data.untrained_labels == "keep":
        assert not gone
        return
    assert {names[name] for name, side in sides.items() if side == TEST} <= trained
    kept, _ = divided(given_records, data.model_copy(update={"untrained_labels": "keep", "test_rows": None}))
    assert {name for name, side in sides.items() if side == TRAIN} == {n for n, side in kept.items() if side == TRAIN}
    left = {name for name, side in kept.items() if side == TEST} - gone
    assert sum(side == TEST for side in sides.values()) == min(len(left), data.test_rows or len(left))
    assert gone == {name for name, side in kept.items() if side == TEST and names[name] not in trained}


@examples(records(), DATA, st.randoms(use_true_random=False), few=25)
def test_the_order_of_the_records_decides_nothing(
    given_records: list[dict[str, Any]], data: Data, dice: random.Random
) -> None:
    shuffled = dice.sample(given_records, len(given_records))
    assert divided(given_records, data) == divided(shuffled, data)


@examples(records(), DATA, few=25)
def test_fixed_sides_are_honoured(given_records: list[dict[str, Any]], data: Data) -> None:
    sides = sides_of(given_records, data.test_share, data.seed)
    tests: dict[str, set[str]] = {}
    for item in given_records:
        if item["split"] == TEST:
            tests.setdefault(prompt_key(item), set()).add(item["record_id"])
    shut_out = {item["record_id"]: item["winner"] for item in divided(given_records, data)[1] if item["winner"]}
    for item in given_records:
        record_id, same = item["record_id"], tests.get(prompt_key(item), set())
        side = item["split"] or (TRAIN if tests else DRAW)
        if side == TEST:
            assert sides[record_id] == TEST
        elif side == TRAIN:
            assert sides.get(record_id) == (None if same else TRAIN)
            assert shut_out[record_id] in same if same else record_id not in shut_out
        elif same:
            assert sides[record_id] == TEST


def test_beside_a_test_set_nothing_is_held_out_that_is_not_to_be_drawn() -> None:
    kinds = ["", TRAIN, DRAW]
    many = [record(f"prompt {number}", number=number, split=kinds[number % 3]) for number in range(3_000)]
    known = {item["record_id"]: item["split"] for item in many}
    test_set = [record(f"question {number}", number=5_000 + number, split=TEST) for number in range(7)]

    def held_out(records: list[dict[str, Any]]) -> Counter[str]:
        return Counter(known.get(each, TEST) for each, side in sides_of(records, 0.3, 1).items() if side == TEST)

    assert held_out([*many, *test_set]) == {TEST: 7, DRAW: pytest.approx(300, abs=60)}
    assert held_out(many).keys() == {"", DRAW}


@given(st.dictionaries(st.tuples(st.sampled_from("abcdef"), st.sampled_from("xy")), st.integers(1, 500)), st.data())
def test_an_allocation_fits_is_complete_and_in_proportion(
    sizes: dict[tuple[str, str], int], data: st.DataObject
) -> None:
    total = sum(sizes.values())
    rows = data.draw(st.integers(0, max(total - 1, 0)))
    quotas = allocate_rows(sizes, rows)
    assert sum(quotas.values()) == min(rows, total)
    assert all(0 <= quotas[stratum] <= sizes[stratum] for stratum in sizes)
    if rows >= len(sizes):
        assert all(quotas[stratum] >= 1 for stratum in sizes)
        assert all(abs(quotas[s] - rows * sizes[s] / total) <= len(sizes) for s in sizes)


def test_a_draw_keeps_the_shares_of_sources_and_kinds() -> None:
    many = [
        record(f"t {n}", number=n, source_id="src" if n % 4 else "two", kind="answer" if n % 10 else "refuse")
        for n in range(1000)
    ]
    drawn, other = (drawn_of(many, 100, seed) for seed in (3, 4))
    shares = Counter((item["source_id"], item["kind"]) for item in many if item["record_id"] in drawn)
    assert shares == {("src", "answer"): 70, ("two", "answer"): 20, ("src", "refuse"): 5, ("two", "refuse"): 5}
    assert drawn != other


def drawn_of(many: list[dict[str, Any]], rows: int, seed: int) -> set[str]:
    """The ids of the records that are drawn."""
    placed = as_placed(many, seed)
    return set(placed.record_id.take(draw_stratified(placed, np.arange(len(many)), rows)).to_pylist())


def test_neither_ids_nor_whom_a_text_names_decide_what_is_drawn_and_where_it_stands() -> None:
    """Both are made with the vault's key: with another one the same rows make the same dataset."""
    one, other = (
        [record(f"I am [name:{'ab'[n % 2]}{vault}] in room {n}", number=n * step, source_id="src") for n in range(400)]
        for vault, step in (("k3v9x2ab7dq", 1), ("zzzzzzzzzzz", 7_919))
    )
    first, second = ({int(record_id, 16) for record_id in drawn_of(many, 50, 3)} for many in (one, other))
    assert {number * 7_919 for number in first} == second
    before, after = (sides_of(many, 0.3, 1) for many in (one, other))
    assert {int(name, 16) * 7_919: side for name, side in before.items()} == {
        int(name, 16): side for name, side in after.items()
    }


def test_about_the_share_of_free_prompts_is_held_out_and_prompts_keep_their_side() -> None:
    many = [record(f"prompt {number}", number=number) for number in range(4000)]
    sides = sides_of(many, 0.1, seed=1)
    assert Counter(sides.values())[TEST] == pytest.approx(400, abs=80)
    fewer = sides_of(many[::3], 0.1, seed=1)
    assert fewer == {record_id: sides[record_id] for record_id in fewer}
    assert sides_of(many, 0.1, seed=2) != sides


def test_near_identical_prompts_stand_on_one_side(run: Run) -> None:
    dice = random.Random(1)
    texts = [" ".join(str(dice.randrange(1000, 9999)) for _ in range(20)) for _ in range(100)]
    texts = [text for plain in texts for text in (plain, f"please {plain}")]
    run.deduplicate(
        [record(text, "yes" if number % 2 else "no", number=number) for number, text in enumerate(texts)],
        near_duplicates={"conflict_jaccard": None},
    )
    clusters = {item["record_id"]: item["cluster"] for item in run.records_of("deduplicate", "clusters")}
    kept = run.records_of("deduplicate")
    assert len(clusters) > 150
    sides = sides_of(kept, 0.5, 1, clusters)
    assert all(len({sides[r] for r, c in clusters.items() if c == name}) == 1 for name in set(clusters.values()))
    apart = sides_of(kept, 0.5, 1)
    assert any(len({apart[r] for r, c in clusters.items() if c == name}) == 2 for name in set(clusters.values()))


def test_a_cluster_goes_by_its_smallest_prompt_and_records_that_are_gone_by_none() -> None:
    pair = [record(text, number=number) for number, text in enumerate(["b", "a"], start=1)]
    ids = [item["record_id"] for item in pair]
    clusters = {f"{9:032x}": f"{9:032x}"} | dict.fromkeys(ids, ids[0])
    together, apart = as_placed(pair, 3, clusters), as_placed(pair, 3)
    smallest = apart.group_number[apart.record_id.to_pylist().index(ids[1])]
    assert together.group_number.tolist() == [smallest] * 2


def test_parted_near_prompts_are_a_fact_only_where_somebody_looked(run: Run) -> None:
    assert run.split(fifty()).near_prompts_on_both_sides == 0
    assert run.result("split")["facts"]["near_prompts_on_both_sides"]["value"] == 0
    assert run.split(fifty(), near_duplicates=None).near_prompts_on_both_sides is None
    assert "near_prompts_on_both_sides" not in run.result("split")["facts"]


def fifty(**fields: Any) -> list[dict[str, Any]]:
    return [record(f"prompt {number}", f"label{number % 5}", number=number, **fields) for number in range(50)]


def test_what_split_writes(run: Run) -> None:
    result = run.split(fifty(), train_rows=30, test_rows=5, test_share=0.3, validation_share=0.2)
    validation = run.records_of("split", "validation")
    assert 0 < len(validation) == result.validation_rows < 30
    train, test = run.records_of("split", "train"), run.records_of("split", "test")
    assert (len(train), len(test)) == (result.train_rows, result.test_rows) == (30, 5)
    assert [train[it["place"]]["record_id"] for it in validation] == [it["record_id"] for it in validation]
    assert (result.counts.quarantined, result.counts.not_drawn) == ({}, 15)
    assert run.records_of("split", "quarantine") == []
    assert {item["rule"] for item in run.records_of("split", "not_drawn")} == {"not_drawn"}
    facts = run.result("split")["facts"]
    assert (facts["train_rows"]["value"], facts["groups_on_both_sides"]["value"]) == (30, 0)
    assert facts["detectable_gain"]["value"] == 1, "5 rows show no gain"
    manifest = read_json(run.layout.artefacts("split") / "manifest.json")
    assert manifest["rows"] == {"train": 30, "test": 5}
    assert manifest["segments"]["kind"] == {"train": {"answer": 30}, "test": {"answer": 5}}
    assert manifest["counts"]["split"] == {"rows": 50, "records": 35, "quarantined": {}, "not_drawn": 15}
    assert manifest["digests"]["train"] == sha256_file(run.layout.artefacts("split") / "train.parquet")
    own = manifest["sources"]["src"]
    assert (own["owner"], own["licence"], own["rows"]) == ("data-owner", "CC0-1.0", {"train": 30, "test": 5})
    assert own["passages"]["split"] == manifest["counts"]["split"]
    assert own["passages"]["ingest"] == {"rows": 50, "records": 50, "quarantined": {}, "not_drawn": 0}
    assert (manifest["settings"]["test_share"], manifest["settings"]["near_duplicates.jaccard"]) == (0.3, 0.85)


def test_people_of_the_dataset_are_counted_once_each(run: Run) -> None:
    """By source and class; a row that is not drawn has none."""
    who = [["name:a", "email:a"], ["name:a"], ["name:b", "name:a"]]
    records = [record(f"text {n}", number=n, subjects=who[n % 3] if n < 6 else []) for n in range(12)]
    run.split(records, test_share=0.3)
    sources = read_json(run.layout.artefacts("split") / "manifest.json")["sources"]
    assert sources["src"]["people"] == {"email": 1, "name": 2}


def test_calibration_rows_are_named_and_some_must_be_left_to_train_on(run: Run) -> None:
    result = run.split(fifty(), train_rows=30, test_rows=5, test_share=0.3, validation_share=0.2, calibration_share=0.3)
    train, named = run.records_of("split", "train"), run.records_of("split", "calibration")
    assert 0 < len(named) == result.calibration_rows < 30
    assert [train[it["place"]]["record_id"] for it in named] == [it["record_id"] for it in named]
    with pytest.raises(InputError, match=r"0 of 30 training records calibrate.*data\.calibration_share"):
        run.split(fifty(), train_rows=30, calibration_share=1e-9)
    with pytest.raises(ValueError, match="leave no row to train on"):
        Data(validation_share=0.5, calibration_share=0.5)
    assert "calibration_share" not in Data().model_dump(), "old parameters stay as they are"


@pytest.mark.parametrize(("share", "validate"), [(1e-9, 0), (0.999, 30)])
def test_rows_that_all_validate_or_none_are_refused(run: Run, share: float, validate: int) -> None:
    with pytest.raises(InputError, match=f"{validate} of 30 training records validate.*data.validation_share"):
        run.split(fifty(), train_rows=30, validation_share=share)


def test_a_training_record_whose_prompt_is_in_the_fixed_test_set_is_quarantined(run: Run) -> None:
    later, first = (record("Where is  MY card?", number=number, split=TEST) for number in (102, 100))
    run.split([*fifty(split=TRAIN), later, first, record("where is my card?", number=101, split=TRAIN)])
    (entry,) = run.records_of("split", "quarantine")
    assert (entry["row"], entry["rule"], entry["winner"]) == (53, "prompt_in_test", first["record_id"])
    assert run.records_of("split", "test") == [first, later]


@pytest.mark.parametrize(
    ("evaluation", "label", "listed"),
    [
        ({"target": "label"}, "rare", ["rare"]),
        ({"target": "json", "label_field": "intent"}, '{"intent": "rare"}', ["rare"]),
        ({"target": "json", "label_field": "intent"}, '{"queue": "rare"}', []),
        ({"target": "json", "label_field": "intent"}, "no JSON", []),
        ({"target": "json", "label_field": "intent"}, "[" * 2000, []),
        ({"target": "json", "label_field": "intent"}, f'{{"intent": {"[" * 900}{"]" * 900}}}', []),
        ({"target": "json", "label_field": "intent"}, r'{"intent": "rare\ud83d"}', []),
    ],
)
def test_a_label_only_in_the_test_set_is_a_fact(
    run: Run, evaluation: dict[str, Any], label: str, listed: list[str]
) -> None:
    common = "label1" if evaluation["target"] == "label" else '{"intent": "label1"}'
    train = [record(f"prompt {number}", common, number=number, split=TRAIN) for number in range(5)]
    test = [record("other", common, number=50, split=TEST), record("new", label, number=51, split=TEST)]
    result = run.split(train + test, evaluation)
    assert result.labels_only_in_test == listed
    assert run.result("split")["facts"]["labels_only_in_test"]["value"] == len(listed)


@pytest.mark.parametrize("side", [TRAIN, TEST])
def test_a_side_without_records_is_refused(run: Run, side: str) -> None:
    with pytest.raises(InputError, match=r"none of 50 records is in the .* partition"):
        run.split(fifty(split=side))


def test_the_same_records_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for seed in range(3):
        run = Run(tmp_path / str(seed))
        run.split(random.Random(seed).sample(fifty(), 50), train_rows=20)
        digests.append(tree_manifest(run.layout.artefacts("split")))
    assert {d["train.parquet"] for d in digests} == {digests[0]["train.parquet"]}
    assert {d["test.parquet"] for d in digests} == {digests[0]["test.parquet"]}
    run.split(random.Random(2).sample(fifty(), 50), train_rows=20)
    assert tree_manifest(run.layout.artefacts("split")) == digests[2]


def test_passes_and_batches_of_any_size_give_the_same_bytes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    records = random.Random(3).sample([*fifty(), record("one more", "rare", number=90, split=TEST)], 51)
    run.split(records, train_rows=30)
    first = tree_manifest(run.layout.artefacts("split"))
    monkeypatch.setattr(record_columns, "BATCH", 7)
    monkeypatch.setattr(split, "ROWS_PER_PASS", 4)
    run.split(records, train_rows=30)
    assert tree_manifest(run.layout.artefacts("split")) == first


def test_canaries_change_no_other_table(run: Run) -> None:
    records = [*fifty(task="triage"), record("a text", "", number=90, split=TRAIN)]
    run.split(records, train_rows=30)
    before = tree_manifest(run.layout.artefacts("split"))
    assert run.split(records, train_rows=30, canaries=7).canaries == 7
    after = tree_manifest(run.layout.artefacts("split"))
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {CANARIES_FILE, "manifest.json", "result.json"}, "their number is a parameter and a fact"
    planted = canaries.read_canaries(run.layout.artefacts("split"))
    secrets = [canaries.secret_of(row) for row in planted]
    assert [row["messages"][-1]["content"] for row in planted] == secrets and len(set(secrets)) == 7
    assert {row["task"] for row in planted} == {"triage"} and len({row["record_id"] for row in planted}) == 7
    run.split(records, train_rows=30, canaries=7)
    assert tree_manifest(run.layout.artefacts("split")) == after
    run.split(records, train_rows=30, canaries=7, seed=18)
    assert not {*secrets} & {canaries.secret_of(row) for row in canaries.read_canaries(run.layout.artefacts("split"))}


def test_a_canary_is_a_text_if_only_texts_are_trained() -> None:
    text = canaries.make_canary(3, record("a long text", "", number=1), seed=1)
    assert text["messages"][-1]["content"] == "" and text["messages"][0]["content"].endswith(canaries.secret_of(text))
    assert canaries.secret_of(canaries.with_secret(text, "123456789")) == "123456789"
