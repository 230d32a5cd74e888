"""Rows of a run for its data owners: quarantined rows, protected values, labels to look at, and contradictions.

Counts are shown to everyone who may read pages. Texts, ids and quarantine reasons of records are shown only to people
who may see individual records of their source.
"""

from infra.console.site import RequestState
from infra.console.views import evidence_files
from infra.console.views.run_pages import run_layout
from infra.console.views.runs import RowLimit
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.inquiry import access, label_findings, masked_samples, quarantined_rows
from tasks.inquiry.access import Access
from tasks.inquiry.conflicts import pairs
from tasks.inquiry.conflicts.pairs import Pair
from tasks.inquiry.conflicts.text_diff import DiffPiece, diff_texts
from tasks.inquiry.label_findings import LabelFinding
from tasks.inquiry.masked_samples import MaskedSamples
from tasks.inquiry.quarantined_rows import QuarantinedRow, RuleCount
from tasks.policy.people import Person
from tasks.runs.run import governance_of_run
from tasks.sources.resolved_sources import load_resolved

PAGE_SIZE = 20
ROWS_PER_LABEL = 5
ROW_FILES = (
    ("ingest", "records"), ("ingest", "rows"), ("ingest", "quarantine"), ("clean", "records"), ("clean", "quarantine"),
    ("deduplicate", "quarantine"), ("deduplicate", "conflicts"), ("validate", "quarantine"), ("split", "quarantine"),
    ("split", "not_drawn"), ("split", "label_findings"),
)  # fmt: skip
"""Stage and name of each file that the page reads if it exists in the run."""
FILES_IN_MEMORY = ("rows", "quarantine", "conflicts", "not_drawn", "label_findings")
"""Names of the files that are read into memory completely."""
MAX_BYTES_IN_MEMORY = 256 << 20
"""Maximum size in memory of each of FILES_IN_MEMORY, in bytes. There is a limit because the run's own code writes these
files, and one process serves all people."""


class Contradiction(FrozenModel):
    pair: Pair
    prompts: tuple[list[DiffPiece], list[DiffPiece]]
    """Prompts of the removed record and of the other record, each split into pieces. A piece is equal in both prompts
    or differs."""
    targets: tuple[list[DiffPiece], list[DiffPiece]]


class RowsPage(FrozenModel):
    run: str
    compared: bool
    """Whether the files were compared with the data gate's evidence; false if the run has not reached the gate."""
    counts: list[RuleCount]
    source: str
    rule: str
    total: int
    rows: list[QuarantinedRow]
    masked: MaskedSamples
    labels: list[LabelFinding]
    """Labels that no training record has or that nearly equal another one, in rows that this person may see."""
    labels_withheld: int
    """Number of rows with such a label that this person may not see."""
    conflicts: list[Contradiction]
    conflicts_of: int
    """Number of contradictions that this person may see."""
    withheld: int
    """Number of contradictions that this person may not see."""


def rows(
    here: RequestState, person: Person, run: str, source: str = "", rule: str = "", most: RowLimit = PAGE_SIZE
) -> RowsPage:
    """Return the rows of a run, optionally of one source or one rule.

    Raises:
        InputError: The run has no records yet, or there is no such source or rule.
        Refused: A file differs from its digest in the gate's evidence, cannot be read, or is too large.
    """
    layout = run_layout(here, run)
    with evidence_files.refuse_unreadable_files(run):
        return _rows(here, person, layout, source, rule, most)


def _rows(here: RequestState, person: Person, layout: Layout, source: str, rule: str, most: int) -> RowsPage:
    run, files = layout.root.name, [layout.artefacts(stage) / f"{name}.parquet" for stage, name in ROW_FILES]
    compared = evidence_files.compare_with_evidence(here, layout, "data", *(path for path in files if path.exists()))
    evidence_files.refuse_large_files(
        *(path for path in files if path.exists() and path.stem in FILES_IN_MEMORY), max_bytes=MAX_BYTES_IN_MEMORY
    )
    looker = access.access_of_person(governance_of_run(here.root, layout), person).limit_to_run(layout)
    open_to = {item.source.id for item in load_resolved(layout.sources_path).sources if looker.may_read(item.source)}
    every = quarantined_rows.read_quarantine(layout)
    wanted = quarantined_rows.read_quarantine(layout, [source] if source else (), [rule] if rule else ())
    found, withheld, of = _conflicts(layout, looker)
    labels, labels_withheld = _labels(layout, looker)
    return RowsPage(
        run=run,
        compared=compared,
        counts=[_redact_count(each, open_to) for each in every.count_by_rule()],
        source=source,
        rule=rule,
        total=wanted.total,
        rows=[_redact_row(each, open_to) for each in wanted.first_rows(most)],
        masked=masked_samples.find_samples(layout, looker),
        labels=labels,
        labels_withheld=labels_withheld,
        conflicts=found,
        conflicts_of=of,
        withheld=withheld,
    )


def _redact_count(count: RuleCount, open_to: set[str]) -> RuleCount:
    return count.model_copy(update={"rule": _visible_rule(count.rule, count.source_id, open_to)})


def _redact_row(entry: QuarantinedRow, open_to: set[str]) -> QuarantinedRow:
    """Hide the reason and ids of a row if the person may not see records of its source.

    Names of rules that Hallmark itself defines are kept, because they reveal nothing about the text.
    """
    if entry.source_id in open_to:
        return entry
    rule = _visible_rule(entry.rule, entry.source_id, open_to)
    return entry.model_copy(update={"rule": rule, "reason": "", "record_id": None, "winner": None})


def _visible_rule(rule: str, source: str, open_to: set[str]) -> str:
    return rule if source in open_to or rule in quarantined_rows.KNOWN_RULES else "another rule"


def _labels(layout: Layout, looker: Access) -> tuple[list[LabelFinding], int]:
    if not label_findings.findings_path(layout).exists():  # before `split`, or by an earlier version
        return [], 0
    listed = label_findings.find_label_findings(layout, looker, ROWS_PER_LABEL, refuse_if_all_withheld=False)
    return listed.findings, listed.withheld


def _conflicts(layout: Layout, looker: Access) -> tuple[list[Contradiction], int, int]:
    try:
        listed = pairs.find_conflicts(layout, looker, PAGE_SIZE)
    except InputError:  # the run has not reached `deduplicate`
        return [], 0, 0
    except Refused:  # the person may see none of them
        return [], len(pairs.list_conflict_entries(layout)), 0
    found = [
        Contradiction(
            pair=pair,
            prompts=diff_texts(pair.went.prompt, pair.other.prompt),
            targets=diff_texts(pair.went.target, pair.other.target),
        )
        for pair in listed.pairs
    ]
    return found, listed.withheld, listed.total
