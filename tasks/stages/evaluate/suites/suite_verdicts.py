"""Stage `suites`, which judges the answers of all models to the cases of the evaluation suites.

The outputs in artefacts/suites/ are suites.json (`results_schema.SuiteResults`), cases.parquet with the verdict about
each case, and result.json with the facts that gates judge: `suites.NAME.passed` and others for each suite.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from tasks.core import facts
from tasks.core.facts import Fact, Facts
from tasks.core.files import atomic_folder, write_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.power import POWER
from tasks.core.progress import print_progress
from tasks.core.records import record, texts
from tasks.stages.evaluate.answers import AnswerJudge, create_judge
from tasks.stages.evaluate.model_names import MODEL_TITLES, MODELS, ModelName
from tasks.stages.evaluate.predict import Params
from tasks.stages.evaluate.suites import statistics
from tasks.stages.evaluate.suites.case_verdicts import CaseJudging, JudgedCaseRow, read_answers, to_table
from tasks.stages.evaluate.suites.cases import load_cases
from tasks.stages.evaluate.suites.groups import compare_groups
from tasks.stages.evaluate.suites.outcome_comparison import compare_outcomes, correct_p_values
from tasks.stages.evaluate.suites.refusal_rates import measure_refusals
from tasks.stages.evaluate.suites.results_schema import (
    MAX_FAILURES,
    FailedCase,
    GroupComparison,
    SuiteResult,
    SuiteResults,
    SuiteScore,
    SuiteSlice,
)
from tasks.stages.evaluate.suites.statistics import Outcomes
from tasks.stages.evaluate.suites.suite import SEVERITIES, EvaluationSuite, read_suites

__all__ = ["Params", "run"]

MAX_SLICES = 30
"""Maximum number of values of a field that are slices. The others are not shown."""


def run(params: Params, layout: Layout) -> SuiteResults:
    """Judge the answers in artefacts/probe/.

    Raises:
        InputError: The answers are for other cases than those of inputs/evaluations.json.
    """
    settings = params.evaluation
    print_progress("suites", "judging the answers")
    cases = load_cases(layout, settings, params.prompts)
    judging = CaseJudging(settings, params.prompts, _answer_judge(layout, settings))
    judged = judging.judge_cases(cases, read_answers(layout, cases))
    results = summarise(read_suites(layout.evaluations_path), judged, settings)
    with atomic_folder(layout.artefacts("suites")) as folder:
        write_json(folder / "suites.json", results.model_dump(mode="json"))
        record.write_table(to_table(judged), folder / "cases.parquet")
        write_json(folder / "result.json", {"facts": facts.facts_to_json(suite_facts(results))})
    return results


def _answer_judge(layout: Layout, settings: Evaluation) -> AnswerJudge:
    train = record.read_table(layout.artefacts("split") / "train.parquet", ["record_id", "messages"]).to_pylist()
    return create_judge(settings, [row["messages"][-1]["content"] for row in train if not texts.is_plain_text(row)])


def summarise(suites: Sequence[EvaluationSuite], judged: Sequence[JudgedCaseRow], settings: Evaluation) -> SuiteResults:
    """Summarise verdicts by suite. Suites whose kinds no test row has are only named, since they have no case."""
    rows = {suite.name: [row for row in judged if row.case.suite == suite.name] for suite in suites}
    results = [_suite_result(suite, rows[suite.name], settings) for suite in suites if rows[suite.name]]
    return SuiteResults(
        confidence=settings.confidence,
        suites=_correct_p_values(results, settings.confidence),
        not_asked=[suite.name for suite in suites if not rows[suite.name]],
    )


def _suite_result(suite: EvaluationSuite, rows: Sequence[JudgedCaseRow], settings: Evaluation) -> SuiteResult:
    models = [which for which in MODELS if which in rows[0].verdicts]
    outcomes = {which: _outcomes(rows, which) for which in models}
    others = [which for which in models if which != "candidate"]
    return SuiteResult(
        **suite.model_dump(
            include={"name", "version", "title", "about", "owner", "licence", "origin", "severity", "owasp", "atlas"}
        ),
        is_own=suite.use_case is not None,
        judge=suite.judge.kind,
        cases=len(rows),
        rows=len({row.case.cluster for row in rows}),
        scores={which: _score(rows, which, outcomes[which], settings) for which in models},
        comparisons={
            other: compare_outcomes(outcomes["candidate"], outcomes[other], settings.confidence) for other in others
        },
        slices=list(_slices(rows, models, settings)),
        groups=list(_group_comparisons(rows, settings.confidence)),
        refusals=measure_refusals(rows, settings.confidence),
        severe_failures=sum(row.case.severity in SEVERITIES[:2] for row in _failed_rows(rows)),
        failures=[_failed_case(row) for row in _failed_rows(rows)[:MAX_FAILURES]],
    )


def _outcomes(rows: Sequence[JudgedCaseRow], which: ModelName) -> Outcomes:
    return Outcomes([row.verdicts[which].status == "passed" for row in rows], [row.case.cluster for row in rows])


def _score(rows: Sequence[JudgedCaseRow], which: ModelName, outcomes: Outcomes, settings: Evaluation) -> SuiteScore:
    number = Counter(row.verdicts[which].status for row in rows)
    return SuiteScore(
        passed=number["passed"],
        failed=number["failed"],
        errors=number["error"],
        too_long=number["too_long"],
        rate=statistics.pass_rate(outcomes, settings.confidence),
    )


def _slices(rows: Sequence[JudgedCaseRow], models: Sequence[ModelName], settings: Evaluation) -> Iterator[SuiteSlice]:
    """Yield the pass rates of each group that some, but not all, cases belong to."""
    for by in sorted({name for row in rows for name in row.case.slices}):
        values = sorted({row.case.slices[by] for row in rows if by in row.case.slices})
        groups = {value: [row for row in rows if row.case.slices.get(by) == value] for value in values[:MAX_SLICES]}
        for value, group in groups.items():
            if len(group) < len(rows):
                rates = {which: statistics.pass_rate(_outcomes(group, which), settings.confidence) for which in models}
                yield SuiteSlice(by=by, value=value, cases=len(group), rates=rates)


def _group_comparisons(rows: Sequence[JudgedCaseRow], confidence: float) -> Iterator[GroupComparison]:
    """Yield a comparison of the candidate's groups by each key with two groups or more."""
    for by in sorted({name for row in rows for name in row.case.slices}):
        groups: dict[str, list[JudgedCaseRow]] = {}
        for row in rows:
            if by in row.case.slices:
                groups.setdefault(row.case.slices[by], []).append(row)
        if len(groups) > 1:
            yield compare_groups(by, {v: _outcomes(groups[v], "candidate") for v in sorted(groups)}, confidence)


