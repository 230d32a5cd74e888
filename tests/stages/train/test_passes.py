"""Each of a step's rows in one pass of one worker, within the limit, and the work shared out evenly."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.stages.train.rows import forward_passes
from tests.stages.train.conftest import training


@given(
    lengths=st.lists(st.integers(2, 400), min_size=1, max_size=60),
    most=st.integers(16, 1000),
    workers=st.integers(1, 4),
    together=st.integers(1, 3),
    packed=st.booleans(),
)
def test_each_row_is_taken_once_and_no_pass_is_too_large(
    lengths: list[int], most: int, workers: int, together: int, packed: bool
) -> None:
    """With several workers together, no pass is too large for all of them."""
    sizes, layout = np.array(lengths), "packed" if packed else "padded"
    settings = training(micro_batch_tokens=most, layout=layout, workers=together, sequence_parallel=together)
    plan = forward_passes.plan_passes(sizes, settings, workers * together)
    assert len(plan.groups) == plan.pass_count * workers
    assert sorted(row for group in plan.groups for row in group) == list(range(len(lengths)))
    for group in plan.groups:
        places = sizes[group].sum() if packed else sizes[group].max(initial=0) * len(group)
        assert places <= most * together or len(group) == 1
    assert [group for forward in range(plan.pass_count) for group in plan.groups_of_pass(forward)] == plan.groups


def test_workers_have_as_much_to_do() -> None:
    lengths = np.random.default_rng(1).integers(20, 120, 64)
    for layout, most_waste in (("packed", 0.02), ("padded", 0.2)):
        plan = forward_passes.plan_passes(lengths, training(micro_batch_tokens=100_000, layout=layout), 4)
        assert plan.pass_count == 1
        assert forward_passes.padding_share(lengths, plan, layout == "packed") < most_waste


def test_packing_takes_few_passes_and_wastes_next_to_nothing() -> None:
    lengths = np.random.default_rng(1).integers(20, 120, 256)
    plan = forward_passes.plan_passes(lengths, training(micro_batch_tokens=1024, layout="packed"), 1)
    assert plan.pass_count <= -(-lengths.sum() // 1024) + 1
    assert forward_passes.padding_share(lengths, plan, True) == 0


def test_padded_passes_go_from_short_to_long() -> None:
    lengths = np.random.default_rng(1).integers(20, 120, 64)
    plan = forward_passes.plan_passes(lengths, training(micro_batch_tokens=512, layout="padded"), 2)
    assert all(lengths[one].max() <= lengths[other].min() for one, other in pairwise(plan.groups) if len(other))
