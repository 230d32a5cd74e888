"""Verify the ledger of this installation: every entry anew, against every head that can be reached."""

from tasks.errors import HallmarkError, Refused, Unavailable
from tasks.govern.ledger import heads, publish
from tasks.govern.ledger.heads import Void
from tasks.govern.ledger.ledger import Ledger
from tasks.govern.ledger.places.place import Place
from tasks.govern.ledger.walk import Finding, Known, Report, Tick, Walk, judge, walk
from tasks.govern.rules.governance import Governance


def verify(ledger: Ledger, governance: Governance, tick: Tick = lambda _: None) -> Report:
    """Recompute the tree from the entries alone. Raises Unavailable where the ledger is away.

    A million entries take half a minute and no more memory than a thousand.
    """
    known, findings = known_heads(governance)
    with ledger.transaction():  # so that nothing is appended between
        last, count, cached, kept = ledger.last(), ledger.count(), _cached(ledger), ledger.subtrees()
    walked = walk(ledger.rows(upto=last), known, tick)
    report = judge(walked, known)
    own = _database(walked, count, cached, kept, ledger.unguarded())
    return report.model_copy(update={"findings": [*report.findings, *own, *findings]})


def known_heads(governance: Governance) -> tuple[list[Known], list[Finding]]:
    """Every head kept here and in the places, and what is to say of those that do not count or cannot be seen."""
    known, findings = [], []
    here = publish.local(governance)
    elsewhere = publish.places(governance)
    counting: set[int] = set()
    for where in [here, *elsewhere]:
        found, said = _heads(where, governance)
        known += found
        findings += said
        sizes = {one.head.size for one in found}
        if where is here:
            counting = sizes
        elif all(finding.verdict == "told" for finding in said):
            findings += _late(sizes, counting, where)
    if not elsewhere:
        text = (
            f"{publish.PLACES} names no place: heads are kept beside the ledger alone, and whoever owns this machine "
            "could rewrite both"
        )
        findings.append(Finding(verdict="told", text=text))
    return known, findings


def _heads(where: Place, governance: Governance) -> tuple[list[Known], list[Finding]]:
    known, findings = list[Known](), list[Finding]()
    void: list[str] = []
    try:
        found = where.read(where.sizes())
    except Unavailable as error:
        return [], [Finding(verdict="away", text=f"not compared with the heads there: {error}")]
    except Refused as error:
        return [], [Finding(verdict="wrong", text=str(error))]
    for size, data in sorted(found.items()):
        try:
            head, _ = heads.parse(data, publish.signers(governance))
            if head.size != size:
                raise Refused(f"it is one of {head.size:,} entries")
            known.append(Known(head, where.name))
        except Void as error:
            void.append(f"{len(void) + 1:,} signed heads in {where.name} count for nothing, the newest since {error}")
        except Refused as error:
            text = f"the head of {size:,} entries in {where.name} does not count: {error}"
            findings.append(Finding(verdict="wrong", text=text))
    return known, [*findings, *(Finding(verdict="told", text=text) for text in void[-1:])]


def _late(there: set[int], here: set[int], where: Place) -> list[Finding]:
    missing = len(here - there)
    text = f"{where.name} lacks {missing:,} heads that were signed here; `hallmark ledger publish` takes them there"
    return [Finding(verdict="told", text=text)] if missing else []


def _cached(ledger: Ledger) -> object:
    try:
        return ledger.frontier()
    except HallmarkError as error:
        return error


def _database(
    walked: Walk, count: int, cached: object, kept: dict[tuple[int, int], str], unguarded: list[str]
) -> list[Finding]:
    """What only the database itself can show."""
    findings = []
    if count != walked.tree.size:
        text = f"the table counts {count:,} rows, and {walked.tree.size:,} were read in order: some have one number"
        findings.append(Finding(verdict="wrong", text=text))
    if cached != walked.tree:
        text = f"the tree kept beside the entries is not theirs: {cached}"
        findings.append(Finding(verdict="wrong", text=text))
    wrong = [of for of, root in kept.items() if walked.subtrees.get(of) != root]
    if wrong:
        stop, size = wrong[0]
        text = f"{len(wrong):,} roots kept beside the entries are not theirs, first that of {size:,} up to {stop}"
        findings.append(Finding(verdict="wrong", text=text))
    if unguarded:
        text = f"triggers that keep the table append-only were taken off: {', '.join(unguarded)}"
        findings.append(Finding(verdict="told", text=text))
    return findings
