"""Small sources, parameters and runs for the tests of the data stages."""

import csv
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.files import read_json, write_json
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.records.record import RECORD_SCHEMA, read_table, write_table
from tasks.core.steps.data import DATA_STAGES, FILTER_STAGE_NAMES, LAST_FILTER_STAGE
from tasks.inquiry.access import Access
from tasks.policy.people import Person
from tasks.runs.requests.source_resolution import resolve_sources
from tasks.sources import vault_keys
from tasks.sources.expectation_suites import ExpectationSuite, Suites
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources, load_resolved
from tasks.sources.sources import Source, Sources
from tasks.stages.data.clean import clean
from tasks.stages.data.deduplicate import deduplicate
from tasks.stages.data.deduplicate.deduplicate_result import DeduplicateResult
from tasks.stages.data.deduplicate.output_tables import CLUSTERS_SCHEMA
from tasks.stages.data.ingest import ingest, source_cache
from tasks.stages.data.ingest.batch_processor import ROWS_SCHEMA
from tasks.stages.data.split import record_columns, split
from tasks.stages.data.split.split_result import SplitResult

CARD = {
    "name": "tests",
    "problem": "p",
    "users": ["tests"],
    "risk_tier": "limited",
    "approach": "lora",
    "approach_reason": "r",
    "approved_uses": ["tests"],
    "limitations": ["none"],
    "escalation_path": "e",
    "owners": {"business": "b", "technical": "t", "data": "d"},
    "success_metrics": [{"name": "m", "fact": "evaluate.exact_match", "at_least": 0}],
}

INVENTORY = {
    "owner": "data-owner",
    "steward": "data-owner",
    "access": ["data_owner"],
    "classification": "internal",
    "lawful_basis": "consent",
    "licence": "CC0-1.0",
    "retention_days": 36500,
    "region": "eu",
    "refresh_days": 30,
    "approved_uses": ["tests"],
}
"""What sources.yaml says of a source beside where it lies and what its columns mean."""
TODAY = date(2026, 3, 14)


def params(evaluation: dict[str, Any] | None = None, **data: Any) -> Params:
    """Valid parameters; `data` are fields of params.yaml: data."""
    return Params.model_validate(
        {
            "use_case": CARD,
            "prompts": {"triage": {}},
            "data": data,
            "base_model": {"folder": "m", "sha256": "0" * 64, "licence": "Apache-2.0"},
            "training": {},
            "evaluation": evaluation or {"target": "label"},
        }
    )


def source(location: Path | str, kind: str = "csv", **fields: Any) -> Source:
    """A source with columns `text` and `label`; other fields of Source as given."""
    plain = {"mapping": {"prompt": "text", "response": "label"}, "constants": {"task": "triage", "language": "en"}}
    named = {"id": "src", "kind": kind, "location": str(location)}
    return Source.model_validate(named | INVENTORY | plain | fields)


def table(rows: list[dict[str, Any]], columns: list[str] | None = None) -> bytes:
    """Rows as the bytes of a CSV file in UTF-8, by default with the columns of the first row."""
    text = io.StringIO()
    columns = columns or (list(rows[0]) if rows else ["text", "label"])
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def jsonl(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def parquet(rows: list[dict[str, Any]] | pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows), out)
    return out.getvalue()


FILE_OF: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {"csv": table, "jsonl": jsonl, "parquet": parquet}
"""Rows as the bytes of a file, by kind of source."""


def suite(*asked: tuple[str, dict[str, Any]], name: str = "checks") -> ExpectationSuite:
    """A suite of expectations, each a type and its arguments."""
    why = [{"type": kind, "kwargs": kwargs, "why": f"because {n}"} for n, (kind, kwargs) in enumerate(asked)]
    return ExpectationSuite.model_validate({"name": name, "expectations": why})


SEVERAL = ("tickets", "chats", "emails")
"""Sources in an order of use that is not the sorted one. What pairs by place is wrong about all three, or seen."""
OWNERS = {"tickets": "data-owner", "chats": "reader", "emails": "steward"}


