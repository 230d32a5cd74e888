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

OnProgress = Callable[[int], None]


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
    """Number of entries, counted from the first one, that a signed head covers and agrees with."""
    findings: list[Finding]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Literal["holds", "wrong", "incomplete"]:
        said = {finding.verdict for finding in self.findings}
        return "wrong" if "wrong" in said else "incomplete" if "away" in said else "holds"


class BoundedMessages:
    """Messages about one kind of problem. At most MAX_NAMED_ENTRIES are stored: a hostile file can cause millions."""

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
class EntryCheck:
    tree: Frontier = field(default_factory=Frontier)
    ledger: str = ""
    """Leaf hash of the first entry, which identifies the ledger."""
    roots: dict[int, str] = field(default_factory=dict)
    gaps: BoundedMessages = field(default_factory=BoundedMessages)
    subtrees: dict[tuple[int, int], str] = field(default_factory=dict)
    """Expected root hashes of full subtrees in hex, by number of the last entry and number of entries."""
    unreadable: BoundedMessages = field(default_factory=BoundedMessages)
    clock_reversals: BoundedMessages = field(default_factory=BoundedMessages)
    documents: int = 0
    open_questions: OpenQuestions = field(default_factory=OpenQuestions)


def verify_entries(kept: Iterable[RowWithDocument], known: Iterable[KnownHead], tick: OnProgress) -> EntryCheck:
    """Hash and parse every entry, and check its number, time and attached document.

    Problems are collected in the result rather than raised.
    """
    walked, sizes, before = EntryCheck(), {copy.head.size for copy in known}, None
    expected, tree = 1, Frontier()
    for row, document in kept:
        if row.seq != expected:
            walked.gaps.add(f"entry {row.seq} stands where {expected} was expected")
        expected = row.seq + 1 if isinstance(row.seq, int) else expected + 1
        leaf, time = _verify_entry(RowWithDocument(row, document), walked)
        for subtree in completed_subtrees(tree, leaf):
            walked.subtrees[subtree.stop, subtree.size] = subtree.root.hex()
        tree = tree.append(leaf)
        if tree.size == 1:
            walked.ledger = leaf.hex()
        if tree.size in sizes:
            walked.roots[tree.size] = tree.root().hex()
        if time and before and time < before:
            walked.clock_reversals.add(f"entry {row.seq} by {(before - time).total_seconds():g} s")
        before = time or before
        tick(tree.size)
    walked.tree = tree
    return walked


def make_report(walked: EntryCheck, known: list[KnownHead]) -> Report:
    size = walked.tree.size
    findings = _entry_findings(walked) + [
        _disagreement(walked, copy) for copy in known if not agrees_with_head(walked, copy)
    ]
    held = [copy for copy in known if agrees_with_head(walked, copy)]
    for where in dict.fromkeys(copy.place for copy in known):
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


def agrees_with_head(walked: EntryCheck, copy: KnownHead) -> bool:
    head = copy.head
    return head.ledger == walked.ledger and walked.roots.get(head.size) == head.root


def _verify_entry(kept: RowWithDocument, walked: EntryCheck) -> tuple[bytes, datetime | None]:
    row, document = kept
    walked.documents += document is not None
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


def _entry_findings(walked: EntryCheck) -> list[Finding]:
    size = walked.tree.size
    findings = [Finding(verdict="wrong", text=text) for text in walked.gaps.texts + walked.unreadable.texts]
    if not findings:
        text = f"{size:,} entries, numbered without gaps, each readable; root {walked.tree.root().hex()}"
        findings = [Finding(verdict="holds", text=text)]
    for text in walked.clock_reversals.texts:
        findings.append(Finding(verdict="told", text=f"the clock ran back at {text}; by itself that is no tampering"))
    return findings


def _disagreement(walked: EntryCheck, copy: KnownHead) -> Finding:
    head, size = copy.head, walked.tree.size
    if head.size > size:
        text = f"the ledger ends at entry {size:,}: entries were taken off its end, or another one stands in its place"
    else:
        text = f"entries 1 to {head.size:,} are not those that it was signed over"
    return Finding(verdict="wrong", text=f"the head in {copy.place} of {head.describe()} does not hold: {text}")
