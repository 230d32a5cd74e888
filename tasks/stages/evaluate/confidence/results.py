"""Results about the candidate's confidence, and the metrics that gates judge."""

from collections.abc import Sequence

import numpy as np

from tasks.core.errors import InputError
from tasks.core.facts import Fact, Facts
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate import judged_rows
from tasks.stages.evaluate.confidence import calibration, review_threshold, selective
from tasks.stages.evaluate.confidence.calibration import Floats
from tasks.stages.evaluate.confidence.schema import Calibration, Review, ReviewRule
from tasks.stages.evaluate.judged_rows import JudgedRow


def choose_rule(layout: Layout, settings: Evaluation) -> ReviewRule | None:
    """Choose the review rule by the calibration rows, without reading a test row; None if no precision is required.

    Raises:
        InputError: There are no calibration rows, or their predictions are missing, of other rows, or without
            confidences.
    """
    if settings.required_precision is None:
        return None
    read = confidences(judged_rows.collect_calibration_rows(layout, settings))
    if read is None:
        raise InputError(
            "evaluation.required_precision: the answers to the calibration rows have no confidence; run the stage "
            "predict@candidate again with evaluation.engine transformers"
        )
    return review_threshold.choose_threshold(*read, settings.required_precision, settings.confidence)


def measure_test_rows(
    rows: Sequence[JudgedRow], rule: ReviewRule | None, settings: Evaluation
) -> tuple[Calibration | None, Review | None]:
    """Return the calibration on the test rows and the results of the rule; None if the answers have no confidence."""
    read = confidences(rows)
    if read is None:
        return None, None
    review = None if rule is None else selective.apply_rule(rule, *read, settings.confidence)
    return calibration.measure_calibration(*read, settings), review


def confidences(rows: Sequence[JudgedRow]) -> tuple[Floats, Floats] | None:
    """Return the confidence of the candidate's answer to each row, and 1 or 0 for right or wrong.

    The result is None if an answer has no confidence.
    """
    said = [row.said["candidate"] for row in rows]
    known = [each.confidence for each in said if each.confidence is not None]
    if len(known) < len(said):
        return None
    return np.array(known, np.float64), np.array([each.right for each in said], np.float64)


def confidence_facts(measured: Calibration | None, review: Review | None) -> Facts:
    stated: Facts = {}
    if measured is not None:
        bins = f"{len(measured.bins)} bins of equally many rows"
        stated["calibration_error"] = Fact(
            **measured.error.model_dump(), note=f"mean distance of confidence and share of right answers in {bins}"
        )
        stated["brier_score"] = Fact(
            **measured.brier.model_dump(), note="mean squared difference of confidence and correctness"
        )
        if measured.auroc is not None:
            stated["confidence_auroc"] = Fact(
                **measured.auroc.model_dump(), note="probability that a right answer is more confident than a wrong one"
            )
    if review is None:
        return stated
    rule = review.rule
    stated["review_threshold"] = Fact(
        value=rule.threshold,
        note=f"confidence up to which a person reviews, chosen on {rule.rows:,} calibration rows for a precision of "
        f"{rule.required_precision:g}",
    )
    stated["coverage"] = Fact(**review.coverage.model_dump(), note="share of test rows above the review threshold")
    if review.precision is not None:
        stated["selective_precision"] = Fact(
            **review.precision.model_dump(),
            note=f"right answers of {review.released:,} above the review threshold; Wilson interval",
        )
    return stated
