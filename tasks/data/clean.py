"""Stage `clean`: take out what no model should learn from, each removal with its rule and reason.

empty_prompt, prompt_too_short, prompt_too_long, target_too_long   by the bounds of params.yaml: data

artefacts/clean/records.parquet, quarantine.parquet, result.json (`Cleaned`)
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from tasks import facts
from tasks.config import Frozen
from tasks.data.quarantine import Counts, count, of_record, source_rows, to_table
from tasks.data.text import is_blank
from tasks.data.turns import prompt_text, target_text
from tasks.errors import InputError
from tasks.facts import Fact
from tasks.files import whole_folder, write_json
from tasks.layout import Layout
from tasks.params import Data, Params
from tasks.record import read_table, write_table


class Cleaned(Frozen):
    counts: Counts
    by_source: dict[str, Counts]


def run(params: Params, layout: Layout) -> Cleaned:
    """Clean the records of `ingest`. Raises InputError where nothing is left."""
    table = read_table(layout.stage("ingest") / "records.parquet")
    records = table.select(["record_id", "source_id", "messages"]).to_pylist()
    removed = list(_removals(records, source_rows(layout), params.data))
    kept = _without(table, {item["record_id"] for item in removed})
    if not kept.num_rows:
        raise InputError(
            f"clean: none of {table.num_rows:,} records is left; look into artefacts/ingest and the bounds in "
            "params.yaml: data"
        )
    result = Cleaned(
        counts=count("clean", table.num_rows, kept.num_rows, (item["rule"] for item in removed)),
        by_source={
            name: _counts_of(name, table, kept, removed) for name in sorted(set(table["source_id"].to_pylist()))
        },
    )
    with whole_folder(layout.stage("clean")) as folder:
        write_table(kept, folder / "records.parquet")
        write_table(to_table(removed), folder / "quarantine.parquet")
        write_json(folder / "result.json", {"facts": facts.dump(_facts(result)), **result.model_dump(mode="json")})
    return result


def _removals(records: list[dict[str, Any]], rows: dict[str, int], data: Data) -> Iterator[dict[str, Any]]:
    """Rows of quarantine, in the order of the records."""
    for record in records:
        verdict = _misfit(record, data)
        if verdict is not None:
            yield of_record(record, rows, *verdict)


def _misfit(record: dict[str, Any], data: Data) -> tuple[str, str] | None:
    """Rule and reason where a text is empty, too short or too long. Lengths are in characters."""
    if is_blank(prompt_text(record)):
        return "empty_prompt", "there is no text before the target"
    prompt, target = len(prompt_text(record)), len(target_text(record))
    if prompt < data.min_prompt_chars:
        return "prompt_too_short", f"{prompt} characters; data.min_prompt_chars is {data.min_prompt_chars}"
    if prompt > data.max_prompt_chars:
        return "prompt_too_long", f"{prompt} characters; data.max_prompt_chars is {data.max_prompt_chars}"
    if target > data.max_target_chars:
        return "target_too_long", f"{target} characters; data.max_target_chars is {data.max_target_chars}"
    return None


def _without(table: pa.Table, ids: set[str]) -> pa.Table:
    return table.filter(pa.array([record_id not in ids for record_id in table["record_id"].to_pylist()], pa.bool_()))


def _counts_of(source: str, table: pa.Table, kept: pa.Table, removed: list[dict[str, Any]]) -> Counts:
    before, after = (part["source_id"].to_pylist().count(source) for part in (table, kept))
    return count("clean", before, after, (item["rule"] for item in removed if item["source_id"] == source))


def _facts(result: Cleaned) -> facts.Facts:
    return {
        "records": Fact(value=result.counts.records, unit="rows"),
        "quarantined_share": Fact(value=result.counts.share, note="of the records that ingest made"),
    }
