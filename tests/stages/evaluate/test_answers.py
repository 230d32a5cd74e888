"""What is right and what is well-formed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.json_text import MAX_INTEGER
from tasks.core.records.answer_label import NO_LABEL
from tasks.stages.evaluate.answers import create_judge
from tests.stages.evaluate.house import params

EXPECTED = '{"intent": "loan", "queue": "q", "urgent": true}'
JSON = create_judge(params().evaluation, [EXPECTED])
LABEL = create_judge(params(target="label", label_field=None).evaluation, ["loan", " card\n"])


@pytest.mark.parametrize(
    ("answer", "right", "well_formed", "label"),
    [
        (EXPECTED, True, True, "loan"),
        ('\n {"urgent":true,"queue":"q","intent":"loan"} ', True, True, "loan"),
        ('{"intent": "card", "queue": "q", "urgent": true}', False, True, "card"),
        ('{"intent": "loan", "queue": "q", "urgent": 1}', False, True, "loan"),
        ('{"intent": "loan", "queue": "q"}', False, False, "loan"),
        ('{"intent": "loan", "queue": "q", "urgent": true, "more": 1}', False, False, "loan"),
        ('{"intent": "loan", "intent": "loan", "queue": "q", "urgent": true}', False, False, NO_LABEL),
        ('{"intent": "loan", "queue": "q", "urgent": NaN}', False, False, NO_LABEL),
        ('{"intent": "loan", "queue": "q", "urgent": 1e999}', False, False, NO_LABEL),
        ('{"intent": "\\ud800", "queue": "q", "urgent": true}', False, False, NO_LABEL),
        ('{"intent": 7, "queue": "q", "urgent": true}', False, True, "7"),
        ('{"intent": null, "queue": "q", "urgent": true}', False, True, NO_LABEL),
        (EXPECTED + " Is there anything else?", False, False, NO_LABEL),
        (f"```json\n{EXPECTED}\n```", False, False, NO_LABEL),
        (f"[{EXPECTED}]", False, False, NO_LABEL),
        ("[" * 100_000, False, False, NO_LABEL),
        ("", False, False, NO_LABEL),
    ],
)
def test_json(answer: str, right: bool, well_formed: bool, label: str) -> None:
    judged = JSON.judge(answer, EXPECTED)
    assert (judged.right, judged.well_formed, judged.label) == (right, well_formed, label)


def test_numbers_compare_by_value() -> None:
    judge = create_judge(params().evaluation, ['{"intent": 1}'])
    assert judge.judge('{"intent": 1.0}', '{"intent": 1}').right
    assert not judge.judge('{"intent": 1.5}', '{"intent": 1}').right


def test_every_set_of_keys_that_training_has_is_well_formed() -> None:
    judge = create_judge(params().evaluation, ['{"intent": "x"}', '{"intent": "y", "reason": "z"}'])
    assert judge.judge('{"intent": "x"}', '{"intent": "x"}').well_formed
    assert judge.judge('{"reason": "", "intent": "x"}', '{"intent": "x"}').well_formed
    assert not judge.judge('{"reason": ""}', '{"intent": "x"}').well_formed


@pytest.mark.parametrize(
    ("answer", "expected", "right", "well_formed"),
    [
        ("loan", "loan", True, True),
        (" loan\n", "loan ", True, True),
        ("Loan", "loan", False, False),
        ("card", "loan", False, True),
        ("loan.", "loan", False, False),
        ("new", "new", True, False),  # a label that only the test set has cannot be known
        ("", "loan", False, False),
    ],
)
def test_labels(answer: str, expected: str, right: bool, well_formed: bool) -> None:
    judged = LABEL.judge(answer, expected)
    assert (judged.right, judged.well_formed, judged.label) == (right, well_formed, answer.strip())


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_an_object_is_right_however_it_is_spelled(value: dict[str, object]) -> None:
    value["intent"] = "x"
    spelled = json.dumps(value)
    other = json.dumps(dict(reversed(value.items())), indent=3, ensure_ascii=False)
    judge = create_judge(params().evaluation, [spelled])
    assert judge.judge(other, spelled).right
    assert judge.judge(other, spelled).well_formed
    wrong = judge.judge(json.dumps(value | {"intent": "y"}), spelled)
    assert (wrong.right, wrong.well_formed, wrong.label) == (False, True, "y")
