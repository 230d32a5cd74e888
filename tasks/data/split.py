"""Stage `split`: training and test records that share no prompt, however cased or spaced, and no near-identical one.

    artefacts/split/train.parquet, test.parquet   tasks.record.SCHEMA, ordered by record_id
    artefacts/split/quarantine.parquet            rules prompt_in_test, not_drawn
    artefacts/split/manifest.json                 what the dataset is made of
    artefacts/split/result.json                   `Split`

Neither depends on the order of the records that come in.
"""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from tasks import facts
from tasks.config import Frozen
from tasks.data.draw import draw
from tasks.data.manifest import manifest
from tasks.data.quarantine import Counts, count, of_record, source_rows, to_table
from tasks.data.sides import APART, TEST, TRAIN, assign
from tasks.data.turns import target_text
from tasks.errors import InputError
from tasks.facts import Fact
from tasks.files import whole_folder, write_json
from tasks.layout import Layout
from tasks.params import Data, Evaluation, Params
from tasks.prompts import prompt_key
from tasks.record import read_table, write_table


class Split(Frozen):
    counts: Counts
    train_rows: int
    test_rows: int
    groups_on_both_sides: int
    near_prompts_on_both_sides: int | None
    """Clusters of near-identical prompts; null where nobody looked for them."""
    labels_only_in_test: list[str]
    """Labels that no training record has, so no model can have learnt them here."""


def run(params: Params, layout: Layout) -> Split:
    """Divide the records of `deduplicate`. Raises InputError where a side has none."""
    table = read_table(layout.stage("deduplicate") / "records.parquet").sort_by("record_id")
    records = table.to_pylist()
    clusters = dict(
        zip(*read_table(layout.stage("deduplicate") / "clusters.parquet").to_pydict().values(), strict=True)
    )
    sides, removed = divide(records, source_rows(layout), params.data, clusters)
    tables = {side: _pick(table, sides, side) for side in (TRAIN, TEST)}
    _refuse_one_sided(tables)
    with whole_folder(layout.stage("split")) as folder:
        for side in tables:
            write_table(tables[side], folder / f"{side}.parquet")
        write_table(to_table(removed), folder / "quarantine.parquet")
        # Read back, so that the figures are about what training will read.
        train, test = (read_table(folder / f"{side}.parquet").to_pylist() for side in (TRAIN, TEST))
        counts = count("split", len(records), len(train) + len(test), (item["rule"] for item in removed))
        parted = _parted(train, test, clusters) if params.data.near_duplicates else None
        result = _result(train, test, counts, parted, params.evaluation)
        made = manifest(layout, folder, result.counts, params.data)
        write_json(folder / "manifest.json", made.model_dump(mode="json"))
        write_json(folder / "result.json", {"facts": facts.dump(_facts(result)), **result.model_dump(mode="json")})
    return result


def divide(
    records: list[dict[str, Any]], rows: Mapping[str, int], data: Data, clusters: Mapping[str, str] = APART
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The side of every record that is kept, by record_id; and the rows of quarantine."""
    sides = assign(records, data.test_share, data.seed, clusters)
    kept, removed = dict(sides.by_record), []
    for record in records:
        if winner := sides.clashes.get(record["record_id"]):
            removed.append(of_record(record, rows, "prompt_in_test", "its prompt is in the fixed test set", winner))
    for side, most in ((TRAIN, data.train_rows), (TEST, data.test_rows)):
        there = [record for record in records if sides.by_record.get(record["record_id"]) == side]
        drawn = draw(there, most, data.seed)
        for record in there:
            if record["record_id"] not in drawn:
                del kept[record["record_id"]]
                reason = f"data.{side}_rows keeps {most} of {len(there)} {side} records"
                removed.append(of_record(record, rows, "not_drawn", reason))
    return kept, removed


def _pick(table: pa.Table, sides: dict[str, str], side: str) -> pa.Table:
    return table.filter(pa.array([sides.get(record_id) == side for record_id in table["record_id"].to_pylist()]))


def _refuse_one_sided(tables: dict[str, pa.Table]) -> None:
    rows = sum(table.num_rows for table in tables.values())
    for side, table in tables.items():
        if not table.num_rows:
            raise InputError(
                f"split: none of {rows:,} records is on the {side} side; change data.test_share or data.seed in "
                "params.yaml, or give more records"
            )


def _parted(train: list[dict[str, Any]], test: list[dict[str, Any]], clusters: Mapping[str, str]) -> int:
    """Clusters with records on both sides."""
    there = [{clusters.get(record["record_id"]) for record in side} - {None} for side in (train, test)]
    return len(there[0] & there[1])


def _result(
    train: list[dict[str, Any]], test: list[dict[str, Any]], counts: Counts, parted: int | None, how: Evaluation
) -> Split:
    labels = [{_label(record, how) for record in side} for side in (train, test)]
    return Split(
        counts=counts,
        train_rows=len(train),
        test_rows=len(test),
        groups_on_both_sides=len(set(map(prompt_key, train)) & set(map(prompt_key, test))),
        near_prompts_on_both_sides=parted,
        labels_only_in_test=sorted(labels[1] - labels[0] - {""}),
    )


def _label(record: dict[str, Any], how: Evaluation) -> str:
    """The class of a target; empty where its JSON has none, which an expectation can ask for."""
    target = target_text(record)
    if how.target == "label":
        return target
    try:
        value = json.loads(target)[how.label_field]
    except (ValueError, KeyError, TypeError):
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _facts(result: Split) -> facts.Facts:
    stated = {
        "train_rows": Fact(value=result.train_rows, unit="rows"),
        "test_rows": Fact(value=result.test_rows, unit="rows"),
        "groups_on_both_sides": Fact(
            value=result.groups_on_both_sides, note="prompts, caseless and evenly spaced, in training and test"
        ),
        "labels_only_in_test": Fact(value=len(result.labels_only_in_test), note="labels that no training record has"),
        "prompt_in_test": Fact(value=result.counts.quarantined.get("prompt_in_test", 0), unit="rows"),
        "not_drawn": Fact(value=result.counts.quarantined.get("not_drawn", 0), unit="rows"),
    }
    if result.near_prompts_on_both_sides is None:
        return stated
    note = "clusters of near-identical prompts in training and test"
    return stated | {"near_prompts_on_both_sides": Fact(value=result.near_prompts_on_both_sides, note=note)}
