"""Comparison of the candidate with another model, based on which of the two answers each row correctly."""

from collections.abc import Mapping
from typing import Literal

from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.metrics_schema import Comparison, GroupMetrics
from tasks.stages.evaluate.model_names import MODELS, ModelName
from tasks.stages.evaluate.uncertainty import Interval


def compare_models(
    paired_counts: uncertainty.PairedCounts, gains: Mapping[str, Interval], confidence: float
) -> Comparison:
    """Compare the candidate, which is the first model in `paired_counts`, with another model.

    `gains` contains the candidate's gains in metrics other than exact match, by metric name.
    """
    p = uncertainty.mcnemar_p(paired_counts)
    gain = uncertainty.paired_gain(paired_counts, confidence)
    return Comparison(
        rows=paired_counts.rows,
        gained=paired_counts.gained,
        lost=paired_counts.lost,
        gain=gain,
        gains=dict(gains),
        p=p,
        p_holm=p,
        smallest_detectable=uncertainty.smallest_detectable_gain(paired_counts, confidence),
        verdict=verdict(gain, p, confidence),
    )


def verdict(gain: Interval, p_value: float, confidence: float) -> Literal["better", "worse", "undecided"]:
    """Return the verdict on the candidate: undecided unless p is significant and the gain's interval excludes zero."""
    level = round(1 - confidence, uncertainty.DECIMALS)  # 1 - 0.95 is slightly more than 0.05 in floating point
    if p_value >= level or gain.low <= 0 <= gain.high:
        return "undecided"
    return "better" if gain.value > 0 else "worse"


def correct_p_values(groups: list[GroupMetrics], confidence: float) -> list[GroupMetrics]:
    """Correct the p-values for the number of comparisons with each model (Holm's method), and update the verdicts."""
    for other in MODELS:
        places = [place for place, group in enumerate(groups) if other in group.comparisons]
        ps = uncertainty.holm_correction([groups[place].comparisons[other].p for place in places])
        for place, p in zip(places, ps, strict=True):
            groups[place] = _with_corrected_p(groups[place], other, p, confidence)
    return groups


def _with_corrected_p(group: GroupMetrics, other: ModelName, p: float, confidence: float) -> GroupMetrics:
    old = group.comparisons[other]
    new = old.model_copy(update={"p_holm": p, "verdict": verdict(old.gain, p, confidence)})
    return group.model_copy(update={"comparisons": {**group.comparisons, other: new}})
