"""Evaluation suites as files: what is refused, and which are for a use case."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.records import record
from tasks.stages.evaluate.suites.cases import load_cases
from tasks.stages.evaluate.suites.suite import load_suites, suites_of_use_case
from tasks.stages.evaluate.suites.transforms import TRANSFORMS, apply_transform
from tests.stages.evaluate import house
from tests.stages.evaluate.suites import suite_house
from tests.stages.evaluate.suites.suite_house import cases, derived, give_suites, params, suite

CASE = {"id": "a", "prompt": "Hello"}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no cases": ({"cases": []}, "give `cases` or `derived`"),
    "an id twice": ({"cases": [CASE, {**CASE, "prompt": "Bye"}]}, "each case has an id of its own; twice: a"),
    "an unknown judge": ({"judge": {"kind": "wise"}}, "wise"),
    "nothing to compare with": ({"judge": {"kind": "expected"}}, "judge expected compares with `expected`"),
    "a listed case with the same label": ({"judge": {"kind": "same_label"}}, "compares variants of a test row"),
    "prompt and messages": ({"cases": [{**CASE, "messages": [{"role": "user", "content": "x"}]}]}, "exactly one of"),
    "the model's turn last": (
        {"cases": [{"id": "a", "messages": [{"role": "assistant", "content": "x"}]}]},
        "the last turn is the user's",
    ),
    "an unknown transform": (
        {"derived": {"rows": 1, "variants": [{"name": "v", "transform": "shout"}]}},
        "expected one of lower_case",
    ),
    "a text without the row": (
        {"derived": {"rows": 1, "variants": [{"name": "v", "text": "Hi"}]}},
        "a text with {text}",
    ),
    "a variant twice": ({"derived": {"rows": 1, "variants": [{"name": "v"}, {"name": "v"}]}}, "a name of its own"),
    "one variant alone": (
        {"derived": {"rows": 1, "compare_with": "first_variant", "variants": [{"name": "v"}]}},
        "give two variants",
    ),
    "nobody knows whether to refuse": ({"judge": {"kind": "refusal"}}, "give should_refuse"),
    "half a pair": (
        {"judge": {"kind": "refusal"}, "cases": [{**CASE, "should_refuse": True, "pair": "p"}]},
        "a pair has a case with should_refuse: true and one with false; not so: p",
    ),
    "phrases for no variant": (
        {"derived": {"rows": 1, "training_phrases": 2, "variants": [{"name": "v"}]}},
        "give both or none",
    ),
    "a variant without its phrases": (
        {"derived": {"rows": 1, "variants": [{"name": "v", "text": "{phrase} {text}"}]}},
        "give both or none",
    ),
    "no OWASP entry": ({"owasp": ["LLM11:2025"]}, "LLM11:2025"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_suite_is_refused(what: str) -> None:
    changes, told = WRONG[what]
    with pytest.raises(ValueError, match=r".") as error:
        suite(**changes)
    assert told in str(error.value)


def write(folder: Path, file: str, text: str) -> None:
    path = folder / "evaluations" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_all_wrong_files_are_told_at_once(tmp_path: Path) -> None:
    good = "\n".join(f"{key}: {value}" for key, value in suite().model_dump(mode="json", exclude_defaults=True).items())
    write(tmp_path, "pushed.yaml", good)
    assert [each.name for each in load_suites(tmp_path)] == ["pushed"]
    write(tmp_path, "renamed.yaml", good)
    write(tmp_path, "empty.yaml", good.replace("pushed", "empty").replace("version: 1", "version: 0"))
    with pytest.raises(InputError, match=r"empty\.yaml:\d+: version") as error:
        load_suites(tmp_path)
    assert "renamed.yaml: name: expected 'renamed', as the file is named, got 'pushed'" in str(error.value)


def test_a_use_case_has_its_own_suites_and_those_of_every_use_case() -> None:
    suites = [suite("every"), suite("own", use_case="triage"), suite("others", use_case="letters")]
    assert [each.name for each in suites_of_use_case(suites, "triage")] == ["every", "own"]


def test_variants_of_the_drawn_rows_and_the_text_that_they_are_compared_with(layout: Layout) -> None:
    give_suites(layout, derived(rows=3))
    found = cases(layout)
    assert len(found) == 3 * 3 and len({case.cluster for case in found}) == 3
    by_id = {case.id: case for case in found}
    for case in found:
        if case.judge is not None:
            assert case.reference and by_id[case.reference].judge is None
    texts = {
        case.id.partition(".")[2]: suite_house.asked_text(case) for case in found if case.cluster == found[0].cluster
    }
    assert texts["loud"] == texts["original"].upper() and texts["polite"] == f"Hello! {texts['original']}"
    assert cases(layout) == found, "the same in every run"


def test_the_first_variant_can_be_what_others_are_compared_with(layout: Layout) -> None:
    variants = [{"name": name, "text": f"{{text}} {name}", "slices": {"gender": name}} for name in ("anna", "paul")]
    give_suites(layout, derived(derived={"rows": 2, "compare_with": "first_variant", "variants": variants}))
    judged = [case for case in cases(layout) if case.judge is not None]
    assert [case.slices["gender"] for case in judged] == ["paul", "paul"]
    assert {case.reference for case in judged} == {f"{case.cluster}.anna" for case in judged}


def test_only_rows_of_the_kinds_that_a_suite_names(layout: Layout) -> None:
    asked = {"rows": 50, "kinds": ["escalate"], "variants": [{"name": "plain"}]}
    give_suites(layout, suite(cases=[], derived=asked))
    assert {case.row["kind"] for case in cases(layout)} == {"escalate"} and len(cases(layout)) == 6


def test_a_case_that_is_trained_is_refused_with_its_record(layout: Layout) -> None:
    trained = record.read_table(layout.artefacts("split") / "train.parquet").to_pylist()[2]
    text = trained["messages"][0]["content"].upper().replace(" ", "  ")
    give_suites(layout, suite(cases=[{"id": "seen", "prompt": text}, {"id": "new", "prompt": "Something else"}]))
    with pytest.raises(InputError, match=f"pushed/seen is training record {trained['record_id']}") as error:
        cases(layout)
    assert "pushed/new" not in str(error.value)


def test_a_case_that_cannot_be_rendered(layout: Layout) -> None:
    give_suites(layout, suite(cases=[{"id": "a", "prompt": "x", "task": "letters"}]))
    with pytest.raises(InputError, match=r"suite pushed, case a: task: params.yaml has triage, got 'letters'"):
        cases(layout)


def test_a_run_without_resolved_suites(layout: Layout) -> None:
    with pytest.raises(InputError, match="hallmark resolve"):
        cases(layout)
    house.write_split(layout, [])
    give_suites(layout)
    assert cases(layout) == []


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_changes_the_words_and_no_placeholder(name: str) -> None:
    text, random = "Please help me, [name:onk6nyt4yewn]. Thanks for everything, from [location]", Random(1)
    changed = apply_transform(name, text, random)
    assert changed != text and "[name:onk6nyt4yewn]" in changed and changed.endswith("[location]")
    assert apply_transform(name, text, Random(1)) == apply_transform(name, text, Random(1))


def test_a_variant_that_changes_nothing_is_no_case(layout: Layout) -> None:
    variants = [{"name": "same"}, {"name": "loud", "transform": "upper_case"}]
    give_suites(layout, derived(derived={"rows": 4, "variants": variants}))
    assert {case.id.partition(".")[2] for case in cases(layout)} == {"original", "loud"}


def test_a_case_about_the_system_turn_needs_one(layout: Layout) -> None:
    give_suites(layout, suite(judge={"kind": "keeps_system_prompt"}))
    assert len(cases(layout)) == 1
    silent = params()
    bare = {"triage": silent.prompts["triage"].model_copy(update={"system": ""})}
    assert load_cases(layout, silent.evaluation, bare) == []


def test_an_expected_answer_has_the_form_of_targets(layout: Layout) -> None:
    give_suites(layout, suite(cases=[{"id": "a", "prompt": "x", "expected": "billing"}], judge={"kind": "expected"}))
    with pytest.raises(InputError, match=r"suite pushed, case a: expected: with evaluation\.target json"):
        cases(layout)
