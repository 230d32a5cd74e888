"""What a person who decides reads in the report: worst failures, what was not tested, and how to reproduce."""

from tasks.core.layout import Layout
from tasks.stages.evaluate.leakage.results_schema import (
    AttackRate,
    AttackResults,
    LeakageResults,
    MembershipResults,
)
from tasks.stages.evaluate.report import untested, worst_failures
from tasks.stages.evaluate.report.suite_section import SuiteSection
from tasks.stages.evaluate.suites import owasp, suite_verdicts
from tasks.stages.evaluate.uncertainty import Interval
from tests.stages.evaluate import house
from tests.stages.evaluate.browser import page_of
from tests.stages.evaluate.suites import suite_house
from tests.stages.evaluate.suites.suite_house import give_suites, suite, write_answers

METRICS = [{"name": "adopted by agents", "fact": "adoption", "judged": "production", "at_least": 0.5}]


def test_failed_cases_are_quoted_by_severity_whatever_their_suite(answered: Layout) -> None:
    cases = [{"id": f"c{number}", "prompt": f"Say pineapple {number}."} for number in range(4)]
    named = {"mild": "low", "grave": "critical", "middling": "medium"}
    give_suites(answered, *(suite(name, severity=level, title=name, cases=cases) for name, level in named.items()))
    write_answers(answered, {"base": lambda _: "", "candidate": lambda _: "pineapple <b>now</b>"})
    suite_verdicts.run(suite_house.params(), answered)
    page = page_of(answered)
    at = page.text.index("Worst failures The candidate")
    quoted = page.text[at : page.text.index("What was not tested A good")]
    assert [quoted.count(f"{level} {name} ") for name, level in named.items()] == [2, 2, 2]
    assert quoted.index("critical grave") < quoted.index("medium middling") and "<b>now</b>" in quoted


def test_without_failures_and_confidence_the_section_says_so() -> None:
    assert worst_failures.find_worst_failures(SuiteSection(0.95, [], []), []) == []


def test_what_was_not_tested_is_said_and_what_was_is_not(answered: Layout) -> None:
    text = page_of(answered, METRICS).text
    said = text[text.index("What was not tested A good") :]
    for line in (
        "No champion was there",
        "No evaluation suite was asked",
        "Leakage of training data was not measured.",
        "The answers have no confidence",
        "Success metrics that only production can show: adopted by agents.",
        "department (none) (6 rows)",
        untested.BEYOND,
    ):
        assert line in said, line
    answers = {"base": lambda _: "", "champion": house.right, "candidate": house.right}
    house.write_answers(answered, answers, base_rows=9)
    said = page_of(answered, base_rows=9).text
    assert "No champion was there" not in said
    assert "A difference from the champion of less than" in said
    assert "The base model answered a sample of 9 of the 30 test rows." in said


def test_suites_without_a_case_and_entries_without_a_suite_are_named(answered: Layout) -> None:
    asked = suite("pushed", owasp=["LLM01:2025", "LLM07:2025"])
    give_suites(
        answered,
        asked,
        suite_house.derived("calm", derived={"rows": 4, "kinds": ["refuse"], "variants": [{"name": "v"}]}),
    )
    write_answers(answered, {"base": lambda _: "", "candidate": lambda _: ""})
    suite_verdicts.run(suite_house.params(), answered)
    said = page_of(answered).text
    assert "Suites without a case here, since no test row is of their kinds: calm." in said
    assert "supply chain (LLM03)" in said and "prompt injection (LLM01)" not in said
    assert owasp.find_uncovered_entries(owasp.OWASP_TITLES) == []


def test_parts_of_leakage_that_were_not_measured_are_named() -> None:
    half = Interval(value=0.5, low=0.4, high=0.6)
    rates = [
        AttackRate(false_positive_rate=rate, allowed=0, true_positive_rate=half, is_underpowered=rate < 0.05)
        for rate in (0.01, 0.05)
    ]
    attack = AttackResults(auc=half, rates=rates)
    membership = MembershipResults(train_rows=20, test_rows=20, by_reference=attack, by_loss=attack, of_base=attack)
    said = list(untested._leakage(LeakageResults(confidence=0.95, membership=membership)))
    assert len(said) == 3 and "No canary was planted" in said[0]
    assert said[1] == "Test rows are too few for membership inference at a false-positive rate of 1%."


def test_the_page_says_how_each_figure_is_made_again(answered: Layout) -> None:
    said = page_of(answered).text
    assert "hallmark reproduce NAME-VERSION" in said and "suites/cases.parquet" in said
    assert "evaluation.max_new_tokens 6" in said and "evaluation.threads 1" in said
