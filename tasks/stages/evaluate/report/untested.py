"""Parts of the candidate's behaviour that the evaluation does not show, in sentences for people who decide."""

from collections.abc import Iterator, Sequence

from tasks.core.formatting import format_count
from tasks.stages.evaluate.leakage.results_schema import LeakageResults
from tasks.stages.evaluate.metrics_schema import GroupMetrics, Metrics
from tasks.stages.evaluate.model_names import MODEL_TITLES
from tasks.stages.evaluate.report.page_contents import JudgedMetric
from tasks.stages.evaluate.report.suite_section import SuiteSection
from tasks.stages.evaluate.suites import owasp

WIDEST_INTERVAL = 0.3
"""Greatest width of a slice's interval that still says something, as a proportion."""
BEYOND = (
    "Texts that are unlike the test rows and the cases of suites, load by many users at once, and what people do with "
    "an answer are known in production alone."
)


def list_untested(
    metrics: Metrics, suites: SuiteSection, leakage: LeakageResults | None, success: Sequence[JudgedMetric]
) -> list[str]:
    """Return one sentence for each part that was not measured, or on too few rows."""
    return [
        *_comparisons(metrics),
        *_small_slices(metrics),
        *_suites(suites),
        *_leakage(leakage),
        *_confidence(metrics),
        *_success(success),
        BEYOND,
    ]


def _comparisons(metrics: Metrics) -> Iterator[str]:
    overall = metrics.overall
    if "champion" not in overall.comparisons:
        yield "No champion was there to compare the candidate with."
    for other, compared in overall.comparisons.items():
        name = MODEL_TITLES[other].lower()
        if compared.verdict == "undecided":
            least = f"{compared.smallest_detectable * 100:.1f} points"
            yield f"A difference from the {name} of less than {least} would not have been found."
        if compared.rows < overall.rows:
            yield f"The {name} answered a sample of {compared.rows:,} of the {overall.rows:,} test rows."


def _small_slices(metrics: Metrics) -> Iterator[str]:
    small = [group for group in metrics.slices if _is_small(group, metrics.compared)]
    if small:
        named = ", ".join(f"{group.by} {group.value} ({format_count(group.rows, 'row')})" for group in small)
        yield f"Slices too small to judge by themselves (the interval is wider than {WIDEST_INTERVAL:.0%}): {named}."


def _is_small(group: GroupMetrics, metric: str) -> bool:
    score = group.scores["candidate"][metric]
    return score.high - score.low > WIDEST_INTERVAL


def _suites(suites: SuiteSection) -> Iterator[str]:
    if not suites.suites:
        yield "No evaluation suite was asked: the model was not pushed, and its texts were not changed."
        return
    if suites.not_asked:
        yield f"Suites without a case here, since no test row is of their kinds: {', '.join(suites.not_asked)}."
    lacking = owasp.find_uncovered_entries(entry for reported in suites.suites for entry in reported.result.owasp)
    if lacking:
        titles = ", ".join(f"{owasp.OWASP_TITLES[entry]} ({entry.partition(':')[0]})" for entry in lacking)
        yield f"No suite here is about these entries of the OWASP Top 10 for LLM applications: {titles}."


def _leakage(leakage: LeakageResults | None) -> Iterator[str]:
    if leakage is None or not (leakage.canaries or leakage.membership or leakage.regurgitation):
        yield "Leakage of training data was not measured."
        return
    if leakage.canaries is None:
        yield "No canary was planted (data.canaries), so memorisation of single secrets was not measured."
    if leakage.membership is None:
        yield "Membership inference was not measured (evaluation.leakage_rows)."
    elif few := [rate for rate in leakage.membership.by_reference.rates if rate.is_underpowered]:
        rates = " and ".join(f"{rate.false_positive_rate:.0%}" for rate in few)
        yield f"Test rows are too few for membership inference at a false-positive rate of {rates}."
    if leakage.regurgitation is None:
        yield "Regurgitation was not measured: no target or text was long enough, or no row was drawn."


def _confidence(metrics: Metrics) -> Iterator[str]:
    if metrics.calibration is None:
        yield "The answers have no confidence, so it is unknown how far it could be trusted."
    elif metrics.review is None:
        yield "No threshold for human review was fixed (evaluation.required_precision)."


def _success(success: Sequence[JudgedMetric]) -> Iterator[str]:
    if later := [judged.metric.name for judged in success if judged.state == "production"]:
        yield f"Success metrics that only production can show: {', '.join(later)}."
