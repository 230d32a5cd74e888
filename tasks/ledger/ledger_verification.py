"""Verification of this installation's ledger: every entry is hashed again and compared with all available heads."""

from dataclasses import dataclass

from tasks.core.errors import HallmarkError, Refused, Unavailable
from tasks.ledger.entry_verification import (
    MAX_NAMED_ENTRIES,
    EntryCheckResult,
    Finding,
    KnownHead,
    ProgressCallback,
    Report,
    make_report,
    verify_entries,
)
from tasks.ledger.heads import heads, publication
from tasks.ledger.heads.heads import VoidHead
from tasks.ledger.heads.places.place import HeadPlace
from tasks.ledger.ledger import Ledger
from tasks.trust.ledger_keys import LedgerKeys


def verify_ledger(
    ledger: Ledger,
    keyholder: LedgerKeys,
    on_progress: ProgressCallback = lambda _: None,
    with_published_heads: bool = True,
) -> Report:
    """Recompute the tree from all entries, and compare it with the signed heads.

    A million entries take half a minute. Memory use does not grow with the number of entries.

    Args:
        ledger: Ledger to verify.
        keyholder: Keys of this installation, and the folder with its heads.
        on_progress: Function that is called with the number of entries verified so far.
        with_published_heads: Whether to compare with published heads as well as with the heads stored on this machine.

    Raises:
        Unavailable: The database cannot be reached.
    """
    known, findings = collect_known_heads(keyholder, with_published_heads)
    with ledger.transaction():  # so that nothing is appended between the queries
        last, beside = ledger.last_seq(), _StoredValues.from_ledger(ledger)
    walked = verify_entries(ledger.rows_with_documents(upto=last), known, on_progress)
    report = make_report(walked, known)
    own = [Finding(verdict="wrong", text=text) for text in ledger.access_problems()]
    own += _database_findings(walked, beside)
    return report.model_copy(update={"findings": [*report.findings, *own, *findings]})


def collect_known_heads(
    keyholder: LedgerKeys, with_published_heads: bool = True
) -> tuple[list[KnownHead], list[Finding]]:
    known, findings = [], []
    here = publication.local_head_place(keyholder)
    others = publication.configured_places(keyholder) if with_published_heads else []
    counting: set[int] = set()
    for where in [here, *others]:
        there, said = _read_heads(where, keyholder)
        known += there
        findings += said
        sizes = {copy.head.size for copy in there}
        if where is here:
            counting = sizes
        elif all(finding.verdict == "told" for finding in said):
            findings += _missing_heads(sizes, counting, where)
    if with_published_heads and not others:
        text = (
            f"{publication.PLACES_VARIABLE} names no place: heads are kept beside the ledger alone, and whoever owns "
            "this machine could rewrite both"
        )
        findings.append(Finding(verdict="told", text=text))
    return known, findings


def _read_heads(where: HeadPlace, keyholder: LedgerKeys) -> tuple[list[KnownHead], list[Finding]]:
    known, findings = list[KnownHead](), list[Finding]()
    void: list[str] = []
    try:
        stored = where.read(where.sizes())
    except Unavailable as error:
        return [], [Finding(verdict="away", text=f"not compared with the heads there: {error}")]
    except Refused as error:
        return [], [Finding(verdict="wrong", text=str(error))]
    for size, data in sorted(stored.items()):
        try:
            head, _ = heads.parse_head(data, publication.ledger_keys(keyholder))
            if head.size != size:
                raise Refused(f"it is one of {head.size:,} entries")
            known.append(KnownHead(head, where.name))
        except VoidHead as error:
            void.append(f"{len(void) + 1:,} signed heads in {where.name} count for nothing, the newest since {error}")
        except Refused as error:
            text = f"the head of {size:,} entries in {where.name} does not count: {error}"
            findings.append(Finding(verdict="wrong", text=text))
    return known, [*findings, *(Finding(verdict="told", text=text) for text in void[-1:])]


def _missing_heads(there: set[int], here: set[int], where: HeadPlace) -> list[Finding]:
    missing = len(here - there)
    text = f"{where.name} lacks {missing:,} heads that were signed here; `hallmark ledger publish` takes them there"
    return [Finding(verdict="told", text=text)] if missing else []


@dataclass(frozen=True)
class _StoredValues:
    count: int
    documents: int
    tree: object
    subtrees: dict[tuple[int, int], str]
    open_question_seqs: set[int]
    missing_guards: list[str]
    foreign_triggers: list[str]

    @staticmethod
    def from_ledger(ledger: Ledger) -> "_StoredValues":
        return _StoredValues(
            ledger.count_entries(),
            ledger.count_documents(),
            _stored_tree(ledger),
            ledger.subtree_roots(),
            ledger.open_question_seqs(),
            ledger.missing_guards(),
            ledger.foreign_triggers(),
        )


def _stored_tree(ledger: Ledger) -> object:
    try:
        return ledger.frontier()
    except HallmarkError as error:
        return error


def _database_findings(walked: EntryCheckResult, beside: _StoredValues) -> list[Finding]:
    wrong, notes = [], []
    if beside.count != walked.tree.size:
        wrong.append(f"the table counts {beside.count:,} rows, and {walked.tree.size:,} were read in order: some have "
                     "one number")  # fmt: skip
    if beside.documents != walked.document_count:
        wrong.append(f"{beside.documents:,} documents are attached, and {walked.document_count:,} of them to an entry")
    if beside.tree != walked.tree:
        wrong.append(f"the tree kept beside the entries is not theirs, which is of {walked.tree}: {beside.tree}")
    if off := [of for of, root in beside.subtrees.items() if walked.expected_subtree_roots.get(of) != root]:
        stop, size = off[0]
        wrong.append(f"{len(off):,} roots kept beside the entries are not theirs, first that of {size:,} up to {stop}")
    if differ := sorted(beside.open_question_seqs ^ walked.open_questions.seqs):
        wrong.append(
            f"what is kept beside the entries of the gates that stand open is not theirs: {differ[:MAX_NAMED_ENTRIES]}"
        )
    if beside.foreign_triggers:
        names = ", ".join(ascii(name) for name in beside.foreign_triggers)
        wrong.append(f"triggers or rules that are not Hallmark's change what is written to the database: {names}")
    if beside.missing_guards:
        notes = [f"triggers that keep the tables append-only were taken off: {', '.join(beside.missing_guards)}"]
    return [Finding(verdict="wrong", text=text) for text in wrong] + [Finding(verdict="told", text=t) for t in notes]
