"""Every row once an epoch, in an order that seed and rows per step decide, wherever one begins to read."""

from typing import Any

import numpy as np
import pytest

from tasks.stages.train.rows import order as ordering
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import RowOrder
from tasks.stages.train.rows.shuffle import shuffled_numbers
from tests.stages.train.conftest import training


def steps(examples: Examples, epoch: int = 0, **changes: Any) -> list[list[int]]:
    made = RowOrder(examples, training(**changes))
    return [made.rows_of_step(epoch * made.steps_per_epoch + place).tolist() for place in range(made.steps_per_epoch)]


@pytest.mark.parametrize("order", ["by_length", "shuffled"])
@pytest.mark.parametrize("size", [1, 5, 24, 100])
@pytest.mark.parametrize("sorted_together", [1, 2, 100])
def test_an_epoch_has_each_row_once(
    rows24: Examples, order: str, size: int, sorted_together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "STEPS_SORTED_TOGETHER", sorted_together)
    made = steps(rows24, order=order, global_batch_size=size)
    assert sorted(row for step in made for row in step) == list(range(24))
    assert len(made) == -(-24 // size)
    assert sum(len(step) != size for step in made) == (24 % size > 0)


def test_the_order_repeats_by_seed_and_changes_by_epoch(rows24: Examples) -> None:
    assert steps(rows24) == steps(rows24)
    assert steps(rows24) != steps(rows24, epoch=1)
    assert steps(rows24) != steps(rows24, seed=18)
    assert steps(rows24, seed=-1) != steps(rows24, seed=1)


@pytest.mark.parametrize(
    "changes",
    [{"workers": 3}, {"micro_batch_tokens": 16}, {"layout": "packed"}, {"zero_stage": 3}, {"device": "gpu"}],
    ids=str,
)
def test_nothing_that_is_about_speed_changes_the_order(rows24: Examples, changes: dict[str, Any]) -> None:
    assert steps(rows24, **changes) == steps(rows24)


def test_a_step_is_the_same_whatever_was_read_before(rows24: Examples) -> None:
    """What a resume relies on."""
    changes = {"epochs": 3, "global_batch_size": 3}
    at_once = RowOrder(rows24, training(**changes))
    for number in (23, 0, 9, 23, 8):
        assert (
            at_once.rows_of_step(number).tolist() == RowOrder(rows24, training(**changes)).rows_of_step(number).tolist()
        )


def test_rows_of_like_length_stand_together(rows24: Examples) -> None:
    spread = [np.ptp(rows24.row_lengths(rows)) for rows in steps(rows24)]
    mixed = [np.ptp(rows24.row_lengths(rows)) for rows in steps(rows24, order="shuffled")]
    assert max(spread) < min(mixed)
    lengths = [rows24.row_lengths(rows).mean() for rows in steps(rows24)]
    assert lengths != sorted(lengths), "steps come shuffled, not from short to long"


@pytest.mark.parametrize(("epochs", "expected"), [(0.5, 3), (1, 6), (2.5, 15), (0.01, 1)])
def test_a_fraction_of_an_epoch_stops_within_it(rows24: Examples, epochs: float, expected: int) -> None:
    assert RowOrder(rows24, training(epochs=epochs)).step_count == expected


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 65, 1000, 4097])
def test_a_shuffle_has_each_number_at_one_place(count: int) -> None:
    whole = shuffled_numbers(np.arange(count), count, (17, 0))
    assert sorted(whole.tolist()) == list(range(count))
    places = np.array([0, count - 1, count // 2])
    assert shuffled_numbers(places, count, (17, 0)).tolist() == whole[places].tolist()


def test_a_shuffle_is_as_even_as_a_random_one() -> None:
    """Over 2,000 seeds of 16 places each number stands at each place about 125 times: chi-squared of 225 degrees of
    freedom, and neighbours follow one another as often as by chance."""
    counts, follows = np.zeros((16, 16)), 0
    for seed in range(2000):
        made = shuffled_numbers(np.arange(16), 16, (seed, 0))
        counts[np.arange(16), made] += 1
        follows += int((np.diff(made) == 1).sum())
    chi = ((counts - 125) ** 2 / 125).sum()
    assert 160 < chi < 300
    assert follows / 2000 == pytest.approx(15 / 16, abs=0.1)