def _failed_rows(rows: Sequence[JudgedCaseRow]) -> list[JudgedCaseRow]:
    """Return the cases that the candidate has not passed, the most severe first."""
    wrong = [row for row in rows if row.verdicts["candidate"].status != "passed"]
    return sorted(wrong, key=lambda row: (SEVERITIES.index(row.case.severity), row.case.id))


def _failed_case(row: JudgedCaseRow) -> FailedCase:
    verdict = row.verdicts["candidate"]
    return FailedCase(case=row.case.id, severity=row.case.severity, status=verdict.status, why=verdict.why)


def _correct_p_values(results: Sequence[SuiteResult], confidence: float) -> list[SuiteResult]:
    """Correct the p-values over all suites, for each model that the candidate is compared with."""
    corrected = list(results)
    for other in MODELS:
        places = [place for place, result in enumerate(results) if other in result.comparisons]
        family = correct_p_values([results[place].comparisons[other] for place in places], confidence)
        for place, compared in zip(places, family, strict=True):
            comparisons = {**corrected[place].comparisons, other: compared}
            corrected[place] = corrected[place].model_copy(update={"comparisons": comparisons})
    return corrected


def suite_facts(results: SuiteResults) -> Facts:
    """Return the facts of each suite about the candidate, and the number of cases of the use case's own suites."""
    own = sum(result.cases for result in results.suites if result.is_own)
    stated = {"own_cases": Fact(value=own, unit="cases", note="in suites for this use case alone")}
    for result in results.suites:
        stated |= {f"{result.name}.{name}": fact for name, fact in _facts_of_suite(result).items()}
    return stated


def _facts_of_suite(result: SuiteResult) -> Facts:
    score = result.scores["candidate"]
    stated = {
        "passed": Fact(**score.rate.model_dump(), note=f"of {result.cases:,} cases; Korn and Graubard's interval"),
        "cases": Fact(value=result.cases, unit="cases"),
        "errors": Fact(value=score.errors, unit="cases", note="whose judge failed"),
        "severe_failures": Fact(
            value=result.severe_failures, unit="cases", note="of severity critical or high that have not passed"
        ),
    }
    return stated | _comparison_facts(result) | _group_facts(result) | _refusal_facts(result)


def _comparison_facts(result: SuiteResult) -> Facts:
    stated: Facts = {}
    for other, compared in result.comparisons.items():
        note = f"pass rate minus that of the {MODEL_TITLES[other].lower()}; paired"
        stated[f"gain_over_{other}"] = Fact(**compared.gain.model_dump(), note=note)
        stated[f"smallest_detectable_{other}"] = Fact(
            value=compared.smallest_detectable, note=f"smallest true difference shown with {POWER:.0%} power"
        )
    return stated


def _group_facts(result: SuiteResult) -> Facts:
    stated: Facts = {}
    for compared in result.groups:
        among = f"of {compared.groups:,} groups by {compared.by}; interval for all groups at once"
        stated[f"{compared.by}.lowest"] = Fact(**compared.lowest_rate.model_dump(), note=f"lowest pass rate {among}")
        stated[f"{compared.by}.largest_difference"] = Fact(
            **compared.largest_difference.model_dump(), note=f"largest difference of pass rates {among}"
        )
    return stated


def _refusal_facts(result: SuiteResult) -> Facts:
    if result.refusals is None:
        return {}
    notes = {
        "over_refused": "of the requests to be answered",
        "under_refused": "of the requests to be refused",
        "pairs_told_apart": f"of {result.refusals.pairs} pairs",
    }
    rates = {name: getattr(result.refusals, name) for name in notes}
    return {
        name: Fact(**rate.model_dump(), note=f"share {notes[name]}; exact interval")
        for name, rate in rates.items()
        if rate is not None
    }
