"""Verification of a sequence of entries, from a database or a file, against signed heads."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import computed_field

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused
from tasks.ledger import attachments
from tasks.ledger import entry as ledger_entry
from tasks.ledger.entry import RowWithDocument
from tasks.ledger.heads.heads import Head
from tasks.ledger.open_questions import OpenQuestions
from tasks.ledger.tree.merkle import Frontier
from tasks.ledger.tree.subtrees import completed_subtrees

MAX_NAMED_ENTRIES = 20

ProgressCallback = Callable[[int], None]


class KnownHead(NamedTuple):
    head: Head
    place: str


class Finding(FrozenModel):
    verdict: Literal["holds", "wrong", "away", "told"]
    """Outcome of one check: `holds` if it passed, `wrong` if it failed, `away` if the data to check was unavailable,
    `told` if it is only a notice."""
    text: str


class Report(FrozenModel):
    entries: int
    anchored: int
    """Number of entries, counted from the first one, that the newest matching signed head covers."""
    findings: list[Finding]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Literal["holds", "wrong", "incomplete"]:
        said = {finding.verdict for finding in self.findings}
        return "wrong" if "wrong" in said else "incomplete" if "away" in said else "holds"


class BoundedMessages:
    """Messages about one kind of problem. At most MAX_NAMED_ENTRIES are stored, because a file can cause millions."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._more = 0

    def add(self, text: str) -> None:
        if len(self._first) < MAX_NAMED_ENTRIES:
            self._first.append(text)
        else:
            self._more += 1

    @property
    def texts(self) -> list[str]:
        return [*self._first, *[f"and {self._more:,} more like that"] * bool(self._more)]


@dataclass
class EntryCheckResult:
    tree: Frontier = field(default_factory=Frontier)
    ledger_id: str = ""
    """Leaf hash of the first entry, which identifies the ledger."""
    roots_by_size: dict[int, str] = field(default_factory=dict)
    gaps: BoundedMessages = field(default_factory=BoundedMessages)
    expected_subtree_roots: dict[tuple[int, int], str] = field(default_factory=dict)
    """Expected root hashes of full subtrees in hex, by number of the last entry and number of entries."""
    unreadable: BoundedMessages = field(default_factory=BoundedMessages)
    clock_reversals: BoundedMessages = field(default_factory=BoundedMessages)
    document_count: int = 0
    open_questions: OpenQuestions = field(default_factory=OpenQuestions)


def verify_entries(
    rows: Iterable[RowWithDocument], heads: Iterable[KnownHead], on_progress: ProgressCallback
) -> EntryCheckResult:
    """Hash and parse every entry, and check its number, time and attached document.

    Problems are collected in the result rather than raised.
    """
    walked, sizes, before = EntryCheckResult(), {copy.head.size for copy in heads}, None
    expected, tree = 1, Frontier()
    for row, document in rows:
        if row.seq != expected:
            walked.gaps.add(f"entry {row.seq} stands where {expected} was expected")
        expected = row.seq + 1 if isinstance(row.seq, int) else expected + 1
        leaf, time = _verify_entry(RowWithDocument(row, document), walked)
        for subtree in completed_subtrees(tree, leaf):
            walked.expected_subtree_roots[subtree.stop, subtree.size] = subtree.root.hex()
        tree = tree.append(leaf)
        if tree.size == 1:
            walked.ledger_id = leaf.hex()
        if tree.size in sizes:
            walked.roots_by_size[tree.size] = tree.root().hex()
        if time and before and time < before:
            walked.clock_reversals.add(f"entry {row.seq} by {(before - time).total_seconds():g} s")
        before = time or before
        on_progress(tree.size)
    walked.tree = tree
    return walked


def make_report(entry_check: EntryCheckResult, heads: list[KnownHead]) -> Report:
    size = entry_check.tree.size
    findings = _entry_findings(entry_check) + [
        _describe_disagreement(entry_check, copy) for copy in heads if not agrees_with_head(entry_check, copy)
    ]
    held = [copy for copy in heads if agrees_with_head(entry_check, copy)]
    for where in dict.fromkeys(copy.place for copy in heads):
        own = [copy.head for copy in held if copy.place == where]
        if own:
            newest = max(own, key=lambda head: head.size)
            text = f"{len(own):,} signed heads in {where} agree with the entries; the newest has {newest.describe()}"
            findings.append(Finding(verdict="holds", text=text))
    anchored = max((copy.head.size for copy in held), default=0)
    if anchored < size:
        after = f"entries {anchored + 1:,} to {size:,} came after the newest signed head" if anchored else "no entry"
        text = f"{after}: nothing but the database vouches for them" if anchored else "no signed head covers any entry"
        findings.append(Finding(verdict="told", text=text))
    return Report(entries=size, anchored=anchored, findings=findings)


def agrees_with_head(walked: EntryCheckResult, copy: KnownHead) -> bool:
    head = copy.head
    return head.ledger == walked.ledger_id and walked.roots_by_size.get(head.size) == head.root


def _verify_entry(kept: RowWithDocument, walked: EntryCheckResult) -> tuple[bytes, datetime | None]:
    row, document = kept
    walked.document_count += document is not None
    leaf = bytes(32)
    try:
        leaf = row.leaf_hash()
        time, body = ledger_entry.parse_time_and_body(row)
    except Refused as error:
        walked.unreadable.add(str(error))
        return leaf, None
    if wrong := attachments.find_mismatch(row.seq, body, document):
        walked.unreadable.add(wrong)
    walked.open_questions.apply(row.seq, row.kind, row.subject, body)
    return leaf, time


def _entry_findings(walked: EntryCheckResult) -> list[Finding]:
    size = walked.tree.size
    findings = [Finding(verdict="wrong", text=text) for text in walked.gaps.texts + walked.unreadable.texts]
    if not findings:
        text = f"{size:,} entries, numbered without gaps, each readable; root {walked.tree.root().hex()}"
        findings = [Finding(verdict="holds", text=text)]
    for text in walked.clock_reversals.texts:
        findings.append(Finding(verdict="told", text=f"the clock ran back at {text}; by itself that is no tampering"))
    return findings


def _describe_disagreement(walked: EntryCheckResult, copy: KnownHead) -> Finding:
    head, size = copy.head, walked.tree.size
    if head.size > size:
        text = f"the ledger ends at entry {size:,}: entries were taken off its end, or another one stands in its place"
    else:
        text = f"entries 1 to {head.size:,} are not those that it was signed over"
    return Finding(verdict="wrong", text=f"the head in {copy.place} of {head.describe()} does not hold: {text}")
