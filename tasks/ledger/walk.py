"""Go through the entries of a ledger, wherever they come from, and compare them with signed heads."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import computed_field

from tasks.core.config import Frozen
from tasks.core.errors import Refused
from tasks.ledger import attached
from tasks.ledger import entry as ledger_entry
from tasks.ledger.entry import Kept
from tasks.ledger.heads.heads import Head
from tasks.ledger.questions import Open
from tasks.ledger.tree.merkle import Frontier
from tasks.ledger.tree.subtrees import finished

SHOWN = 20
"""Entries named of each kind of trouble; the others are counted."""

Tick = Callable[[int], None]
"""Told how many entries have been looked at."""


class Known(NamedTuple):
    """A head whose signature holds, and where it was found."""

    head: Head
    where: str


class Finding(Frozen):
    verdict: Literal["holds", "wrong", "away", "told"]
    """`away`: could not be looked at. `told`: nothing is wrong, and a person should know."""
    text: str


class Report(Frozen):
    """What was checked, and what came out, in words."""

    entries: int
    anchored: int
    """Entries 1 to this are held by a signed head that they agree with."""
    findings: list[Finding]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Literal["holds", "wrong", "incomplete"]:
        said = {finding.verdict for finding in self.findings}
        return "wrong" if "wrong" in said else "incomplete" if "away" in said else "holds"


class Listed:
    """Troubles of one kind: the first ones in words, the others as a count, so that a file of nothing else fills no
    memory."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._more = 0

    def add(self, text: str) -> None:
        if len(self._first) < SHOWN:
            self._first.append(text)
        else:
            self._more += 1

    @property
    def texts(self) -> list[str]:
        return [*self._first, *[f"and {self._more:,} more like that"] * bool(self._more)]


@dataclass
class Walk:
    """The tree over entries as they came, and what is wrong with them."""

    tree: Frontier = field(default_factory=Frontier)
    ledger: str = ""
    """Leaf hash of the first."""
    roots: dict[int, str] = field(default_factory=dict)
    """Root at each size that a head is of."""
    gaps: Listed = field(default_factory=Listed)
    subtrees: dict[tuple[int, int], str] = field(default_factory=dict)
    """Roots that are to be kept beside the entries, by the number of their last entry and their size."""
    unreadable: Listed = field(default_factory=Listed)
    clock: Listed = field(default_factory=Listed)
    documents: int = 0
    """How many entries have something attached."""
    open: Open = field(default_factory=Open)


def walk(kept: Iterable[Kept], known: Iterable[Known], tick: Tick) -> Walk:
    """Hash every entry and what is attached to it, and look at its number, its time and whether it can be read."""
    walked, sizes, before = Walk(), {copy.head.size for copy in known}, None
    expected, tree = 1, Frontier()
    for row, document in kept:
        if row.seq != expected:
            walked.gaps.add(f"entry {row.seq} stands where {expected} was expected")
        expected = row.seq + 1 if isinstance(row.seq, int) else expected + 1
        leaf, time = _look(Kept(row, document), walked)
        for subtree in finished(tree, leaf):
            walked.subtrees[subtree.stop, subtree.size] = subtree.root.hex()
        tree = tree.append(leaf)
        if tree.size == 1:
            walked.ledger = leaf.hex()
        if tree.size in sizes:
            walked.roots[tree.size] = tree.root().hex()
        if time and before and time < before:
            walked.clock.add(f"entry {row.seq} by {(before - time).total_seconds():g} s")
        before = time or before
        tick(tree.size)
    walked.tree = tree
    return walked


def judge(walked: Walk, known: list[Known]) -> Report:
    """What the walk shows, and which heads it agrees with."""
    size = walked.tree.size
    findings = _of_entries(walked) + [_broken(walked, copy) for copy in known if not agrees(walked, copy)]
    held = [copy for copy in known if agrees(walked, copy)]
    for where in dict.fromkeys(copy.where for copy in known):
        own = [copy.head for copy in held if copy.where == where]
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


def agrees(walked: Walk, copy: Known) -> bool:
    head = copy.head
    return head.ledger == walked.ledger and walked.roots.get(head.size) == head.root


def _look(kept: Kept, walked: Walk) -> tuple[bytes, datetime | None]:
    row, document = kept
    walked.documents += document is not None
    leaf = bytes(32)
    try:
        leaf = row.leaf_hash()
        time, body = ledger_entry.parse(row)
    except Refused as error:
        walked.unreadable.add(str(error))
        return leaf, None
    if wrong := attached.problem(row.seq, body, document):
        walked.unreadable.add(wrong)
    walked.open.take(row.seq, row.kind, row.subject, body)
    return leaf, time


def _of_entries(walked: Walk) -> list[Finding]:
    size = walked.tree.size
    findings = [Finding(verdict="wrong", text=text) for text in walked.gaps.texts + walked.unreadable.texts]
    if not findings:
        text = f"{size:,} entries, numbered without gaps, each readable; root {walked.tree.root().hex()}"
        findings = [Finding(verdict="holds", text=text)]
    for text in walked.clock.texts:
        findings.append(Finding(verdict="told", text=f"the clock ran back at {text}; by itself that is no tampering"))
    return findings


def _broken(walked: Walk, copy: Known) -> Finding:
    head, size = copy.head, walked.tree.size
    if head.size > size:
        text = f"the ledger ends at entry {size:,}: entries were taken off its end, or another one stands in its place"
    else:
        text = f"entries 1 to {head.size:,} are not those that it was signed over"
    return Finding(verdict="wrong", text=f"the head in {copy.where} of {head.describe()} does not hold: {text}")
