"""Labels of a run that its owners should look at: those that no training record has, and those that are near-equal.

Labels are shown as stage `split` read them, with tokens in place of personal values. The vault is therefore not read,
and no ledger entry is written. A label is still a value of a record, so it is shown only to people with access to
single records of the record's source.
"""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tasks.inquiry.access import Access
from tasks.inquiry.row_location import locate_rows
from tasks.sources.resolved_sources import load_resolved


class LabelledRow(FrozenModel):
    source_id: str
    row: int
    """Number of the data row in the source, counted from 1."""
    record_id: str
    partition: str
    """Partition of the record: train, test, or quarantine if the record was left out because of its label."""


class LabelFinding(FrozenModel):
    finding: str
    """`not_trained`: no training record has the label. `near_equal`: the label nearly equals a more frequent one."""
    label: str
    near: str | None
    """More frequent label; null if there is none, or if the person has no access to any source with a record of it."""
    total: int
    """Number of rows with the label that the person has access to."""
    rows: list[LabelledRow]
    """First rows with the label, sorted by source and row. There can be fewer than `total`."""


class LabelFindings(FrozenModel):
    run: str
    findings: list[LabelFinding]
    withheld: int
    """Number of rows with such a label that the person has no access to."""


def findings_path(layout: Layout) -> Path:
    return layout.artefacts("split") / "label_findings.parquet"


def find_label_findings(
    layout: Layout, access: Access, max_rows: int, refuse_if_all_withheld: bool = True
) -> LabelFindings:
    """Return the labels of a run to look at, each with at most `max_rows` rows.

    Raises:
        InputError: Stage `split` of the run has not finished, or an earlier version of Hallmark executed it.
        Refused: Files of the run disagree about the source of a record. Unless `refuse_if_all_withheld` is false, the
            error is also raised if the run has such labels, but the person has access to none of their rows.
    """
    if not findings_path(layout).exists():
        raise InputError(f"run {layout.root.name} has no list of labels here; name one that has been through `split`")
    entries = locate_rows(layout, read_table(findings_path(layout)))
    looker = access.limit_to_run(layout)
    sources = [item.source for item in load_resolved(layout.sources_path).sources]
    allowed = {source.id for source in sources if looker.may_read(source)}
    shown = [entry for entry in entries if entry["source_id"] in allowed]
    if entries and not shown and refuse_if_all_withheld:
        needed = sorted({entry["source_id"] for entry in entries} - allowed)
        raise Refused(
            f"{access.person.id} may see none of the {len(entries):,} rows of run {layout.root.name} whose label is "
            "to be looked at: "
            + (looker.denial_reason or f"that takes owner, steward or a role in `access` of {', '.join(needed)}")
        )
    shown.sort(key=lambda entry: (*_finding_and_label(entry), entry["source_id"], entry["row"]))
    return LabelFindings(
        run=layout.root.name,
        findings=[_finding(list(group), allowed, max_rows) for _, group in groupby(shown, _finding_and_label)],
        withheld=len(entries) - len(shown),
    )


def _finding_and_label(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["finding"], entry["label"]


def _finding(entries: list[dict[str, Any]], allowed: Iterable[str], max_rows: int) -> LabelFinding:
    first = entries[0]
    is_near_visible = not set(first["near_sources"]).isdisjoint(allowed)
    rows = [LabelledRow.model_validate({k: entry[k] for k in LabelledRow.model_fields}) for entry in entries[:max_rows]]
    near = first["near"] if is_near_visible else None
    return LabelFinding(finding=first["finding"], label=first["label"], near=near, total=len(entries), rows=rows)
