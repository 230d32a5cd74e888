"""Stage `ingest`: turn each row of each source into a record, or quarantine the row.

The stage reads each source as it was pinned. In one pass, it normalises and repairs texts, maps columns to
`tasks.core.records.record.SCHEMA_SCHEMA`, and protects personal and secret text before anything is written
(`source_reader.py`). It does not read an unchanged source again (`source_cache.py`); the output has the same bytes
either way.

    artefacts/ingest/records.parquet      tasks.core.records.record.SCHEMA_SCHEMA, in the order of sources and rows
    artefacts/ingest/rows.parquet         origin of each record: record_id, source_id, row, and a digest of its document
    artefacts/ingest/synthetic.parquet    tasks.core.records.synthetic.SYNTHETIC_SCHEMA: provenance of synthetic records
    artefacts/ingest/quarantine.parquet   tasks.core.records.record.QUARANTINE_SCHEMA
    artefacts/ingest/tokens.parquet       tokens whose values must be in the vault
    artefacts/ingest/result.json          `IngestResult`
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.files import atomic_folder, read_json, write_json
from tasks.core.layout import Layout
from tasks.core.params.data import Data
from tasks.core.params.prompts import Prompts
from tasks.core.progress import print_progress
from tasks.core.records.record import read_batches
from tasks.core.records.synthetic import SYNTHETIC_FILE, read_parents
from tasks.sources import vault_writer
from tasks.sources.resolved_sources import ResolvedSources, load_resolved
from tasks.sources.vault_writer import VaultWriter
from tasks.stages.data.ingest import parents, source_cache
from tasks.stages.data.ingest.pool import BatchPool
from tasks.stages.data.ingest.source_reader import (
    COUNTS_FILE,
    MAX_EXAMPLES,
    TABLE_SCHEMAS,
    TOKENS_SCHEMA,
    ReadContext,
    SourceCounts,
    TableWriters,
)
from tasks.stages.data.quarantine import Counts


class IngestResult(FrozenModel):
    counts: Counts
    sources: list[SourceCounts]


class Params(FrozenModel):
    """Sections of params.yaml that the stage reads."""

    data: Data
    prompts: Prompts


def run(params: Params, layout: Layout) -> IngestResult:
    """Run the stage on all sources in inputs/sources.json.

    Raises:
        InputError: A source cannot be used, or the vault's key is not the one with which the run was resolved. The key
            is checked before any source is read.
    """
    resolved = load_resolved(layout.sources_path)
    _check_tasks(resolved, params)
    vault = _connect_vault(resolved, layout)
    with BatchPool() as pool, atomic_folder(layout.artefacts("ingest")) as folder:
        desk = ReadContext(resolved, params.data.max_malformed_share, layout.root, vault, pool)
        sources = _without_rejected(_collect_sources(desk, layout, folder), parents.link_parents(folder))
        result = IngestResult(counts=_total_counts(sources), sources=sources)
        linked = read_parents(folder / SYNTHETIC_FILE)
        write_json(
            folder / "result.json",
            {"facts": facts.facts_to_json(_result_facts(result, linked)), **result.model_dump(mode="json")},
        )
    return result


def _check_tasks(resolved: ResolvedSources, params: Params) -> None:
    for item in resolved.sources:
        task = item.source.constants.task
        if task not in params.prompts:
            raise InputError(
                f"source {item.source.id}: its task {task!r} is not in params.yaml: prompts, which has "
                f"{', '.join(sorted(params.prompts))}; add it there or correct `constants.task` in sources.yaml"
            )
        if (item.source.mapping.text is None) != (params.prompts[task].text_window is None):
            has = "has no" if params.prompts[task].text_window is None else "has a"
            raise InputError(
                f"source {item.source.id}: `mapping.text` goes with a task of plain texts, and prompts.{task} of "
                f"params.yaml {has} text_window; map `text`, or set text_window to null"
            )


def _connect_vault(resolved: ResolvedSources, layout: Layout) -> VaultWriter:
    vault = vault_writer.connect_to_vault() or _open_vault(layout)
    if vault.keys.fingerprint != resolved.vault:
        raise InputError(
            f"the run was resolved with the vault's key {resolved.vault[:12]}…, and the key given is "
            f"{vault.keys.fingerprint[:12]}…; give the run its own key, or start a new run. Nothing was written"
        )
    return vault


def _open_vault(layout: Layout) -> VaultWriter:
    """Open the vault directly, because a stage that is run by hand has no supervisor to open it."""
    from tasks.sources.vault import open_vault  # SQLAlchemy takes a fifth of a second to import

    return open_vault(layout.cache_root)


def _collect_sources(desk: ReadContext, layout: Layout, folder: Path) -> list[SourceCounts]:
    sources, tokens = [], set[str]()
    with TableWriters(folder) as tables:
        for resolved in desk.resolved.sources:
            with source_cache.open_cached_source(resolved, desk, layout) as piece:
                print_progress("ingest", f"adding {resolved.source.id} to the tables")
                sources.append(SourceCounts.model_validate(read_json(piece.folder / COUNTS_FILE)))
                tokens |= _append_tables(piece.folder, tables)
            how = "read" if piece.was_read else "unchanged since they were read last"
            print(f"source {resolved.source.id}: {sources[-1].counts.rows:,} rows {how}", flush=True)
        tables.write("tokens", pa.table({"token": sorted(tokens)}, schema=TOKENS_SCHEMA))
    return sources


def _without_rejected(sources: list[SourceCounts], rejected: Mapping[str, Counter[str]]) -> list[SourceCounts]:
    """Return the counts after the children of records that are not there were rejected."""
    return [
        source.model_copy(update={"counts": source.counts.with_quarantined(rejected[source.id])})
        if source.id in rejected
        else source
        for source in sources
    ]


def _append_tables(source: Path, tables: TableWriters) -> set[str]:
    for name in ("records", "rows", "synthetic", "quarantine"):
        for batch in read_batches(source / f"{name}.parquet"):
            tables.write(name, pa.Table.from_batches([batch]).cast(TABLE_SCHEMAS[name]))
    return {token for batch in read_batches(source / "tokens.parquet") for token in batch["token"].to_pylist()}


def _total_counts(sources: list[SourceCounts]) -> Counts:
    rules: Counter[str] = Counter()
    for source in sources:
        rules.update(source.counts.quarantined)
    return Counts(
        rows=sum(source.counts.rows for source in sources),
        records=sum(source.counts.records for source in sources),
        quarantined=dict(sorted(rules.items())),
    )


def _result_facts(result: IngestResult, parents: Mapping[str, list[str]]) -> facts.Facts:
    worst = max(result.sources, key=lambda source: source.malformed / source.counts.rows)
    protected = sum(sum(source.protected.values()) for source in result.sources)
    return (
        {
            "rows": Fact(value=result.counts.rows, unit="rows"),
            "records": Fact(value=result.counts.records, unit="rows"),
            "malformed_share": Fact(
                value=worst.malformed / worst.counts.rows, note=f"highest of the sources: {worst.id}"
            ),
            "quarantined_share": Fact(value=result.counts.quarantined_share, note="over all sources"),
            "protected": Fact(
                value=protected, note="stretches of personal or secret text found, whatever was done with them"
            ),
        }
        | _detector_facts(result)
        | _synthetic_facts(parents)
    )


def _detector_facts(result: IngestResult) -> facts.Facts:
    counts = [count for source in result.sources for own in source.detected.values() for count in own.values()]
    if not counts:
        return {}
    return {
        "added_by_detectors": Fact(
            value=sum(count.added for count in counts), note="finds of owners' detectors that nothing else had found"
        )
    }


def _synthetic_facts(parents: Mapping[str, list[str]]) -> facts.Facts:
    if not parents:
        return {}
    alone = sorted(child for child, own in parents.items() if not own)
    more = ", …" if len(alone) > MAX_EXAMPLES else ""
    named = f": records {', '.join(alone[:MAX_EXAMPLES])}{more}" if alone else ""
    return {
        "synthetic_records": Fact(value=len(parents), unit="rows"),
        "synthetic_without_parents": Fact(
            value=len(alone), unit="rows", note=f"made from no record that they name{named}"
        ),
    }