def several(root: Path, rows: Mapping[str, list[dict[str, str]]], **fields: Any) -> list[Source]:
    """A source for each name in `rows`, in that order: its file below `root`, an owner and a licence of its own."""
    made = []
    for name, own in rows.items():
        (root / f"{name}.csv").write_bytes(table(own))
        told = {"owner": OWNERS.get(name, "data-owner"), "licence": f"licence of {name}"}
        made.append(source(f"{name}.csv", id=name, **{**told, **fields}))
    return made


def worded(name: str, rows: int) -> list[dict[str, str]]:
    """`rows` different prompts that say which source they are of."""
    return [{"text": f"{name} message number {number}", "label": f"label{number % 3}"} for number in range(rows)]


def messages(rows: int) -> list[dict[str, str]]:
    """`rows` different prompts of three labels."""
    return [{"text": f"message number {number}", "label": f"label{number % 3}"} for number in range(rows)]


def record(text: str, label: str = "yes", number: int = 0, **fields: Any) -> dict[str, Any]:
    """A record as `ingest` writes it; its record_id is made of `number`."""
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": label}]
    plain = dict.fromkeys(RECORD_SCHEMA.names, "") | {"policy_tags": [], "subjects": []}
    dates = {"effective_from": None, "retired_at": None}
    named = {"record_id": f"{number:032x}", "source_id": "src", "task": "triage", "messages": turns, "kind": "answer"}
    return plain | dates | named | {"language": "en", "origin": "source"} | fields


def prompt_key(record: dict[str, Any]) -> str:
    """What makes two prompts the same for splitting."""
    return "\n".join(
        f"{turn['role']}:{' '.join(turn['content'].casefold().split())}" for turn in record["messages"][:-1]
    )


