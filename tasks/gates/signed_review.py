"""Signed result of an expert review: how often experts prefer the candidate's answers to those of another model.

The lead of the review signs. The statement names the run, the outputs of its stage `evaluate` and the round of labels,
so it is valid for exactly these answers. Facts of the evaluation gate whose names begin with `review.` are computed
from it and from nothing else.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact, Facts
from tasks.core.params.values import Name, Sha256
from tasks.policy.signed_document import DatedDocument, SignedKind

PREDICATE_TYPE = "urn:hallmark:review-result:v1"
ENTRY_KIND = "review.signed"
"""Kind of the ledger entries for results of reviews. Their subject is the id of the run."""
FACTS_PREFIX = "review."
"""Beginning of the names of facts from a review. No stage has this name, so no run writes such facts."""
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class ReviewFigure(FrozenModel):
    """Figure with its 95 % interval; all are null if it is undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None
    pairs: Count
    """Number of pairs that it was computed from."""

    def fact(self, note: str) -> Fact | None:
        return None if self.value is None else Fact(value=self.value, low=self.low, high=self.high, note=note)


class JudgeAgreement(FrozenModel):
    """Agreement of an automatic judge with the experts, over pairs about which both say something."""

    share: ReviewFigure
    """Share of the pairs about which they say the same: candidate, other model, both or neither."""
    kappa: ReviewFigure
    """Cohen's kappa."""


class ReviewResult(DatedDocument):
    """Predicate of a signed statement about a review. The subject of the statement is the run's stage `evaluate`."""

    run: str
    """Id of the run whose answers were reviewed."""
    evaluate_sha256: Sha256
    """Digest of the outputs of the run's stage `evaluate`, computed by `tasks.core.files.tree_digest`."""
    cases_sha256: Sha256
    """SHA-256 of the verdicts about the cases of the evaluation suites, artefacts/suites/cases.parquet."""
    round: Name
    """Id of the round of labels."""
    round_sha256: Sha256
    """Digest of the round, which the ledger has since its start."""
    labels_sha256: Sha256
    """Digest of the labels with which the round was finished."""
    environment: Name
    """Environment in which the statement is valid."""
    person: Name
    """Person who led the review and signs its result."""
    rounds: Annotated[int, Field(ge=1)]
    """Number of reviews of the run that were started before this one was finished, itself included."""
    compared_with: Literal["champion", "base"]
    annotators: Count
    drawn: Count
    """Number of pairs that annotators were to label."""
    missing_labels: Count
    """Number of labels that annotators had not given when the lead finished the review."""
    pairs: Count
    """Number of pairs with a label. It is the sum of the next five."""
    candidate: Count
    """Number of pairs in which experts prefer the candidate's answer."""
    other: Count
    """Number of pairs in which experts prefer the other model's answer."""
    both: Count
    """Number of pairs with two good answers."""
    neither: Count
    """Number of pairs without a good answer."""
    split: Count
    """Number of pairs on which annotators disagree without a majority, and nobody adjudicated."""
    contested: Count
    """Number of the pairs on which automatic judges tell the models apart, or failed."""
    equal: Count
    """Number of pairs of the run that were left out because their answers are equal."""
    preference: ReviewFigure
    """Share of the decided pairs in which experts prefer the candidate's answer."""
    alpha: ReviewFigure
    """Krippendorff's alpha of the annotators."""
    judges: dict[str, JudgeAgreement]
    """Agreement with each metric of test rows, and with each evaluation suite's judge, by name."""


REVIEW_KIND = SignedKind(
    PREDICATE_TYPE, ReviewResult, "the result of a review", signer_of=lambda said: said.person,
    subjects_of=lambda said: {f"run/{said.run}/evaluate": said.evaluate_sha256},
)  # fmt: skip


def reviewer_of(envelope: Mapping[str, Any] | None) -> str | None:
    """Return the id of the person who signed a review, unverified; None if there is no review."""
    return None if envelope is None else REVIEW_KIND.unverified_document(envelope).person


def review_facts(envelope: Mapping[str, Any] | None) -> Facts:
    """Return the facts of a signed review for checks of policy; none if there is no review.

    Raises:
        Refused: The envelope has another document.
    """
    if envelope is None:
        return {}
    said = REVIEW_KIND.unverified_document(envelope)
    about = f"of the candidate over the {said.compared_with}, in {said.candidate + said.other:,} pairs that are decided"
    found = {
        "pairs": Fact(value=said.pairs, unit="pairs", note=f"that experts labelled in review {said.round}"),
        "decided": Fact(value=said.candidate + said.other, unit="pairs", note="in which experts prefer one answer"),
        "drawn": Fact(value=said.drawn, unit="pairs", note="that experts were to label"),
        "missing_labels": Fact(value=said.missing_labels, unit="labels", note="not given when the review was finished"),
        "rounds": Fact(value=said.rounds, unit="reviews", note="that were started about this run, finished or not"),
        "preference": said.preference.fact(about),
        "alpha": said.alpha.fact("Krippendorff's alpha of the annotators"),
        **{f"agreement.{name}": judge.share.fact("share of pairs") for name, judge in said.judges.items()},
    }
    return {f"{FACTS_PREFIX}{name}": fact for name, fact in found.items() if fact is not None}
