"""Report about the agreement in a round: of the whole, per class, and of each annotator with the gold examples."""

from collections.abc import Sequence

import numpy as np

from tasks.core.documents.config import FrozenModel
from tasks.labels.agreement import krippendorff
from tasks.labels.agreement.bootstrap import Figure, estimate
from tasks.labels.agreement.krippendorff import LabelCounts, krippendorff_alpha, pair_votes
from tasks.labels.given_labels import GivenLabels
from tasks.labels.label_round import LabelRound, Participant, Scale
from tasks.labels.round_files import RoundFiles


class AnnotatorAgreement(FrozenModel):
    """Agreement of one annotator with the gold examples. Only the person who leads the round sees it."""

    name: str
    pseudonym: str
    right: Figure
    """Share of the gold examples that the annotator labelled like their label."""
    alpha: Figure
    """Krippendorff's alpha of the annotator and the gold labels."""


class AgreementReport(FrozenModel):
    round: str
    scale: Scale
    alpha: Figure
    """Krippendorff's alpha of all rows with at least two labels. Gold examples are left out, since everybody has
    them."""
    by_class: dict[str, Figure]
    """Krippendorff's alpha of each allowed label against all others; empty for free text."""
    disagreements: int
    adjudicated: int
    annotators: list[AnnotatorAgreement] | None
    """Agreement with the gold examples; null for people who do not lead the round."""


def report_agreement(files: RoundFiles, given: GivenLabels, for_lead: bool) -> AgreementReport:
    """Compute the agreement in a round.

    Args:
        files: Files of the round.
        given: Labels given so far.
        for_lead: Whether the report is for the person who leads the round.
    """
    said = files.round
    votes = _votes(given)
    whole = krippendorff.count_labels(votes, said.labels, said.scale)
    by_class = {label: _alpha(krippendorff.one_against_rest(votes, label), said.seed) for label in said.labels}
    open_ones, all_ones = given.open_disagreements(), given.disagreements()
    return AgreementReport(
        round=said.id,
        scale=said.scale,
        alpha=_alpha(whole, said.seed),
        by_class=by_class,
        disagreements=len(all_ones),
        adjudicated=len(all_ones) - len(open_ones),
        annotators=[_with_gold(files, given, each) for each in said.annotators] if for_lead else None,
    )


def alpha_of_rows(said: LabelRound, given: GivenLabels) -> float | None:
    """Return Krippendorff's alpha of all rows without an interval; None if it is undefined."""
    labels = krippendorff.count_labels(_votes(given), said.labels, said.scale)
    value = krippendorff_alpha(labels, np.ones(labels.items)) if labels.items else float("nan")
    return None if np.isnan(value) else value


def _votes(given: GivenLabels) -> list[list[str]]:
    return [list(each.values()) for each in given.rows.values()]


def _alpha(labels: LabelCounts, seed: int) -> Figure:
    return estimate(lambda weights: krippendorff_alpha(labels, weights), labels.items, seed)


def _with_gold(files: RoundFiles, given: GivenLabels, annotator: Participant) -> AnnotatorAgreement:
    said = files.round
    own = {item: votes[annotator.pseudonym] for item, votes in given.gold.items() if annotator.pseudonym in votes}
    pairs = pair_votes(own, {item: example.label for item, example in files.gold.items()})
    return AnnotatorAgreement(
        name=annotator.name,
        pseudonym=annotator.pseudonym,
        right=_share_right(pairs, said),
        alpha=_alpha(krippendorff.count_labels(pairs, said.labels, said.scale), said.seed),
    )


def _share_right(pairs: Sequence[Sequence[str]], said: LabelRound) -> Figure:
    right = np.array([first == second for first, second in pairs], np.float64)
    return estimate(lambda weights: float(right @ weights / weights.sum()), len(pairs), said.seed)
