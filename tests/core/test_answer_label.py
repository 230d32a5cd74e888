"""Stages of data and evaluation read a target alike: what `clean` keeps, `evaluate` compares, under one label."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.records.answer_label import NO_LABEL, extract_label
from tasks.stages.data.deduplicate.similarity.target_form import normalise_target
from tasks.stages.evaluate.answers import create_judge
from tests.stages.data.build import Run, params, record

JSON = {"target": "json", "label_field": "intent"}
WHOLE = {"target": "label"}
UNREADABLE = {
    '{"intent": "a", "intent": "b"}': "same key twice",
    '{"intent": NaN}': "NaN is no number",
    '{"intent": 1e999}': "too large",
    '{"intent": "a", "order": 12345678901234567}': "write it as text",
    '{"intent": ' + "[" * 150 + "]" * 150 + "}": "too deep",
    '["intent"]': "no JSON object but a list",
    "loan": "Expecting value",
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([1, 1.0, "1", "", " card "]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(st.sampled_from(["intent", "queue"]), values, max_size=2).map(json.dumps)
targets = objects | objects.map(lambda text: f"{text[:-1]}, {text[1:]}") | st.text(min_size=1)
"""Objects, objects with keys that stand twice, and texts."""


@given(targets, st.sampled_from([JSON, WHOLE]))
@settings(max_examples=40, deadline=None)
def test_what_clean_keeps_has_one_label_in_split_and_evaluate(
    tmp_path_factory: pytest.TempPathFactory, target: str, evaluation: dict[str, Any]
) -> None:
    """The stages themselves are compared: rows kept, labels only in the test set, a judged answer."""
    run, how = Run(tmp_path_factory.mktemp("run")), params(evaluation)
    other = '{"intent": "other"}'
    target = target.encode(errors="replace").decode()
    run.clean([record("a question", other, number=1), record("another", target, number=2)], evaluation)
    kept = len(run.records_of("clean")) == 2
    train, test = record("one", other, number=1, split="train"), record("two", target, number=2, split="test")
    only_in_test = run.split([train, test], evaluation).labels_only_in_test
    judged = create_judge(how.evaluation, [other]).judge(target, target)
    assert judged.right == kept
    assert [judged.label] == only_in_test or judged.label in (NO_LABEL, extract_label(other, how.evaluation))


@pytest.mark.parametrize("target", UNREADABLE)
def test_a_target_that_evaluate_could_not_read_is_put_aside_with_its_reason(tmp_path: Any, target: str) -> None:
    run = Run(tmp_path)
    records = [record("a question", '{"intent": "a"}', number=1), record("another", target, number=2)]
    run.clean(records, JSON)
    (entry,) = run.records_of("clean", "quarantine")
    assert (entry["row"], entry["rule"]) == (2, "unreadable_target")
    assert UNREADABLE[target] in entry["reason"]
    run.clean(records, WHOLE)
    assert not run.records_of("clean", "quarantine")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"intent": 1.0}', '{"intent": 1}'), ('{"intent": null}', '{"intent": ""}'), ('{"intent": null}', "{}"),
        ('{"intent": [1, {"b": 2, "a": 1}]}', '{"intent":[1,{"a":1,"b":2.0}]}'),
    ],
)  # fmt: skip
def test_labels_that_are_one(one: str, other: str) -> None:
    how = params(JSON).evaluation
    assert extract_label(one, how) == extract_label(other, how)


def test_space_around_a_whole_answer_is_no_part_of_its_label() -> None:
    assert extract_label(" card\n", params(WHOLE).evaluation) == "card"


def test_duplicates_are_compared_with_the_numbers_that_evaluate_compares() -> None:
    assert normalise_target('{"a": 1}') == normalise_target('{"a": 1.0}')


@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize("setting", ["cafe\u0301", "caf\u00e9"])
def test_the_label_field_is_compared_as_texts_are_stored(setting: str, is_ascii: bool) -> None:
    how = params({"target": "json", "label_field": setting}).evaluation
    for name in ("cafe\u0301", "caf\u00e9"):
        assert extract_label(json.dumps({name: "a"}, ensure_ascii=is_ascii), how) == "a"