def as_placed(
    records: list[dict[str, Any]], seed: int = 17, clusters: dict[str, str] | None = None
) -> record_columns.SplitRecords:
    """Records as `split` sees them; `clusters` by record_id."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "records.parquet"
        write_table(pa.Table.from_pylist(records, schema=RECORD_SCHEMA), path)
        named = clusters or {}
        return record_columns.read_split_records(
            path, pa.table([[*named], [*named.values()]], schema=CLUSTERS_SCHEMA), seed
        )


def stages(validate: bool = False) -> dict[str, ModuleType]:
    """The stages of data by name, in their order; the one that asks suites only for a test that has some."""
    return {each.name: import_module(each.module_name) for each in DATA_STAGES if validate or each.name != "validate"}


def passage(rows: int) -> dict[str, Any]:
    """Counts of a stage that let every row pass."""
    return {"rows": rows, "records": rows, "quarantined": {}}


@dataclass
class Run:
    """The worktree of a run in which data stages are called one by one."""

    root: Path

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    def resolve(self, *sources: Source, today: date = TODAY, suppressed: Collection[str] = (), **fields: Any) -> None:
        """Pin sources into inputs/sources.json."""
        self.resolve_inventory(Sources(sources=list(sources), **fields), today, suppressed)

    def resolve_inventory(self, inventory: Sources, today: date = TODAY, suppressed: Collection[str] = ()) -> None:
        """Pin an inventory; the vault gets a key where it has none."""
        vault_keys.create_key(self.layout.state)
        vault = vault_keys.load_keys(self.layout.state).fingerprint
        pinned = resolve_sources(inventory, self.root, today, vault, suppressed)
        write_json(self.layout.sources_path, pinned.model_dump(mode="json"))
        write_json(self.layout.stage_digests_path, {"ingest": "its code"})
        (self.root / "constraints.txt").touch()

    def pin(self, data: bytes, name: str = "data.csv", **fields: Any) -> Path:
        """Write `data` to a file and pin it as the source. Returns the file."""
        (self.root / name).write_bytes(data)
        self.resolve(source(name, **fields))
        return self.root / name

    def ingest(
        self, data: bytes, name: str = "data.csv", how: Params | None = None, **fields: Any
    ) -> ingest.IngestResult:
        """Write `data` to a file, pin it as a source, and ingest it."""
        self.pin(data, name, **fields)
        return ingest.run(how or params(), self.layout)

    def forget(self) -> None:
        """Drop what is kept of sources, so that the next `ingest` reads them."""
        shutil.rmtree(source_cache.cache_folder(self.layout))

    def records_of(self, stage: str, name: str = "records") -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = read_table(self.layout.artefacts(stage) / f"{name}.parquet").to_pylist()
        return rows

    def rules_of(self, stage: str) -> dict[int, str]:
        """The rule of every quarantined row, by its number in the source."""
        return {item["row"]: item["rule"] for item in self.records_of(stage, "quarantine")}

    def put(
        self,
        stage: str,
        records: list[dict[str, Any]],
        authority: dict[str, int] | None = None,
        says: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Records as if `stage` (one that filters) had written them, with what the stages before it write
        beside. `authority` is that of sources, by id; `says` what else sources.yaml says of them."""
        rows = [{"record_id": r["record_id"], "source_id": "src", "row": n} for n, r in enumerate(records, start=1)]
        self.put_rows(rows)
        self.put_results(records)
        named = {item["source_id"]: 0 for item in records} | (authority or {})
        pinned = [
            ResolvedSource(
                source=source("data.csv", id=name, authority=rank, **(says or {}).get(name, {})),
                sha256="0" * 64, bytes=1,
            )
            for name, rank in (named or {"src": 0}).items()
        ]  # fmt: skip
        resolved = ResolvedSources(sources=pinned, as_of=TODAY, vault="0" * 32)
        write_json(self.layout.sources_path, resolved.model_dump(mode="json"))
        write_table(
            pa.table([[], []], schema=CLUSTERS_SCHEMA),
            self.layout.artefacts("deduplicate") / "clusters.parquet",
        )
        write_table(
            pa.Table.from_pylist(records, schema=RECORD_SCHEMA), self.layout.artefacts(stage) / "records.parquet"
        )

    def put_results(self, records: list[dict[str, Any]]) -> None:
        """What the stages before `split` say that took nothing out."""
        passed = {name: passage(count) for name, count in Counter(item["source_id"] for item in records).items()}
        empty = {"sha256": "0" * 64, "protected": {}, "actions": {}}
        sources = [{"id": name, "counts": counts, **empty} for name, counts in passed.items()]
        for name in FILTER_STAGE_NAMES:
            result = {"counts": passage(len(records)), "sources": sources, "by_source": passed, "near": {}}
            write_json(self.layout.artefacts(name) / "result.json", result)

    def put_rows(self, rows: list[dict[str, Any]]) -> None:
        """Where each record came from, as `ingest` says it."""
        write_table(pa.Table.from_pylist(rows, schema=ROWS_SCHEMA), self.layout.artefacts("ingest") / "rows.parquet")

    def clean(
        self, records: list[dict[str, Any]], evaluation: dict[str, Any] | None = None, **data: Any
    ) -> clean.CleanResult:
        self.put("ingest", records)
        return clean.run(params(evaluation, **data), self.layout)

    def deduplicate(
        self,
        records: list[dict[str, Any]],
        authority: dict[str, int] | None = None,
        says: dict[str, dict[str, Any]] | None = None,
        **data: Any,
    ) -> DeduplicateResult:
        self.put("clean", records, authority, says)
        return deduplicate.run(params(**data), self.layout)

    def split(
        self, records: list[dict[str, Any]], evaluation: dict[str, Any] | None = None, **data: Any
    ) -> SplitResult:
        self.put(LAST_FILTER_STAGE, records)
        return split.run(params(evaluation, **data), self.layout)

    def put_suites(self, suites: Suites) -> None:
        write_json(self.layout.suites_path, suites.model_dump(mode="json"))

    def access(self, person: Person) -> Access:
        """What somebody may look at while sources.yaml says what it said when the run began."""
        sources = {item.source.id: item.source for item in load_resolved(self.layout.sources_path).sources}
        return Access(person, frozenset(person.roles_at(None)), sources)

    def result(self, stage: str) -> dict[str, Any]:
        document: dict[str, Any] = read_json(self.layout.artefacts(stage) / "result.json")
        return document
