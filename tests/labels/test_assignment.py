"""Rows are shared out evenly, by a seed, and gold examples stand anywhere."""

from collections import Counter

import pytest

from tasks.labels.assignment import assign_items, shuffle_items

ANNOTATORS = ["a-z", "a-b", "a-m", "a-q", "a-a"]
ROWS, GOLD = [f"i-{number}" for number in range(203)], [f"i-gold{number}" for number in range(9)]


@pytest.mark.parametrize("overlap", [1, 2, 3, 5])
def test_each_row_has_its_annotators_and_each_annotator_as_many_rows(overlap: int) -> None:
    shares = assign_items(ROWS, GOLD, ANNOTATORS, overlap, seed=4)
    counts = Counter(item for items in shares.values() for item in items)
    assert {counts[row] for row in ROWS} == {overlap} and {counts[item] for item in GOLD} == {len(ANNOTATORS)}
    sizes = [len(items) for items in shares.values()]
    assert max(sizes) - min(sizes) <= 1
    assert all(len({*items}) == len(items) for items in shares.values())


def test_it_is_that_of_the_seed() -> None:
    first, same, other = (assign_items(ROWS, GOLD, ANNOTATORS, 2, seed) for seed in (1, 1, 2))
    assert first == same != other


def test_all_pairs_of_annotators_meet() -> None:
    """So that agreement is not that of two pairs who never label the same row."""
    shares = assign_items(ROWS, [], ANNOTATORS, 2, seed=1)
    pairs = Counter(frozenset(a for a in ANNOTATORS if row in shares[a]) for row in ROWS)
    assert len(pairs) == 10 and min(pairs.values()) >= 8


def test_each_has_an_order_of_their_own_with_gold_anywhere() -> None:
    shares = assign_items(ROWS, GOLD, ANNOTATORS, 5, seed=1)
    assert len(set(shares.values())) == len(ANNOTATORS)
    places = [items.index(one) / len(items) for items in shares.values() for one in GOLD]
    assert min(places) < 0.15 and max(places) > 0.85 and 0.35 < sum(places) / len(places) < 0.65


def test_the_order_does_not_depend_on_that_of_the_items() -> None:
    assert shuffle_items(ROWS, 3, "a-z") == shuffle_items(ROWS[::-1], 3, "a-z")
