"""Start of a review: pairs are drawn, their answers put in a secret order, and a round of labels begins with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.files import sha256_bytes, sha256_file, tree_digest
from tasks.core.layout import Layout
from tasks.gates import record_chain
from tasks.inquiry.access import Access
from tasks.labels import start as rounds
from tasks.labels.label_round import LabelRound, ReviewSubject
from tasks.labels.prepared_pairs import PairRow, PreparedPairs
from tasks.labels.round_order import RoundOrder
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.review import answer_order, pair_text, reviewers, sampling
from tasks.review.pairs import Pair, RunPairs, read_pairs

GUIDELINE, GUIDELINE_VERSION = Path(__file__).parent / "expert-review.txt", "1"
"""Guideline of a review whose lead gives no other. A changed text needs another version."""
READ_STAGES = ("split", "suites", "evaluate")
"""Stages whose outputs the pairs are read from."""


@dataclass(frozen=True)
class ReviewOrder:
    """Review as the person who leads it asks for it."""

    id: str
    run: Layout
    annotators: Sequence[str]
    """Ids in people.yaml."""
    externals: Sequence[str] = ()
    adjudicators: Sequence[str] = ()
    sample: int = 50
    overlap: int = 2
    seed: int = 1
    guideline: Path | None = None
    """Guideline; None for the one of this package."""
    guideline_version: str | None = None


@dataclass(frozen=True)
class StartedReview:
    round: LabelRound
    pairs: int
    contested: int
    found: RunPairs


def start_review(
    state: Path, ledger: Ledger, governance: Governance, lead: Access, order: ReviewOrder
) -> StartedReview:
    """Start a review of a run's answers.

    Raises:
        InputError: The order is not valid, or the run has no two models' answers that differ.
        Refused: A person may not read the rows or requested the run, or files of the run are not those of its stages.
    """
    if (order.guideline is None) != (order.guideline_version is None):
        raise InputError("give --guideline and --guideline-version together, or neither")
    if lead.person.id in order.adjudicators:
        raise InputError(f"{lead.person.id} leads the review and can see whose an answer is; name another adjudicator")
    run, people = order.run.root.name, [lead.person.id, *order.annotators, *order.adjudicators]
    reviewers.require_not_requesters(ledger, governance, run, people)
    record_chain.require_stage_records(READ_STAGES, order.run, run, ledger, governance)
    found = read_pairs(order.run)
    drawn = sampling.draw_pairs(found.pairs, order.sample, order.seed)
    if not drawn:
        raise InputError(f"all {found.equal:,} pairs of run {run} have equal answers; there is nothing to prefer")
    started = rounds.start_round(state, ledger, governance, lead, _round_order(order, found, drawn))
    return StartedReview(started.round, len(drawn), sum(pair.is_contested for pair in drawn), found)


def _round_order(order: ReviewOrder, found: RunPairs, drawn: Sequence[Pair]) -> RoundOrder:
    return RoundOrder(
        id=order.id,
        guideline=order.guideline or GUIDELINE,
        guideline_version=order.guideline_version or GUIDELINE_VERSION,
        annotators=order.annotators,
        externals=order.externals,
        adjudicators=order.adjudicators,
        labels=pair_text.LABELS,
        overlap=order.overlap,
        seed=order.seed,
        run=order.run,
        pairs=_prepare(order.run, found, drawn),
    )


def _prepare(run: Layout, found: RunPairs, drawn: Sequence[Pair]) -> PreparedPairs:
    evaluate, cases = run.artefacts("evaluate"), run.artefacts("suites") / "cases.parquet"
    about = {"evaluate_sha256": tree_digest(evaluate), "cases_sha256": sha256_file(cases)}
    order = answer_order.draw_order(len(drawn))

    def make_document(items: Sequence[str]) -> bytes:
        made = answer_order.make_document(run.root.name, found.compared_with, found.equal, drawn, order, items)
        return made.serialised

    def make_subject(document: bytes) -> ReviewSubject:
        return ReviewSubject(**about, compared_with=found.compared_with, pairs_file=sha256_bytes(document))

    return PreparedPairs([_row(*each) for each in zip(drawn, order, strict=True)], make_document, make_subject)


def _row(pair: Pair, is_candidate_first: bool) -> PairRow:
    answers = (pair.candidate, pair.other) if is_candidate_first else (pair.other, pair.candidate)
    return PairRow(pair.key, pair_text.format_pair(pair.prompt, *answers), pair.record_id)
