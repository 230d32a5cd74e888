"""Stage `clean`: remove records with an empty prompt or an unreadable target, and records that a filter rejects.

Each removal has a rule and a reason. `tasks/core/params/filters.py` lists the filters with their parameters. Rule
`unreadable_target` removes targets that `evaluate` could not compare with answers. The rules of templates
(`tasks.core.steps.data.TEMPLATE_RULES`) apply only to tasks with a template of prompt or response.

    artefacts/clean/records.parquet      tasks.core.records.record.SCHEMA_SCHEMA
    artefacts/clean/quarantine.parquet   tasks.core.records.record.QUARANTINE_SCHEMA
    artefacts/clean/result.json          `CleanResult`
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.files import atomic_folder, write_json
from tasks.core.layout import Layout
from tasks.core.params.data import Data
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompt, Prompts
from tasks.core.progress import ProgressReporter
from tasks.core.records.answer_label import require_parsable_target
from tasks.core.records.record import TableWriter, read_batches, write_table
from tasks.stages.data.clean import template_rules
from tasks.stages.data.clean.filter import ActiveFilter, FilterInput, active_filters, filter_inputs
from tasks.stages.data.quarantine import REMOVED_SCHEMA, Counts, add_source_rows, stage_counts
from tasks.stages.data.text import is_blank

BATCH_ROWS = 10_000


class CleanResult(FrozenModel):
    counts: Counts
    by_source: dict[str, Counts]


@dataclass(frozen=True)
class CleanedBatch:
    kept: pa.Table
    removed: pa.Table


class Params(FrozenModel):
    """Sections of params.yaml that the stage reads."""

    data: Data
    evaluation: Evaluation
    prompts: Prompts


def run(params: Params, layout: Layout) -> CleanResult:
    """Run the stage on the records that `ingest` wrote.

    Raises:
        InputError: No record is left.
    """
    path = layout.artefacts("ingest") / "records.parquet"
    before, kept, filters = Counter[str](), Counter[str](), active_filters(params.data)
    parts = [REMOVED_SCHEMA.empty_table()]
    with atomic_folder(layout.artefacts("clean")) as folder:
        progress = ProgressReporter("clean", pq.read_metadata(path).num_rows)
        with TableWriter(folder / "records.parquet", pq.read_schema(path)) as file:
            for batch in read_batches(path, rows=BATCH_ROWS):
                sifted = clean_batch(batch, filters, params.evaluation, params.prompts)
                before.update(batch.column("source_id").to_pylist())
                kept.update(sifted.kept["source_id"].to_pylist())
                file.write(sifted.kept)
                parts.append(sifted.removed)
                progress.report(before.total())
        removed = add_source_rows(pa.concat_tables(parts), layout)
        result = _build_result(before, kept, removed)
        write_table(removed, folder / "quarantine.parquet")
        write_json(
            folder / "result.json",
            {"facts": facts.facts_to_json(_result_facts(result)), **result.model_dump(mode="json")},
        )
    return result


def clean_batch(
    batch: pa.RecordBatch, filters: Sequence[ActiveFilter], evaluation: Evaluation, prompts: Mapping[str, Prompt]
) -> CleanedBatch:
    verdicts = [_removal_reason(record, filters, evaluation, prompts) for record in filter_inputs(batch)]
    records = pa.Table.from_batches([batch])
    is_kept = pa.array([verdict is None for verdict in verdicts], pa.bool_())
    removed = records.select(["source_id", "record_id"]).filter(pc.invert(is_kept))
    removals = [verdict for verdict in verdicts if verdict is not None]
    columns = {
        "source_id": removed["source_id"],
        "record_id": removed["record_id"],
        "rule": [rule for rule, _ in removals],
        "reason": [reason for _, reason in removals],
        "winner": pa.nulls(len(removals), pa.string()),
    }
    return CleanedBatch(records.filter(is_kept), pa.table(columns, schema=REMOVED_SCHEMA))


def _removal_reason(
    record: FilterInput, filters: Sequence[ActiveFilter], evaluation: Evaluation, prompts: Mapping[str, Prompt]
) -> tuple[str, str] | None:
    if is_blank(record.prompt):
        return "empty_prompt", "there is no text before the target"
    for each in filters:
        if each.filter.removes(record, each.bound):
            return each.rule, each.reason(record)
    try:
        if record.target:  # plain texts have none
            require_parsable_target(record.target, evaluation)
    except ValueError as error:
        return "unreadable_target", f"with evaluation.target {evaluation.target} it cannot be read: {error}"
    return template_rules.find_breach(record, prompts[record.task])


def _build_result(before: Counter[str], kept: Counter[str], removed: pa.Table) -> CleanResult:
    if not kept:
        (rule, reason), *_ = zip(*(removed[name].to_pylist() for name in ("rule", "reason")), strict=True)
        raise InputError(
            f"clean: none of {before.total():,} records is left, the first by rule {rule} ({reason}); look into "
            "artefacts/ingest, the bounds in params.yaml: data, and evaluation.target"
        )
    return CleanResult(
        counts=stage_counts("clean", before.total(), kept.total(), removed["rule"].to_pylist()),
        by_source={name: _source_counts(name, before, kept, removed) for name in sorted(before)},
    )


def _source_counts(source: str, before: Counter[str], kept: Counter[str], removed: pa.Table) -> Counts:
    rules = removed.filter(pc.equal(removed["source_id"], source))["rule"].to_pylist()
    return stage_counts("clean", before[source], kept[source], rules)


def _result_facts(result: CleanResult) -> facts.Facts:
    return {
        "records": Fact(value=result.counts.records, unit="rows"),
        "quarantined_share": Fact(value=result.counts.quarantined_share, note="of the records that ingest made"),
    }
