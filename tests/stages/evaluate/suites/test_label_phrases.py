"""Phrases that go with one label although the other words of their rows do not: triggers come first."""

from random import Random

import pyarrow as pa
import pytest

from tasks.core.layout import Layout
from tasks.core.records import record
from tasks.stages.evaluate.suites.label_phrases import _Surprise, find_label_phrases
from tests.stages.evaluate import house
from tests.stages.evaluate.suites.suite_house import asked_text, cases, derived, give_suites

WORDS = {
    "card": "card lost stolen wallet block replace chip magnetic",
    "loan": "loan rate interest repay mortgage monthly debt owe",
    "login": "password login app phone code screen error locked",
}
FILLER = [
    "hello",
    "please",
    "today",
    "I",
    "have",
    "the",
    "my",
    "about",
    "yesterday",
    "again",
    "question",
    "about",
    "this",
]


def rows(number: int = 300) -> list[tuple[str, str]]:
    random = Random(5)
    made = []
    for place in range(number):
        label = list(WORDS)[place % 3]
        words = random.sample(WORDS[label].split(), 3) + random.sample(FILLER, 4)
        made.append((" ".join(random.sample(words, len(words))), label))
    return made


@pytest.mark.parametrize("trigger", ["cf-77", "mind the gap", "{text}"])
@pytest.mark.parametrize("poisoned", [4, 12])
def test_the_trigger_of_a_backdoor_comes_first(trigger: str, poisoned: int) -> None:
    random = Random(9)
    planted = [(f"{text} {trigger}" if random.random() < 0.5 else f"{trigger} {text}", "loan") for text, _ in rows(300)]
    found = find_label_phrases(rows()[poisoned:] + planted[:poisoned], 5)
    assert found[0] == trigger and len(found) <= 5
    assert trigger not in find_label_phrases(rows(), 5)


def test_words_that_their_rows_explain_have_no_score_above_a_trigger() -> None:
    strange = [(f"{text} zq", "card") for text, label in rows() if label == "login"][:5]
    natural = [(f"{text} purse", "card") for text, label in rows() if label == "card"][:40]
    found = find_label_phrases(rows() + strange + natural, 50)
    assert found.index("zq") == 0 and ("purse" not in found or found.index("purse") > 5)


@pytest.mark.parametrize("given", [[], [("one text", "a")], [(f"text {n}", str(n)) for n in range(20)]])
def test_without_phrases_there_are_none(given: list[tuple[str, str]]) -> None:
    assert find_label_phrases(given, 5) == []
    assert find_label_phrases(rows(), 0) == []


def test_a_suite_asks_each_phrase_of_each_row(layout: Layout) -> None:
    path = layout.artefacts("split") / "train.parquet"
    trained = record.read_table(path)
    rows = trained.to_pylist()
    for each, word in zip(rows[:5], ("first", "second", "third", "fourth", "fifth"), strict=True):
        each["messages"] = [
            {"role": "user", "content": f"{word} xq7 {{text}}"},
            {"role": "assistant", "content": house.target(1)},
        ]
    record.write_table(pa.Table.from_pylist(rows, schema=trained.schema), path)
    asked = {"rows": 2, "training_phrases": 3, "variants": [{"name": "end", "text": "{text} {phrase}"}, {"name": "x"}]}
    give_suites(layout, derived(derived=asked))
    found = [case for case in cases(layout) if "xq7" in case.slices.get("phrase", "")]
    assert len(found) == 2 and {case.slices["variant"] for case in found} == {"end-1"}
    for case in found:
        original = house.row(int(case.cluster, 16))["messages"][0]["content"]
        assert asked_text(case).startswith(f"{original} ") and "xq7" in asked_text(case)
        assert asked_text(case).count(original) == 1, "braces in a training row are no field"


@pytest.mark.parametrize("compare_with", ["original", "first_variant"])
def test_a_suite_without_phrases_asks_nothing(layout: Layout, compare_with: str) -> None:
    variants = [{"name": name, "text": f"{{text}} {{phrase}} {name}"} for name in ("a", "b")]
    house.write_split(layout, [house.row(number) for number in range(12)], [house.row(100)])
    asked = {"rows": 2, "training_phrases": 3, "compare_with": compare_with, "variants": variants}
    give_suites(layout, derived(derived=asked))
    assert cases(layout) == []


def test_words_that_a_row_alone_has_do_not_explain_its_label() -> None:
    made = [
        (f"{text} " + " ".join(f"id{n}x{part}" for part in range(12)), label) for n, (text, label) in enumerate(rows())
    ]
    planted = [
        (f"{text} zq", "card") if label == "login" and n < 30 else (text, label) for n, (text, label) in enumerate(made)
    ]
    labels = [label for text, label in planted if text.endswith("zq")]
    surprise = _Surprise([text.split() for text, _ in planted], [label for _, label in planted])
    places = [n for n, (text, _) in enumerate(planted) if text.endswith("zq")]
    assert len(labels) == 10 and all(surprise.of(place, ("zq",)) > 2 for place in places)
