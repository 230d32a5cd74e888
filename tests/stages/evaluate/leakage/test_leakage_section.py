"""Section of the report on leakage."""

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.stages.evaluate import evaluate
from tasks.stages.evaluate.leakage import canary_ranks, leakage_facts, membership, regurgitation
from tasks.stages.evaluate.leakage.membership import RowLosses
from tasks.stages.evaluate.leakage.results_schema import LeakageResults
from tests.stages.evaluate import house


def some_results() -> LeakageResults:
    settings = house.params().evaluation
    ours, base = RowLosses([0.1] * 20, [0.5] * 19 + [0.05]), RowLosses([0.7] * 20, [0.7] * 20)
    return LeakageResults(
        confidence=0.95,
        canaries=canary_ranks.canary_results(["a"], [[0.0, *range(1, 128)]], [True], settings),
        membership=membership.membership_results(ours, base, 0.95),
        regurgitation=regurgitation.regurgitation_results({"candidate": [1.0, 0.95], "base": [0.1, 0.2]}, [0.3], 0.95),
    )


def test_the_report_shows_leakage_if_it_was_measured(answered: Layout) -> None:
    page, path = answered.artefacts("evaluate") / "report.html", answered.artefacts("leakage") / "leakage.json"
    made = house.params()
    params = evaluate.Params(evaluation=made.evaluation, use_case=made.use_case)
    for nothing in (None, LeakageResults(confidence=0.95)):
        if nothing:
            write_json(path, nothing.model_dump(mode="json"))
        evaluate.run(params, answered)
        assert 'id="leakage"' not in page.read_text()
    write_json(path, some_results().model_dump(mode="json"))
    evaluate.run(params, answered)
    text = page.read_text()
    section = text[text.index('<section id="leakage">') :]
    assert "among 127 random ones" in section and "too few test rows" in section and 'href="#leakage"' in text


def test_facts_are_of_what_was_measured() -> None:
    facts = leakage_facts.leakage_facts(some_results())
    assert facts["canary_exposure"].value == 7 and "at most 7" in facts["canary_exposure"].note
    assert facts["extracted"].value == 1 and facts["regurgitated"].value == 1
    assert facts["membership_tpr_at_5"].value == 1 and "membership_tpr_at_1" not in facts
    assert facts["regurgitated_excess"].high == 1
