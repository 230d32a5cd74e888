"""What cleaning takes out, and what it leaves."""

import random
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.core.files import tree_manifest
from tasks.core.params.filters import FILTER_RULES
from tasks.stages.data.clean import clean, filters
from tests.stages.data.build import Run, record

BOUNDS = {"min_prompt_chars": 3, "max_prompt_chars": 20, "max_target_chars": 5}


@pytest.mark.parametrize(
    ("text", "label", "rule"),
    [
        ("", "yes", "empty_prompt"),
        (" \u200b", "yes", "empty_prompt"),
        ("ab", "yes", "prompt_too_short"),
        ("a" * 21, "yes", "prompt_too_long"),
        ("abc", "y" * 6, "target_too_long"),
        ("abc", "y" * 5, None),
        ("a" * 20, "y", None),
    ],
)
def test_texts_within_bounds_stay(run: Run, text: str, label: str, rule: str | None) -> None:
    result = run.clean([record("something", number=1), record(text, label, number=2)], **BOUNDS)
    assert run.rules_of("clean") == ({2: rule} if rule else {})
    assert result.counts.records == (1 if rule else 2)


def test_every_filter_of_the_table_is_a_file_and_every_file_in_the_table() -> None:
    there = {path.stem for path in Path(filters.__file__).parent.glob("[a-z]*.py")}
    assert there == FILTER_RULES.keys(), "tasks/core/params/filters.py"


def test_all_turns_before_the_target_count(run: Run) -> None:
    turns = [{"role": role, "content": "x" * 8} for role in ("user", "assistant", "user", "assistant")]
    run.clean([record("something", number=1), record("", number=2, messages=turns)], **BOUNDS)
    assert run.rules_of("clean") == {2: "prompt_too_long"}


def test_counts_add_up_by_source(run: Run) -> None:
    result = run.clean([record("a", number=1), record("", number=2), record("b", number=3, source_id="two")])
    assert (result.counts.rows, result.counts.records, result.counts.removed) == (3, 2, 1)
    assert {name: (c.rows, c.records) for name, c in result.by_source.items()} == {"src": (2, 1), "two": (1, 1)}
    assert run.result("clean")["facts"]["quarantined_share"]["value"] == pytest.approx(1 / 3)


def test_nothing_left_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="none of 1 records is left"):
        run.clean([record("", number=1)])


def test_batches_of_any_size_give_the_same_bytes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [record("a" * (number % 7), number=number, source_id=f"src{number % 2}") for number in range(50)]
    run.clean(records, min_prompt_chars=3)
    first = tree_manifest(run.layout.artefacts("clean"))
    assert len(run.records_of("clean", "quarantine")) == 22
    monkeypatch.setattr(clean, "BATCH_ROWS", 7)
    run.clean(records, min_prompt_chars=3)
    assert tree_manifest(run.layout.artefacts("clean")) == first


def test_the_order_of_the_records_decides_nothing_but_the_order(run: Run) -> None:
    records = [record("a" * (number % 7), number=number) for number in range(50)]
    results, kept = [], []
    for seed in range(2):
        results.append(run.clean(random.Random(seed).sample(records, 50), min_prompt_chars=3))
        kept.append(sorted(item["record_id"] for item in run.records_of("clean")))
    assert results[0] == results[1]
    assert kept[0] == kept[1] == [item["record_id"] for item in records if len(item["messages"][0]["content"]) > 2]
