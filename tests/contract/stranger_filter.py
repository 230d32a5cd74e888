"""Checks of a copy of the project to which a stranger added a filter (test_strangers_changes.py)."""

import sys
from pathlib import Path

from infra.docs.pages import PAGES
from tasks.core import code_digest
from tasks.core.params.params import Params
from tasks.inquiry.quarantined_rows import KNOWN_RULES
from tasks.stages.data.clean import clean
from tasks.stages.data.validate import outcomes
from tests.stages.data.build import Run, params, record

RULE, PARAMETER = "target_too_few_words", "min_target_words"
RECORDS = [record("a question", "two words", number=1), record("another question", "one", number=2)]


def check(root: Path, folder: Path) -> None:
    described = Params.model_json_schema()["$defs"]["Data"]["properties"][PARAMETER]
    assert described["description"] == "Minimum number of words of a target; null: any number."
    assert f"`{PARAMETER}`" in PAGES["reference/params.md"]() and f"`{RULE}`" in PAGES["reference/rules.md"]()
    assert root / f"tasks/stages/data/clean/filters/{RULE}.py" in code_digest.stage_files(root, "clean")
    assert RULE in KNOWN_RULES and RULE in outcomes.GENERAL_RULES

    run = Run(folder)
    assert run.clean(RECORDS).counts.records == 2, "off unless its parameter says otherwise"
    result = run.clean(RECORDS, **{PARAMETER: 2})
    assert result.counts.quarantined == result.by_source["src"].quarantined == {RULE: 1}
    (removed,) = run.records_of("clean", "quarantine")
    assert (removed["row"], removed["reason"]) == (2, "1 words; data.min_target_words is 2")

    run.put("deduplicate", RECORDS[:1])
    clean.run(params(**{PARAMETER: 2}), run.layout)
    assert RULE in outcomes.outcome_frame(run.layout, None)[outcomes.OUTCOME_COLUMN].cat.categories


if __name__ == "__main__":
    check(Path.cwd(), Path(sys.argv[1]))
