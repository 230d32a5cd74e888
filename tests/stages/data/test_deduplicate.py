"""What deduplication takes out as the same, what it leaves, and its counts."""

import random

import pytest

from tasks.core.errors import InputError
from tasks.stages.data.deduplicate import deduplicate
from tests.stages.data.build import Run, record
from tests.stages.data.repetitions import ASIDE, LONG, NEW, clusters, rules


def test_the_first_of_exact_duplicates_is_kept_and_cited(run: Run) -> None:
    same = [
        record("Where is  my card?", number=1),
        record("Where is\nmy card? ", number=9, department="other"),
        record("where is my card?", number=2),
        record("Where is my card?", "no", number=3),
        record("Where is my card?", number=4, task="other"),
    ]
    run.deduplicate(same, near_duplicates=None)
    (entry,) = run.records_of("deduplicate", "quarantine")
    assert (entry["row"], entry["rule"], entry["winner"]) == (2, "exact_duplicate", same[0]["record_id"])
    assert run.records_of("deduplicate") == [same[0], *same[2:]]


@pytest.mark.parametrize(
    ("sides", "removed"),
    [
        (["train", "train"], {2}),
        (["test", "test"], set()),
        (["train", "test"], set()),
        (["", "test"], {1}),
        (["", "train"], {1}),
        (["test", "", "train", ""], {2, 4}),
    ],
)
def test_duplicates_give_way_to_fixed_sides_and_a_fixed_test_set_stays_whole(
    run: Run, sides: list[str], removed: set[int]
) -> None:
    run.deduplicate(
        [record("same", number=number, split=side) for number, side in enumerate(sides)], near_duplicates=None
    )
    assert set(run.rules_of("deduplicate")) == removed


def test_a_higher_authority_keeps_an_exact_duplicate(run: Run) -> None:
    run.deduplicate([record("same", number=1), record("same", number=2, source_id="manual")], {"manual": 1})
    assert rules(run) == {1: ("exact_duplicate", 2)}


ABOUT = "I am {}, where is my parcel? It was to come last week and nobody could tell me anything"


def test_the_same_conversation_with_somebody_else_is_no_exact_duplicate(run: Run) -> None:
    people = ["[name:k3v9x2ab7dqm]", "[name:aaaabbbbcccc]"] * 2
    run.deduplicate([record(ABOUT.format(who), who, number) for number, who in enumerate(people)], near_duplicates=None)
    assert rules(run) == {2: ("exact_duplicate", 0), 3: ("exact_duplicate", 1)}


def test_without_thresholds_only_exact_duplicates_go_and_no_figure_claims_more(run: Run) -> None:
    result = run.deduplicate(
        [record(LONG, number=1), record(LONG, number=2), record(LONG + "!", number=3)], near_duplicates=None
    )
    assert rules(run) == {2: ("exact_duplicate", 1)}
    assert clusters(run) == []
    assert set(run.result("deduplicate")["facts"]) == {"records", "exact_duplicates", "quarantined_share"}
    assert result.near is None


ODD = ["", "?", "…", "👍", "v2", "2025-03-01", "x", "ß", "SS", "\u200b", "\x00", "a\u0301", "שלום", "مرحبا", "你好"]


def test_odd_texts_come_through(run: Run) -> None:
    huge = " ".join(map(str, random.Random(1).choices(range(10_000, 99_999), k=175_000)))  # 1 MB
    texts = [*ODD, huge, huge + "  ", huge + "too", "\n".join([LONG] * 3)]
    result = run.deduplicate([record(text, number=number) for number, text in enumerate(texts)])
    ss, sharp, wide = texts.index("SS"), texts.index("ß"), len(ODD)
    assert rules(run) in (
        {one: ("near_duplicate", other), wide + 1: ("exact_duplicate", wide)}
        for one, other in ((ss, sharp), (sharp, ss))
    )
    assert result.counts.rows == len(texts)


@pytest.mark.parametrize("count", [1, 500])
def test_one_record_and_all_alike(run: Run, count: int) -> None:
    result = run.deduplicate([record(LONG, number=number, effective_from=NEW) for number in range(count)])
    assert (result.counts.records, result.counts.quarantined.get("exact_duplicate", 0)) == (1, count - 1)


def test_nothing_left_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="none of 2 records is left"):
        run.deduplicate([record(LONG, "yes", number=1), record(LONG, "no", number=2)], says=ASIDE)


def test_counts_add_up_by_source(run: Run) -> None:
    result = run.deduplicate([record("a", number=1), record("a", number=2), record("b", number=3, source_id="two")])
    assert (result.counts.rows, result.counts.records, result.counts.removed) == (3, 2, 1)
    assert {name: (c.rows, c.records) for name, c in result.by_source.items()} == {"src": (2, 1), "two": (1, 1)}
    assert run.result("deduplicate")["facts"]["quarantined_share"]["value"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("times", [0, 2])
def test_a_record_that_is_lost_or_written_twice_is_noticed(
    run: Run, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    whole = deduplicate._kept
    monkeypatch.setattr(deduplicate, "_kept", lambda path, keep: [*whole(path, keep)] * times)
    with pytest.raises(AssertionError, match=rf"deduplicate: 3 rows in, but {2 * times} records and 1 quarantined out"):
        run.deduplicate([record("a", number=1), record("a", number=2), record("b", number=3)])
    assert not run.layout.artefacts("deduplicate").joinpath("records.parquet").exists()
