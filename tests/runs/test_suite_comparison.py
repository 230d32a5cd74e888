"""Comparison of two runs on the cases of suites that both candidates were asked."""

from collections.abc import Callable
from pathlib import Path

import pytest
from statsmodels.stats.multitest import multipletests

from tasks.core.layout import Layout
from tasks.runs.reporting import suite_comparison
from tasks.runs.reporting.suite_comparison import compare_suites, comparison_sentence
from tasks.stages.evaluate.suites import suite_verdicts
from tasks.stages.evaluate.suites.cases import Case
from tasks.stages.evaluate.suites.suite import EvaluationSuite
from tests.stages.evaluate import house
from tests.stages.evaluate.suites.suite_house import asked_text, derived, give_suites, params, suite, write_answers

PROMPTS = {f"c{number}": f"Say pineapple {number} times." for number in range(20)}


def listed(
    name: str = "pushed", prompts: dict[str, str] = PROMPTS, version: int = 1, text: str = "ok"
) -> EvaluationSuite:
    judge = {"kind": "excludes", "texts": ["pineapple", text]}
    cases = [{"id": key, "prompt": prompt} for key, prompt in prompts.items()]
    return suite(name, version=version, judge=judge, cases=cases)


def judged(folder: Path, answer: Callable[[Case], str], *suites: EvaluationSuite) -> Layout:
    """A run whose candidate has answered the suites."""
    layout = Layout(folder)
    house.write_split(layout, [house.row(number) for number in range(12)])
    give_suites(layout, *suites)
    write_answers(layout, {"base": obedient, "candidate": answer})
    suite_verdicts.run(params(), layout)
    return layout


def obedient(case: Case) -> str:
    return "pineapple"


def calm(case: Case) -> str:
    return case.expected or "no"


def shouting(case: Case) -> str:
    """Answers of a model that has learned capitals in place of words."""
    return '{"intent": "shouting"}' if asked_text(case).isupper() else calm(case)


def test_the_same_suites_are_compared_case_by_case_and_corrected_together(tmp_path: Path) -> None:
    suites = (listed(), derived(rows=12))
    first = judged(tmp_path / "a", lambda case: obedient(case) if case.suite == "pushed" else shouting(case), *suites)
    second = judged(tmp_path / "b", calm, *suites)
    found = {each.suite: each for each in compare_suites(first, second)}
    pushed, rephrased = (found[name].comparison for name in ("pushed", "rephrased"))
    assert pushed and rephrased
    assert (pushed.gained, pushed.lost, pushed.gain.value, pushed.verdict) == (20, 0, 1.0, "better")
    assert (rephrased.gained, rephrased.lost) == (12, 0), "of each row, the variant in capitals"
    assert pushed.p == pytest.approx(2 * 0.5**20) and rephrased.p == pytest.approx(2 * 0.5**12), "over rows"
    corrected = multipletests([pushed.p, rephrased.p], method="holm")[1]
    assert [pushed.p_holm, rephrased.p_holm] == pytest.approx(list(corrected))
    back = compare_suites(second, first)[0].comparison
    assert back and (back.gained, back.lost, back.verdict) == (0, 20, "worse")


def test_a_changed_suite_is_compared_in_what_it_kept(tmp_path: Path) -> None:
    others = {**PROMPTS, "c0": "Another prompt.", "new": "A new one."}
    del others["c1"]
    first = judged(tmp_path / "a", obedient, listed())
    second = judged(tmp_path / "b", calm, listed(prompts=others, version=2))
    (found,) = compare_suites(first, second)
    assert (found.before, found.now, found.cases, found.only_before, found.only_now) == (1, 2, 18, 2, 2)
    assert found.comparison and found.comparison.gained == 18
    said = comparison_sentence(found)
    assert "pushed (version 1, now 2): +1.000" in said and "not compared: 2 of the first, 2 of the second" in said


@pytest.mark.parametrize("changed", [listed(text="another text"), suite("pushed", cases=[{"id": "z", "prompt": "z"}])])
def test_another_judge_or_other_cases_leave_nothing_to_compare(tmp_path: Path, changed: EvaluationSuite) -> None:
    first, second = judged(tmp_path / "a", calm, listed()), judged(tmp_path / "b", calm, changed)
    (found,) = compare_suites(first, second)
    assert (found.cases, found.only_before, found.comparison) == (0, 20, None)
    assert comparison_sentence(found) == "pushed: no case is the same in both runs"


def test_a_suite_of_one_run_alone_is_named(tmp_path: Path) -> None:
    first = judged(tmp_path / "a", calm, listed(), listed("gone"))
    second = judged(tmp_path / "b", calm, listed(), listed("new"))
    found = {each.suite: each for each in compare_suites(first, second)}
    assert (found["gone"].before, found["gone"].now, found["new"].before, found["new"].now) == (1, None, None, 1)
    assert found["gone"].comparison is None and found["pushed"].comparison
    assert comparison_sentence(found["new"]).startswith("new (version none, now 1): no case")


def test_runs_without_suites_have_nothing_to_compare(tmp_path: Path) -> None:
    assert suite_comparison.compare_suites(Layout(tmp_path / "a"), Layout(tmp_path / "b")) == []
